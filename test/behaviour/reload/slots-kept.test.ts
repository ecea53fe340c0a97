// Everything of a generation that has records in the shared table keeps them when another generation follows that does
// not touch it, and lets go of them when it is gone.

import { expect, test } from 'vitest'
import { emptyGeneration } from '../../../config/generation.ts'
import { SLOT_TABLE_BYTES, SlotTable } from '../../../core/shared/slot-table.ts'
import { Rollouts } from '../../../workers/rollouts.ts'
import type { Keys } from '../../support/gateway.ts'
import { adopt, generationOf, newContext } from '../../support/live.ts'

const server = { servers: [{ url: 'http://127.0.0.1:1' }] }
const RECORDS =
  1 +
  3 + // a server, and the times of its 40 failures
  2 * 6 + // the breaker of a router, and of a service
  1 + // a rollout
  1 // a cache

const holding = {
  routers: {
    broken: { rule: 'Path(`/a`)', service: 'noted', middlewares: ['breaker', 'cached'] },
    rolling: { rule: 'Path(`/b`)', service: 'rolled' },
  },
  middlewares: {
    breaker: { circuitBreaker: { expression: 'NetworkErrorRatio() > 0.5' } },
    cached: { httpCache: {} },
  },
  services: {
    noted: {
      loadBalancer: {
        ...server,
        passiveHealthCheck: { maxFailedAttempts: 40 },
      },
      middlewares: ['breaker'],
    },
    fresh: { loadBalancer: server },
    rolled: {
      weighted: {
        services: [{ name: 'noted' }, { name: 'fresh' }],
        rollout: { to: 'fresh', steps: [10, 50] },
      },
    },
  },
} as const

function routesOf(number: number, has: boolean): Keys {
  const other = { rule: `Path(\`/${number}\`)`, service: 'plain' }
  const { routers, middlewares, services } = has
    ? holding
    : { routers: {}, middlewares: undefined, services: {} }
  return {
    http: {
      routers: { ...routers, other },
      services: { ...services, plain: { loadBalancer: server } },
      ...(middlewares && { middlewares }),
    },
  }
}

test('records of what a reload leaves alone stay, and those of what it removes are given back', () => {
  const context = newContext()
  const { states } = context.services.shared
  let from = emptyGeneration()
  const go = (number: number, has: boolean): void => {
    const to = generationOf(routesOf(number, has), number)
    adopt(context, from, to)
    from = to
  }
  go(1, true)
  expect(states.used).toBe(RECORDS)
  for (let number = 2; number <= 5; number++) {
    go(number, true)
    expect(states.sweep(number, number + 1)).toBe(0)
  }
  go(6, false)
  expect(states.sweep(5, 7)).toBe(0)
  expect(states.sweep(6, 7)).toBe(RECORDS)
  expect(states.used).toBe(0)
})

const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore }
function ignore(): void {}

test('a rollout that goes on keeps its record in the supervisor too', () => {
  const table = new SlotTable(new SharedArrayBuffer(SLOT_TABLE_BYTES))
  const rollouts = new Rollouts(table, silent)
  for (let number = 1; number <= 3; number++) {
    rollouts.use(generationOf(routesOf(number, true), number))
    expect(table.sweep(number, number + 1)).toBe(0)
    expect(table.used).toBe(1)
  }
  rollouts.use(generationOf(routesOf(4, false), 4))
  expect(table.sweep(4, 5)).toBe(1)
  rollouts.stop()
})
