// test/support/live.ts: the inside of one worker without its thread: generations are built and adopted by hand.

import { workerPlanOf } from '../../cli/worker-plan.ts'
import { compile } from '../../config/compile.ts'
import { diffGenerations } from '../../config/diff.ts'
import { factsOf } from '../../config/facts.ts'
import type { Generation } from '../../config/generation.ts'
import { parseLocated } from '../../config/located.ts'
import { loadStatic } from '../../config/sources.ts'
import { GENERATION, controlBytes } from '../../core/shared/control.ts'
import { SERIES_BYTES } from '../../core/shared/series.ts'
import { WorkerContext } from '../../workers/context.ts'
import { GenerationBuilder } from '../../workers/generation-builder.ts'
import type { LiveGeneration } from '../../workers/live-generation.ts'
import { newSharedMemory } from '../../workers/shared-memory.ts'
import type { FromWorker, WorkerPlan } from '../../workers/messages.ts'
import { slicesOf } from '../../workers/slices.ts'
import type { Keys } from './gateway.ts'

const { config } = loadStatic({
  argv: ['--entryPoints.web.address=:80'],
  env: {},
  cwd: '/',
  readFile: () => null,
  cores: 1,
})

export function newContext(
  post: (message: FromWorker) => void = () => {},
  over: Partial<WorkerPlan> = {},
): WorkerContext {
  const plan = {
    ...workerPlanOf(config, '/nowhere.sock'),
    index: 0,
    control: new SharedArrayBuffer(controlBytes(1)),
    series: new SharedArrayBuffer(SERIES_BYTES),
    workers: 1,
    shared: newSharedMemory((over.index ?? 0) + 1),
    ...over,
  }
  return new WorkerContext(plan, post)
}

export function generationOf(routes: Keys, number: number): Generation {
  const document = parseLocated(JSON.stringify(routes), 'routes.yml')
  return compile(new Map([['file', [document]]]), factsOf(config), number).generation
}

// The builder of the way from one generation to another, all slices applied.
export function builderOf(
  context: WorkerContext,
  from: Generation,
  to: Generation,
): GenerationBuilder {
  const before = from.number === 0 ? null : context.generation
  const builder = new GenerationBuilder(context, before, to.number)
  for (const slice of slicesOf(diffGenerations(from, to))) builder.apply(slice)
  return builder
}

export function adopt(context: WorkerContext, from: Generation, to: Generation): LiveGeneration {
  const builder = builderOf(context, from, to)
  while (!builder.finishStep(100)) continue
  context.prepare(builder.next)
  Atomics.store(new Int32Array(context.plan.control), GENERATION, to.number)
  context.adopt()
  return context.generation
}
