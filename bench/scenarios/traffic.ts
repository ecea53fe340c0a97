// bench/scenarios/traffic.ts: what traffic management costs: five middlewares that most routes have, and a cache hit.

import { smallRequest } from '../load/contract.ts'
import { type Subject, runPaired } from '../paired.ts'
import { metricOf } from '../ratio.ts'
import { median } from '../statistics.ts'
import type { Bench, Outcome, Scenario } from './contract.ts'
import { basePlan, steady } from './steady.ts'

// In one process: two of them differ by more than five middlewares cost, for as long as they live.
const none: Subject = {
  name: 'sluice',
  peer: 'sluice',
  options: { traffic: 'five' },
  plan: { requests: [{ ...smallRequest, path: '/small' }] },
}

const five: Subject = {
  ...none,
  name: 'sluice-five',
  plan: { requests: [{ ...smallRequest, path: '/api/small' }] },
  sharesProcessOf: none.name,
}

const fiveOn = {
  name: 'five-middlewares',
  summary: 'headers, stripPrefix, ipAllowList, rateLimit and compress, against none',
  subjects: [none, five],
  plan: basePlan,
}

// What the five cost together: the difference pair by pair, in microseconds of CPU.
export const fiveMiddlewares: Scenario = {
  name: fiveOn.name,
  summary: fiveOn.summary,
  build: () => fiveOn,
  run: async (bench: Bench): Promise<Outcome> => {
    const outcome = await runPaired(bench, fiveOn)
    const plain = metricOf(outcome, 'sluice', 'cpuUs')
    const more = metricOf(outcome, five.name, 'cpuUs').map((value, at) => value - plain[at]!)
    const fact = { subject: five.name, metric: 'extraCpuUs', value: median(more), unit: 'us' }
    return { ...outcome, facts: [fact] }
  },
}

const cacheable = { requests: [{ ...smallRequest, path: '/cacheable' }] }

export const cacheHit = steady('cache-hit', 'Answers of 101 bytes from the cache', (bench) => ({
  subjects: [
    { name: 'sluice-cache', peer: 'sluice', options: { traffic: 'cache' } },
    { name: 'sluice', peer: 'sluice', options: {} },
    ...(bench.rivals.includes('nginx')
      ? [{ name: 'nginx', peer: 'nginx', options: { traffic: 'cache' as const } }]
      : []),
  ],
  plan: { ...basePlan, ...cacheable },
}))
