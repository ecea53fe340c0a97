// bench/scenarios/steady.ts: the scenarios that are one steady load on several subjects. Each line of the issue's
// table that compares with a peer is one of them.

import { smallRequest } from '../load/contract.ts'
import type { PairedScenario, Subject } from '../paired.ts'
import { runPaired } from '../paired.ts'
import { routeRequests } from '../peers/sluice-config.ts'
import type { Bench, Scenario } from './contract.ts'

export const sluiceNode: Subject = { name: 'sluice', peer: 'sluice', options: {} }
export const sluiceUws: Subject = { name: 'sluice-uws', peer: 'sluice', options: { engine: 'uws' } }

type PlanBase = PairedScenario['plan']

export const basePlan: PlanBase = {
  connections: 64,
  requests: [smallRequest],
  isClosing: false,
  ratePerSecond: 0,
}

export function rivalsOf(bench: Bench): Subject[] {
  return bench.rivals.map((name) => ({ name, peer: name, options: {} }))
}

export function steady(
  name: string,
  summary: string,
  build: (bench: Bench) => Pick<PairedScenario, 'subjects' | 'plan'> & Partial<PairedScenario>,
): Scenario {
  return {
    name,
    summary,
    build: (bench) => ({ name, summary, ...build(bench) }),
    run: (bench) => runPaired(bench, { name, summary, ...build(bench) }),
  }
}

export const small = steady('small', 'Answers of 101 bytes, 64 kept connections', (bench) => ({
  subjects: [sluiceNode, sluiceUws, ...rivalsOf(bench)],
  plan: basePlan,
}))

export const coalesce = steady(
  'coalesce',
  'The same with upstream requests coalesced',
  (bench) => ({
    subjects: [
      { name: 'sluice-coalesce', peer: 'sluice', options: { isCoalescing: true } },
      ...rivalsOf(bench),
    ],
    plan: basePlan,
  }),
)

export const crowd = steady('crowd', 'Answers of 101 bytes, 512 kept connections', (bench) => ({
  subjects: [sluiceNode, sluiceUws, ...rivalsOf(bench)],
  plan: { ...basePlan, connections: 512 },
}))

export const response64k = steady('response-64k', 'Answers of 64 KiB', (bench) => ({
  subjects: [sluiceNode, sluiceUws, ...rivalsOf(bench)],
  plan: { ...basePlan, requests: [{ ...smallRequest, path: '/64k' }] },
}))

export const response10m = steady('response-10m', 'Answers of 10 MiB', (bench) => ({
  subjects: [sluiceNode, sluiceUws, ...rivalsOf(bench)],
  plan: { ...basePlan, connections: 8, requests: [{ ...smallRequest, path: '/10m' }] },
}))

export const post64k = steady('post-64k', 'Uploads of 64 KiB', (bench) => ({
  subjects: [sluiceNode, sluiceUws, ...rivalsOf(bench)],
  plan: { ...basePlan, requests: [{ ...smallRequest, method: 'POST', bodyBytes: 65_536 }] },
  origin: 'uploads',
}))

export const connect = steady('connect', 'A new connection for every request', (bench) => ({
  subjects: [sluiceNode, sluiceUws, ...rivalsOf(bench)],
  plan: { ...basePlan, isClosing: true },
}))

// The floor has no middlewares, so it is left out: being compared with nothing teaches nothing.
export const middlewares = steady(
  'middlewares',
  'Four middlewares: an address list, a stripped prefix, request and response headers',
  (bench) => ({
    subjects: [sluiceNode, ...rivalsOf(bench).filter((rival) => rival.peer !== 'floor')].map(
      (subject) => ({ ...subject, options: { hasMiddlewares: true } }),
    ),
    plan: { ...basePlan, requests: [{ ...smallRequest, path: '/api/small' }] },
  }),
)

const ROUTE_REQUESTS = 500 // different ones, for each table

function routesSubject(routes: number): Subject {
  return {
    name: `sluice-${routes}`,
    peer: 'sluice',
    options: { routes },
    plan: { requests: routeRequests(routes, ROUTE_REQUESTS) },
  }
}

export const routes = steady(
  'routes',
  '10, 1,000 and 10,000 routes: Host + PathPrefix, a tenth regular expressions',
  () => ({ subjects: [10, 1000, 10_000].map(routesSubject), plan: basePlan }),
)

// autocannon is a client that we did not write: it finds what our own generator forgives.
export const autocannon = steady(
  'autocannon',
  'Answers of 101 bytes, asked by autocannon',
  (bench) => ({
    subjects: [sluiceNode, ...rivalsOf(bench).slice(0, 1)],
    plan: { ...basePlan, generator: 'autocannon' },
  }),
)
