// bench/scenarios/reload.ts: a table of 10,000 routes is reloaded again and again under load.
//
// The load is paced, well below what one core can do, and latency counts from the moment a request was due: a worker
// that stands still for 50 ms shows in all the requests that fell due meanwhile. Nothing is pinned, because the
// supervisor compiles on a thread of its own and that is the point.

import type { LoadPlan, LoadResult } from '../load/contract.ts'
import { runLoad } from '../load/load.ts'
import { startOrigin } from '../origin.ts'
import type { PeerOptions } from '../peers/contract.ts'
import { defaultOptions } from '../peers/contract.ts'
import { dynamicText, routeRequests } from '../peers/sluice-config.ts'
import type { LaunchedSluice } from '../peers/sluice.ts'
import { launch, rewriteDynamicFile } from '../peers/sluice.ts'
import { waitForStatus } from '../http.ts'
import { median } from '../statistics.ts'
import type { Bench, Fact, Outcome, Scenario } from './contract.ts'
import { readMetrics, waitForRoute } from './watch.ts'

const ROUTES = 10_000
const RELOADS = 5
const RATE_PER_SECOND = 2000
const VISIBLE_MAX_MS = 20_000
const PAUSE_MS = 500

export const reload: Scenario = {
  name: 'reload',
  summary: `${RELOADS} reloads of ${ROUTES} routes under load`,
  run,
}

interface Reloading {
  readonly visibleMs: number[]
  readonly convergenceMs: number[]
  readonly loopDelayMs: number[]
}

async function run(bench: Bench): Promise<Outcome> {
  const origin = await startOrigin('http', null)
  const options: PeerOptions = { ...defaultOptions(origin.port, null), routes: ROUTES }
  const peer = await launch(options)
  const load = `own, ${RATE_PER_SECOND} requests/s on 32 connections, nothing pinned`
  const base = { scenario: reload.name, summary: reload.summary, load }
  try {
    await waitForStatus(peer.child, peer.adminPort, '/ready', 200, 60_000)
    await runLoad(planFor(bench, peer.port, bench.warmSeconds), null)
    const facts = await measureReloads(bench, peer, options)
    return { ...base, subjects: [{ subject: 'sluice', samples: [], problem: null }], facts }
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    bench.log(`  reload: sluice is out: ${problem}`)
    return { ...base, subjects: [{ subject: 'sluice', samples: [], problem }], facts: [] }
  } finally {
    await peer.stop()
    await origin.stop()
  }
}

async function measureReloads(
  bench: Bench,
  peer: LaunchedSluice,
  options: PeerOptions,
): Promise<Fact[]> {
  const before = await runLoad(planFor(bench, peer.port, bench.seconds * 2), null)
  await readMetrics(peer) // so that the loop delay counts from here
  const found: Reloading = { visibleMs: [], convergenceMs: [], loopDelayMs: [] }
  const state = { isOver: false }
  const during = reloadUnderLoad(peer, options, found, state)
  const loads: LoadResult[] = []
  // Phases follow one another until the last reload is visible; each counts its own failures.
  while (!state.isOver)
    loads.push(await runLoad(planFor(bench, peer.port, bench.seconds * 2), null))
  await during
  return factsOf(before, loads, found)
}

async function reloadUnderLoad(
  peer: LaunchedSluice,
  options: PeerOptions,
  found: Reloading,
  state: { isOver: boolean },
): Promise<void> {
  try {
    for (let edition = 1; edition <= RELOADS; edition++) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      const text = dynamicText(options, edition)
      rewriteDynamicFile(peer.dynamicFile, text)
      found.visibleMs.push(await waitForRoute(peer, `/edition/${edition}`, VISIBLE_MAX_MS))
      const reading = await readMetrics(peer)
      found.convergenceMs.push(reading.convergenceSeconds * 1000)
      found.loopDelayMs.push(reading.loopDelaySeconds * 1000)
    }
  } finally {
    state.isOver = true
  }
}

function factsOf(before: LoadResult, loads: readonly LoadResult[], found: Reloading): Fact[] {
  const sum = (pick: (load: LoadResult) => number): number =>
    loads.reduce((total, load) => total + pick(load), 0)
  const p99During = median(loads.map((load) => load.p99Us))
  const facts: [string, number, string][] = [
    ['requests', sum((load) => load.requests), 'during reloads'],
    ['failedRequests', sum((load) => load.failedStatus + load.timeouts), 'requests'],
    ['resets', sum((load) => load.failedConnections), 'connections'],
    ['convergenceMs', Math.max(...found.convergenceMs), 'ms, worst, as Sluice reports it'],
    ['visibleMs', Math.max(...found.visibleMs), 'ms, worst, from the rename to the first answer'],
    ['p99BeforeUs', before.p99Us, 'us'],
    ['p99DuringUs', p99During, 'us'],
    ['p99Ratio', p99During / before.p99Us, 'x'],
    ['loopBlockedMs', Math.max(...found.loopDelayMs), 'ms, longest in a worker'],
  ]
  return facts.map(([metric, value, unit]) => ({ subject: 'sluice', metric, value, unit }))
}

function planFor(bench: Bench, port: number, seconds: number): LoadPlan {
  return {
    generator: 'own',
    isSecure: false,
    streams: 1,
    port,
    connections: 32,
    seconds: Math.max(seconds, bench.warmSeconds),
    requests: routeRequests(ROUTES, 500),
    isClosing: false,
    ratePerSecond: RATE_PER_SECOND,
  }
}
