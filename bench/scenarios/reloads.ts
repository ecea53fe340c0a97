// bench/scenarios/reloads.ts: a thousand reloads under load: does a request fail, does memory grow.
//
// Memory is read after a tenth of the reloads, when every pool and every compiled function has its size, and again at
// the end; both times after a pause, as the median of several readings.

import { processTree, rssKibOf } from '../cpu.ts'
import { waitForStatus } from '../http.ts'
import type { LoadPlan, LoadResult } from '../load/contract.ts'
import { runLoad } from '../load/load.ts'
import { startOrigin } from '../origin.ts'
import type { PeerOptions } from '../peers/contract.ts'
import { defaultOptions } from '../peers/contract.ts'
import { dynamicText, routeRequests } from '../peers/sluice-config.ts'
import type { LaunchedSluice } from '../peers/sluice.ts'
import { launch, rewriteDynamicFile } from '../peers/sluice.ts'
import { median } from '../statistics.ts'
import type { Bench, Fact, Outcome, Scenario } from './contract.ts'
import { waitForRoute } from './watch.ts'

const ROUTES = 100
const RATE_PER_SECOND = 1000
const VISIBLE_MAX_MS = 10_000
const READINGS = 9
const READING_MS = 250

export const reloads: Scenario = {
  name: 'reloads',
  summary: `Many reloads of ${ROUTES} routes under load`,
  run,
}

async function run(bench: Bench): Promise<Outcome> {
  const origin = await startOrigin('http', null)
  const options: PeerOptions = { ...defaultOptions(origin.port, null), routes: ROUTES }
  const peer = await launch(options)
  const load = `own, ${RATE_PER_SECOND} requests/s on 16 connections, ${bench.reloads} reloads, nothing pinned`
  const base = { scenario: reloads.name, summary: reloads.summary, load }
  try {
    await waitForStatus(peer.child, peer.adminPort, '/ready', 200)
    const facts = await measureReloads(bench, peer, options)
    return { ...base, subjects: [{ subject: 'sluice', samples: [], problem: null }], facts }
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    bench.log(`  reloads: sluice is out: ${problem}`)
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
  const tenth = Math.max(1, Math.floor(bench.reloads / 10))
  const first = await reloadUnderLoad(bench, peer, options, 1, tenth)
  const rssEarly = await settledRssKib(peer)
  const second = await reloadUnderLoad(bench, peer, options, tenth + 1, bench.reloads)
  const rssLate = await settledRssKib(peer)
  return factsOf(bench, [...first, ...second], rssEarly, rssLate)
}

async function reloadUnderLoad(
  bench: Bench,
  peer: LaunchedSluice,
  options: PeerOptions,
  from: number,
  to: number,
): Promise<LoadResult[]> {
  const state = { isOver: false }
  const done = reloadEach(bench, peer, options, from, to, state)
  const loads: LoadResult[] = []
  while (!state.isOver) loads.push(await runLoad(planFor(peer.port, bench.seconds), null))
  await done
  return loads
}

async function reloadEach(
  bench: Bench,
  peer: LaunchedSluice,
  options: PeerOptions,
  from: number,
  to: number,
  state: { isOver: boolean },
): Promise<void> {
  try {
    for (let edition = from; edition <= to; edition++) {
      rewriteDynamicFile(peer.dynamicFile, dynamicText(options, edition))
      await waitForRoute(peer, `/edition/${edition}`, VISIBLE_MAX_MS)
      if (edition % 100 === 0) bench.log(`  ${edition} of ${bench.reloads} reloads`)
    }
  } finally {
    state.isOver = true
  }
}

async function settledRssKib(peer: LaunchedSluice): Promise<number> {
  const readings: number[] = []
  for (let i = 0; i < READINGS; i++) {
    await new Promise((resolve) => setTimeout(resolve, READING_MS))
    readings.push(rssKibOf(processTree(peer.child.pid)))
  }
  return median(readings)
}

function factsOf(
  bench: Bench,
  loads: readonly LoadResult[],
  rssEarly: number,
  rssLate: number,
): Fact[] {
  const sum = (pick: (load: LoadResult) => number): number =>
    loads.reduce((total, load) => total + pick(load), 0)
  const facts: [string, number, string][] = [
    ['reloads', bench.reloads, ''],
    ['requests', sum((load) => load.requests), 'during reloads'],
    ['failedRequests', sum((load) => load.failedStatus + load.timeouts), 'requests'],
    ['resets', sum((load) => load.failedConnections), 'connections'],
    ['rssEarlyKib', rssEarly, 'KiB after a tenth of them'],
    ['rssLateKib', rssLate, 'KiB after all'],
    ['rssGrowth', rssLate / rssEarly, 'x'],
  ]
  return facts.map(([metric, value, unit]) => ({ subject: 'sluice', metric, value, unit }))
}

function planFor(port: number, seconds: number): LoadPlan {
  return {
    generator: 'own',
    isSecure: false,
    streams: 1,
    port,
    connections: 16,
    seconds,
    requests: routeRequests(ROUTES, 100),
    isClosing: false,
    ratePerSecond: RATE_PER_SECOND,
  }
}
