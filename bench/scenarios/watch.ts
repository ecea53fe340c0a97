// bench/scenarios/watch.ts: what the reload scenarios read from a running Sluice: its generation, how long it took
// to converge, how long a worker's loop was blocked.

import { get, readSeries } from '../http.ts'
import type { LaunchedSluice } from '../peers/sluice.ts'

export interface Reading {
  readonly generation: number
  readonly convergenceSeconds: number
  readonly loopDelaySeconds: number // longest since the last reading, over all workers
}

const POLL_MS = 10

export async function readMetrics(peer: LaunchedSluice): Promise<Reading> {
  const answer = await get(peer.adminPort, '/metrics')
  if (answer.status !== 200) throw new Error(`/metrics answered ${answer.status}`)
  return readingOf(answer.body)
}

export function readingOf(text: string): Reading {
  return {
    generation: readSeries(text, 'sluice_generation_number').max,
    convergenceSeconds: readSeries(text, 'sluice_generation_convergence_seconds').max,
    loopDelaySeconds: readSeries(text, 'sluice_worker_event_loop_delay_max_seconds').max,
  }
}

// Polls a route that exists only in the new edition: the moment at which a client can see it.
export async function waitForRoute(
  peer: LaunchedSluice,
  target: string,
  timeoutMs: number,
): Promise<number> {
  const startedAt = performance.now()
  while (performance.now() - startedAt < timeoutMs) {
    const answer = await get(peer.port, target)
    if (answer.status === 200) return performance.now() - startedAt
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  throw new Error(`${target} was not served within ${timeoutMs} ms after the reload`)
}
