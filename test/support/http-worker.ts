// test/support/http-worker.ts: the HTTP half of one worker without its thread, with middlewares that a test writes: what
// middlewares are promised can be tried without one that needs it.

import { emptyGeneration } from '../../config/generation.ts'
import type { Middleware } from '../../core/middleware/contract.ts'
import type { WorkerContext } from '../../workers/context.ts'
import { Listener } from '../../workers/downstream/node/listener.ts'
import { EntryPoint } from '../../workers/entry-point.ts'
import * as pipeline from '../../workers/pipeline.ts'
import { type Keys, freePorts, routesTo } from './gateway.ts'
import { adopt, generationOf, newContext } from './live.ts'

export interface HttpWorker {
  readonly port: number
  readonly context: WorkerContext
  use(middlewares: readonly Middleware[]): void // of the one router, from the next request on
  stop(): void
}

export async function startHttpWorker(
  urls: readonly string[],
  transport: Keys = {},
): Promise<HttpWorker> {
  const [port = 0] = await freePorts(1)
  const context = newContext()
  const plan = { ...context.plan.entryPoints[0]!, host: '127.0.0.1', port }
  pipeline.install(context)
  const empty = emptyGeneration()
  const generation = adopt(context, empty, generationOf(routesTo(urls, transport), 1))
  const listener = new Listener(new EntryPoint(plan, 0, context))
  await listener.listen()
  context.sweeper.start()
  const router = generation.routers.get('all@file')!
  return {
    port,
    context,
    use: (middlewares) =>
      Object.assign(router, {
        middlewares,
        hasResponse: middlewares.some((m) => m.hasResponse),
        hasFinish: middlewares.some((m) => m.hasFinish),
      }),
    stop: () => {
      context.sweeper.stop()
      listener.close()
    },
  }
}
