// bench/load/h2load.ts: runs h2load, which speaks HTTP/2 with many streams on each connection.
//
// Its summary has no percentiles, so it writes a line per request (start, status, microseconds), which is read back.
// It sees no trailers either: a gRPC call that failed is a 200 to it. Such an answer has no message, so the body bytes
// of all answers say how many were real.

import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { outputOf, startChild } from '../children.ts'
import { findProgram } from '../cores.ts'
import { makeWorkFolder } from '../folders.ts'
import type { GrpcShape, LoadPlan, LoadResult } from './contract.ts'

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
  const grpc = shape.grpc === undefined ? [] : grpcFlags(shape.grpc, plan.port)
  const authority = ['-H', `:authority: ${shape.host}`]
  const child = startChild(['h2load', ...flags.split(' '), ...authority, ...grpc, url], {
    name: 'h2load',
    cores,
  })
  const summary = await outputOf(child)
  const result = resultOf(summary, readFileSync(logFile, 'latin1'), seconds)
  return shape.grpc === undefined ? result : withoutEmpty(result, summary, shape.grpc.answerBytes)
}

function grpcFlags({ message }: GrpcShape, port: number): string[] {
  const file = path.join(makeWorkFolder(), `call-${port}.bin`)
  writeFileSync(file, message, 'latin1')
  return ['-d', file, '-H', 'content-type: application/grpc', '-H', 'te: trailers']
}

// Answers without their message count as failed. What was still in flight at the end may hide one per stream.
export function withoutEmpty(result: LoadResult, summary: string, answerBytes: number): LoadResult {
  const data = /^traffic: .*\((\d+)\) data$/m.exec(summary)?.[1]
  if (data === undefined) throw new Error(`h2load told no traffic: ${summary}`)
  const real = Math.min(result.requests, Math.floor(Number(data) / answerBytes))
  return { ...result, requests: real, failedStatus: result.failedStatus + result.requests - real }
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
