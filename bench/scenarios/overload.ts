// bench/scenarios/overload.ts: three times what one worker can do, most of it for a router of class normal, a little for one of
// class high.
//
// Each answer is 64 KiB that the gateway compresses, so that the gateway is what runs out, not the load. All loads are
// paced, and latency counts from the moment a request was due. Of the lower class there are more clients than may wait:
// some of them are told to come again (503 with Retry-After), which is the point, and no failure here.
//
//   peak      as fast as 64 connections can: what the worker can do
//   calm      class high at HIGH_PART of the peak, the rest at CALM_PART of it: what class high is used to
//   overload  class high as before, the rest so that all is three times the peak

import type { LoadPlan, LoadResult, RequestShape } from '../load/contract.ts'
import { runLoad } from '../load/load.ts'
import { startOrigin } from '../origin.ts'
import { defaultOptions } from '../peers/contract.ts'
import { HIGH_HOST } from '../peers/sluice-config.ts'
import { sluice } from '../peers/sluice.ts'
import { median } from '../statistics.ts'
import type { Bench, Fact, Outcome, Scenario } from './contract.ts'

const HIGH_PART = 0.1
const CALM_PART = 0.8
const TIMES = 3
const CLIENTS = 2000 // of class normal, under overload
const HIGH_CLIENTS = 64

export const overload: Scenario = {
  name: 'overload',
  summary: `${TIMES} times the peak of one worker, a tenth of the peak of class high`,
  run,
}

const normalRequest: RequestShape = {
  method: 'GET',
  host: 'bench.test',
  path: '/64k',
  bodyBytes: 0,
  headers: 'Accept-Encoding: gzip\r\n',
}
const highRequest: RequestShape = { ...normalRequest, host: HIGH_HOST }

interface Round {
  readonly peak: number // answers a second
  readonly calm: LoadResult // class high, as the next two
  readonly high: LoadResult
  readonly normal: LoadResult
}

async function run(bench: Bench): Promise<Outcome> {
  const origin = await startOrigin('http', bench.cores.load)
  const load = `own, paced, ${CLIENTS} + ${HIGH_CLIENTS} connections`
  const base = { scenario: overload.name, summary: overload.summary, load }
  const options = defaultOptions(origin.port, bench.cores.subject)
  const peer = await sluice.start({ ...options, traffic: 'overload' })
  try {
    const rounds: Round[] = []
    await runLoad(plan(bench, peer.port, normalRequest, 64, 0), bench.cores.load)
    for (let at = 1; at <= bench.pairs; at++) {
      const round = await measure(bench, peer.port)
      rounds.push(round)
      bench.log(`  ${at}/${bench.pairs} ${said(round)}`)
    }
    return {
      ...base,
      subjects: [{ subject: 'sluice', samples: [], problem: null }],
      facts: factsOf(rounds),
    }
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    bench.log(`  overload: sluice is out: ${problem}`)
    return { ...base, subjects: [{ subject: 'sluice', samples: [], problem }], facts: [] }
  } finally {
    await peer.stop()
    await origin.stop()
  }
}

async function measure(bench: Bench, port: number): Promise<Round> {
  const { load } = bench.cores
  const alone = await runLoad(plan(bench, port, normalRequest, 64, 0), load)
  const peak = alone.requests / alone.seconds
  const highRate = Math.ceil(peak * HIGH_PART)
  const both = async (normalRate: number): Promise<LoadResult[]> => {
    return Promise.all([
      runLoad(plan(bench, port, highRequest, HIGH_CLIENTS, highRate), load),
      runLoad(plan(bench, port, normalRequest, CLIENTS, Math.round(normalRate)), load),
    ])
  }
  const [calm] = await both(peak * (CALM_PART - HIGH_PART))
  const [high, normal] = await both(peak * (TIMES - HIGH_PART))
  return { peak, calm: calm!, high: high!, normal: normal! }
}

function goodput({ high, normal }: Round): number {
  return high.requests / high.seconds + normal.requests / normal.seconds
}

function said(round: Round): string {
  const { peak, calm, high, normal } = round
  const ms = (us: number): string => (us / 1000).toFixed(1)
  return (
    `peak ${peak.toFixed(0)}/s, under overload ${goodput(round).toFixed(0)}/s (${normal.failedStatus} told to come again); ` +
    `class high p99 ${ms(calm.p99Us)} -> ${ms(high.p99Us)} ms, ${high.failedStatus + high.timeouts + high.failedConnections} failed`
  )
}

function factsOf(rounds: readonly Round[]): Fact[] {
  const of = (pick: (round: Round) => number): number => median(rounds.map(pick))
  const facts: [string, number, string][] = [
    ['peakPerSecond', of(({ peak }) => peak), 'answers/s'],
    ['goodputLost', of((round) => 1 - goodput(round) / round.peak), 'of the peak'],
    ['p99CalmUs', of(({ calm }) => calm.p99Us), 'us, class high'],
    ['p99HighUs', of(({ high }) => high.p99Us), 'us, class high'],
    ['p99Ratio', of(({ calm, high }) => high.p99Us / calm.p99Us), 'x'],
    [
      'failedHigh',
      of(({ high }) => high.failedStatus + high.failedConnections + high.timeouts),
      'requests of class high',
    ],
  ]
  return facts.map(([metric, value, unit]) => ({ subject: 'sluice', metric, value, unit }))
}

function plan(
  bench: Bench,
  port: number,
  request: RequestShape,
  connections: number,
  ratePerSecond: number,
): LoadPlan {
  return {
    generator: 'own',
    isSecure: false,
    streams: 1,
    port,
    connections,
    seconds: Math.max(bench.seconds, bench.warmSeconds),
    requests: [request],
    isClosing: false,
    ratePerSecond,
  }
}
