// bench/load/h2load.ts: runs h2load, which speaks HTTP/2 with many streams on each connection.
//
// Its summary has no percentiles, so it writes a line per request (start, status, microseconds), which is read back.

import { readFileSync } from 'node:fs'
import path from 'node:path'
import { outputOf, startChild } from '../children.ts'
import { findProgram } from '../cores.ts'
import { makeWorkFolder } from '../folders.ts'
import type { LoadPlan, LoadResult } from './contract.ts'

export function isH2loadInstalled(): boolean {
  return findProgram('h2load') !== null
}

export async function runH2load(plan: LoadPlan, cores: string | null): Promise<LoadResult> {
  const shape = plan.requests[0]
  if (shape === undefined || plan.requests.length > 1) throw new Error('h2load sends one request')
  const logFile = path.join(makeWorkFolder(), `h2load-${plan.port}.log`)
  const seconds = Math.max(1, Math.ceil(plan.seconds))
  const scheme = plan.isSecure ? 'https' : 'http'
  const flags = `-c${plan.connections} -m${plan.streams} -D${seconds} --log-file=${logFile}`
  const url = `${scheme}://127.0.0.1:${plan.port}${shape.path}`
  const command = ['h2load'].concat(flags.split(' '), '-H', `:authority: ${shape.host}`, url)
  const child = startChild(command, { name: 'h2load', cores })
  return resultOf(await outputOf(child), readFileSync(logFile, 'latin1'), seconds)
}

export function resultOf(summary: string, log: string, seconds: number): LoadResult {
  const counts = /^requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/m.exec(
    summary,
  )
  if (counts === null) throw new Error(`h2load gave no result: ${summary}`)
  const [succeeded = 0, failed = 0, errored = 0, timeouts = 0] = counts.slice(1).map(Number)
  const times = Float64Array.from(
    log
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => Number(line.split('\t')[2])),
  ).sort()
  const at = (share: number): number => times[Math.floor((times.length - 1) * share)] ?? 0
  return {
    requests: succeeded,
    seconds,
    failedStatus: Math.max(0, failed - errored - timeouts), // h2load counts the others in `failed` as well
    failedConnections: errored,
    timeouts,
    p50Us: at(0.5),
    p99Us: at(0.99),
    maxUs: at(1),
  }
}
