// bench/scenarios/start.ts: from the command to the first answer, with two workers and 100 routes; and the memory of
// that process a moment later. Starting Node itself, with nothing to do, is measured beside it: it is the part
// that no gateway on Node can save, and what makes the figure comparable between machines.

import { execFileSync } from 'node:child_process'
import { processTree, rssKibOf } from '../cpu.ts'
import { get } from '../http.ts'
import { startOrigin } from '../origin.ts'
import { defaultOptions } from '../peers/contract.ts'
import { routeRequests } from '../peers/sluice-config.ts'
import type { LaunchedSluice } from '../peers/sluice.ts'
import { launch } from '../peers/sluice.ts'
import { median } from '../statistics.ts'
import { logTailOf } from '../children.ts'
import type { Bench, Fact, Outcome, Scenario } from './contract.ts'

const ROUTES = 100
const FIRST_ANSWER_MAX_MS = 15_000

export const start: Scenario = {
  name: 'start',
  summary: `Start to first answer, and memory, with 2 workers and ${ROUTES} routes`,
  run,
}

interface Start {
  readonly ms: number
  readonly rssKib: number
  readonly bareNodeMs: number
}

async function run(bench: Bench): Promise<Outcome> {
  const origin = await startOrigin('http', null)
  const starts: Start[] = []
  const base = {
    scenario: start.name,
    summary: start.summary,
    load: 'one request at a time, nothing pinned',
  }
  try {
    for (let i = 0; i < bench.pairs; i++) starts.push(await startOnce(bench, origin.port))
    return {
      ...base,
      subjects: [{ subject: 'sluice', samples: [], problem: null }],
      facts: factsOf(starts),
    }
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    bench.log(`  start: sluice is out: ${problem}`)
    return { ...base, subjects: [{ subject: 'sluice', samples: [], problem }], facts: [] }
  } finally {
    await origin.stop()
  }
}

async function startOnce(bench: Bench, originPort: number): Promise<Start> {
  const bareNodeMs = timeBareNode()
  const startedAt = performance.now()
  const peer = await launch({ ...defaultOptions(originPort, null), routes: ROUTES, workers: 2 })
  try {
    await waitForFirstAnswer(peer)
    const ms = performance.now() - startedAt
    for (const shape of routeRequests(ROUTES, 100).concat(routeRequests(ROUTES, 100))) {
      await get(peer.port, shape.path, shape.host)
    }
    const rssKib = rssKibOf(processTree(peer.child.pid))
    bench.log(
      `  ${ms.toFixed(0)} ms, ${(rssKib / 1024).toFixed(0)} MB; bare Node ${bareNodeMs.toFixed(0)} ms`,
    )
    return { ms, rssKib, bareNodeMs }
  } finally {
    await peer.stop()
  }
}

async function waitForFirstAnswer(peer: LaunchedSluice): Promise<void> {
  const shape = routeRequests(ROUTES, 1)[0]
  const deadline = performance.now() + FIRST_ANSWER_MAX_MS
  while (performance.now() < deadline) {
    if (peer.child.hasEnded()) throw new Error(`ended before it answered: ${logTailOf(peer.child)}`)
    const answer = await get(peer.port, shape?.path ?? '/', shape?.host).catch(() => null)
    if (answer?.status === 200) return
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  throw new Error(`no answer within ${FIRST_ANSWER_MAX_MS} ms: ${logTailOf(peer.child)}`)
}

function timeBareNode(): number {
  const startedAt = performance.now()
  execFileSync(process.execPath, ['--eval', '0'])
  return performance.now() - startedAt
}

function factsOf(starts: readonly Start[]): Fact[] {
  const of = (pick: (one: Start) => number): number => median(starts.map(pick))
  const facts: [string, number, string][] = [
    ['startMs', of((one) => one.ms), 'ms'],
    ['bareNodeMs', of((one) => one.bareNodeMs), 'ms'],
    ['startRatio', of((one) => one.ms / one.bareNodeMs), 'x bare Node'],
    ['rssMb', of((one) => one.rssKib / 1024), 'MB'],
  ]
  return facts.map(([metric, value, unit]) => ({ subject: 'sluice', metric, value, unit }))
}
