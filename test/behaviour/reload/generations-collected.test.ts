// What a reload leaves behind in a worker: nothing, whatever middlewares keep of what they were given.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test, vi } from 'vitest'
import { emptyGeneration } from '../../../config/generation.ts'
import type { MiddlewareContext } from '../../../core/middleware/contract.ts'
import type { LiveGeneration } from '../../../workers/live-generation.ts'
import type { Keys } from '../../support/gateway.ts'
import { adopt, generationOf, newContext } from '../../support/live.ts'

// Every middleware keeps its whole context here, as one that reads the clock later does.
vi.mock(import('../../../core/middleware/build.ts'), async (original) => {
  const { buildMiddleware, ...others } = await original()
  const keeping = (plan: Parameters<typeof buildMiddleware>[0], context: MiddlewareContext) =>
    Object.assign(buildMiddleware(plan, context), { kept: context })
  return { ...others, buildMiddleware: keeping }
})

const GENERATIONS = 50
const ALIVE_MAX = 2 // the one that serves, and at the most the one before

// One router whose middleware is another each time, and one that never changes.
function routesOf(number: number): Keys {
  return {
    http: {
      routers: {
        changing: { rule: 'Path(`/a`)', service: 'origin', middlewares: ['numbered'] },
        steady: { rule: 'Path(`/b`)', service: 'origin', middlewares: ['same'] },
      },
      middlewares: {
        numbered: { addPrefix: { prefix: `/${number}` } },
        same: { addPrefix: { prefix: '/same' } },
      },
      services: { origin: { loadBalancer: { servers: [{ url: 'http://127.0.0.1:1' }] } } },
    },
  }
}

function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}

test('a worker that goes on to another generation lets go of the ones before', async () => {
  const context = newContext()
  const seen: WeakRef<LiveGeneration>[] = []
  let from = emptyGeneration()
  for (let number = 1; number <= GENERATIONS; number++) {
    const to = generationOf(routesOf(number), number)
    seen.push(new WeakRef(adopt(context, from, to)))
    from = to
  }
  expect(context.generation.number).toBe(GENERATIONS)
  // A WeakRef that was made or read in this turn holds what it points to until the turn is over.
  await new Promise((resolve) => setImmediate(resolve))
  collector()()
  await new Promise((resolve) => setImmediate(resolve))
  const alive = seen.filter((reference) => reference.deref() !== undefined)
  expect(alive.length).toBeLessThanOrEqual(ALIVE_MAX)
  expect(seen.at(-1)!.deref()).toBe(context.generation)
})
