// bench/load/wrk.ts: runs wrk, which needs a fifth of our own generator's CPU and so keeps a peer busy
// that shares its other core with nobody.
//
// A Lua script sends the prepared requests in turn and prints the summary as JSON; wrk keeps its latencies in
// microseconds, where its own text output rounds them.

import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { outputOf, startChild } from '../children.ts'
import { findProgram } from '../cores.ts'
import { makeWorkFolder } from '../folders.ts'
import type { LoadPlan, LoadResult } from './contract.ts'

export function isWrkInstalled(): boolean {
  return findProgram('wrk') !== null
}

export async function runWrk(plan: LoadPlan, cores: string | null): Promise<LoadResult> {
  const script = path.join(makeWorkFolder(), `wrk-${plan.port}.lua`)
  writeFileSync(script, luaScript(plan))
  const wrk = startChild(
    ['wrk', '-t1', `-c${plan.connections}`, `-d${Math.max(1, Math.ceil(plan.seconds))}s`].concat([
      '--timeout',
      '10s',
      '-s',
      script,
      `${plan.isSecure ? 'https' : 'http'}://127.0.0.1:${plan.port}/`,
    ]),
    { name: 'wrk', cores },
  )
  const output = await outputOf(wrk)
  const json = /^RESULT (.*)$/m.exec(output)?.[1]
  if (json === undefined) throw new Error(`wrk gave no result: ${output}`)
  return JSON.parse(json) as LoadResult
}

// One request is a constant string: wrk then sends it without asking Lua. Several are taken in turn.
function luaScript(plan: LoadPlan): string {
  const formats = plan.requests.map((shape) => {
    const body = shape.bodyBytes > 0 ? `string.rep('x', ${shape.bodyBytes})` : 'nil'
    const close = plan.isClosing ? `, ['Connection'] = 'close'` : ''
    return `wrk.format('${shape.method}', '${shape.path}', { ['Host'] = '${shape.host}'${close} }, ${body})`
  })
  return `${formats.length === 1 ? luaSingle(plan) : luaTurns(formats)}
function done(summary, latency, requests)
  local e = summary.errors
  print(string.format('RESULT {"requests":%d,"seconds":%.6f,"failedStatus":%d,"failedConnections":%d,' ..
    '"timeouts":%d,"p50Us":%.1f,"p99Us":%.1f,"maxUs":%.1f}',
    summary.requests - e.status, summary.duration / 1e6, e.status, e.connect + e.read + e.write, e.timeout,
    latency:percentile(50), latency:percentile(99), latency.max))
end
`
}

function luaSingle(plan: LoadPlan): string {
  const shape = plan.requests[0]
  if (shape === undefined) throw new Error('a load needs a request')
  return `wrk.method = '${shape.method}'
wrk.path = '${shape.path}'
wrk.headers['Host'] = '${shape.host}'
${plan.isClosing ? `wrk.headers['Connection'] = 'close'` : ''}
${shape.bodyBytes > 0 ? `wrk.body = string.rep('x', ${shape.bodyBytes})` : ''}`
}

function luaTurns(formats: readonly string[]): string {
  return `local turn = 0
local wires = {}
function init(args)
  wires = {
${formats.map((format) => `    ${format},`).join('\n')}
  }
end
function request()
  turn = turn % #wires + 1
  return wires[turn]
end`
}
