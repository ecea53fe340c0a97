// bench/measure.ts: one phase of load on one running peer, and what it cost.

import { cpuOf, processTree, rssKibOf } from './cpu.ts'
import type { LoadPlan, LoadResult } from './load/contract.ts'
import { failuresOf } from './load/contract.ts'
import { runLoad } from './load/load.ts'
import type { RunningPeer } from './peers/contract.ts'

export interface Sample {
  readonly cpuUs: number // per request: user and system together
  readonly userUs: number
  readonly systemUs: number
  readonly requestsPerSecond: number
  readonly p50Us: number
  readonly p99Us: number
  readonly rssKib: number
  readonly busyShare: number // of one core; well below 1 means that the load was the limit
  readonly requests: number
  readonly failures: number
}

export type SampleMetric = keyof Sample

export async function measure(
  peer: RunningPeer,
  plan: LoadPlan,
  cores: string | null,
): Promise<Sample> {
  const pids = processTree(peer.child.pid)
  const before = cpuOf(pids)
  const result = await runLoad(plan, cores)
  const after = cpuOf(pids)
  if (peer.child.hasEnded()) throw new Error('the peer ended under load')
  return sampleOf(
    result,
    after.userUs - before.userUs,
    after.systemUs - before.systemUs,
    rssKibOf(pids),
  )
}

export function sampleOf(
  result: LoadResult,
  userUs: number,
  systemUs: number,
  rssKib: number,
): Sample {
  const requests = result.requests + result.failedStatus
  return {
    cpuUs: (userUs + systemUs) / requests,
    userUs: userUs / requests,
    systemUs: systemUs / requests,
    requestsPerSecond: requests / result.seconds,
    p50Us: result.p50Us,
    p99Us: result.p99Us,
    rssKib,
    busyShare: (userUs + systemUs) / 1e6 / result.seconds,
    requests,
    failures: failuresOf(result),
  }
}
