// What a reload leaves behind in a worker: nothing, whatever middlewares keep of what they were given.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test, vi } from 'vitest'
import { compile } from '../../../config/compile.ts'
import { diffGenerations } from '../../../config/diff.ts'
import { factsOf } from '../../../config/facts.ts'
import { emptyGeneration, type Generation } from '../../../config/generation.ts'
import { parseLocated } from '../../../config/located.ts'
import { loadStatic } from '../../../config/sources.ts'
import type { MiddlewareContext } from '../../../core/middleware/contract.ts'
import { controlBytes, GENERATION } from '../../../core/shared/control.ts'
import { SERIES_BYTES } from '../../../core/shared/series.ts'
import { workerPlanOf } from '../../../cli/worker-plan.ts'
import { WorkerContext } from '../../../workers/context.ts'
import { GenerationBuilder } from '../../../workers/generation-builder.ts'
import type { LiveGeneration } from '../../../workers/live-generation.ts'
import { slicesOf } from '../../../workers/slices.ts'

// Every middleware keeps its whole context here, as one that reads the clock later does.
vi.mock(import('../../../core/middleware/build.ts'), async (original) => {
  const { buildMiddleware, ...others } = await original()
  const keeping = (plan: Parameters<typeof buildMiddleware>[0], context: MiddlewareContext) =>
    Object.assign(buildMiddleware(plan, context), { kept: context })
  return { ...others, buildMiddleware: keeping }
})

const GENERATIONS = 50
const ALIVE_MAX = 2 // the one that serves, and at the most the one before

const { config } = loadStatic({
  argv: ['--entryPoints.web.address=:80'],
  env: {},
  cwd: '/',
  readFile: () => null,
  cores: 1,
})

// One router whose middleware is another each time, and one that never changes.
function generationOf(number: number): Generation {
  const routes = {
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
  const document = parseLocated(JSON.stringify(routes), 'routes.yml')
  return compile(new Map([['file', [document]]]), factsOf(config), number).generation
}

function newContext(): WorkerContext {
  const plan = {
    ...workerPlanOf(config, '/nowhere.sock'),
    index: 0,
    control: new SharedArrayBuffer(controlBytes(1)),
    series: new SharedArrayBuffer(SERIES_BYTES),
  }
  return new WorkerContext(plan, () => {})
}

function adopt(context: WorkerContext, from: Generation, to: Generation): LiveGeneration {
  const before = from.number === 0 ? null : context.generation
  const builder = new GenerationBuilder(context, before, to.number)
  for (const slice of slicesOf(diffGenerations(from, to))) builder.apply(slice)
  while (!builder.finishStep(100)) continue
  context.prepared = builder.next
  Atomics.store(new Int32Array(context.plan.control), GENERATION, to.number)
  context.adopt()
  return context.generation
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
    const to = generationOf(number)
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
