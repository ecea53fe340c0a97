// test/support/supervisor.ts: a supervisor with real workers inside the test's own process, so that a test can do
// to a worker what no request can: end it, make it throw, block it.

import { compile } from '../../config/compile.ts'
import { factsOf, type StaticFacts } from '../../config/facts.ts'
import type { Generation } from '../../config/generation.ts'
import { parseLocated } from '../../config/located.ts'
import { loadStatic } from '../../config/sources.ts'
import { Configuration } from '../../cli/configuration.ts'
import { countedSeries } from '../../cli/counted-series.ts'
import { GatewayState } from '../../cli/gateway-state.ts'
import { workerPlanOf } from '../../cli/worker-plan.ts'
import { SlotTable } from '../../core/shared/slot-table.ts'
import { Rollouts } from '../../workers/rollouts.ts'
import { HealthChecks } from '../../workers/health/checks.ts'
import { Supervisor } from '../../workers/supervisor.ts'
import type { WorkerHandle } from '../../workers/worker-handle.ts'
import { type Keys, freePorts } from './gateway.ts'
import { Wait } from './wait.ts'

export interface TestSupervisor {
  readonly port: number
  readonly supervisor: Supervisor
  readonly log: readonly string[]
  generationOf(routes: Keys, number: number): Generation
  worker(index: number): WorkerHandle
  metrics(): Promise<string> // the page
  until(what: string, isThere: () => boolean, withinMs?: number): Promise<void>
  stop(): Promise<void>
}

// `incomplete`: returns once all workers listen, and the configuration is not said to be complete.
export async function startSupervisor(
  workers: number,
  routes: Keys,
  first: 'complete' | 'incomplete' = 'complete',
  entryPoints: Keys = {}, // beside "web"
  more: Keys = {}, // further keys of the static file
): Promise<TestSupervisor> {
  const [port = 0] = await freePorts(1)
  const keys = JSON.stringify({
    workers,
    entryPoints: { web: { address: `127.0.0.1:${port}` }, ...entryPoints },
    metrics: { prometheus: { entryPoint: 'web' } },
    ...more,
  })
  const { config } = loadStatic({
    argv: ['--configFile=/sluice.yml'],
    env: {},
    cwd: '/',
    readFile: () => keys,
    cores: workers,
  })
  const log: string[] = []
  const write = (line: string): number => log.push(line)
  const operations = { debug: write, info: write, warn: write, error: write }
  const supervisor = new Supervisor({
    workers,
    plan: workerPlanOf(config, '/nowhere.sock'),
    log: operations,
  })
  const configuration = new Configuration(config, operations, () => undefined)
  const state = new GatewayState(
    config,
    'test',
    supervisor,
    configuration,
    new HealthChecks(() => undefined, operations),
    new Rollouts(new SlotTable(supervisor.shared.states), operations),
    () => 0,
    countedSeries(supervisor),
  )
  const started = new TestSupervisorOf(port, supervisor, log, factsOf(config), state)
  supervisor.start()
  supervisor.publish(started.generationOf(routes, 1))
  if (first === 'complete') supervisor.completeConfiguration()
  await started.until('all workers to listen', () =>
    first === 'complete' ? supervisor.ready : supervisor.handles.every((h) => h.listening),
  )
  return started
}

class TestSupervisorOf implements TestSupervisor {
  readonly port: number
  readonly supervisor: Supervisor
  readonly log: readonly string[]
  private readonly facts: StaticFacts
  private readonly state: GatewayState
  private readonly wait = new Wait()
  private readonly timer: NodeJS.Timeout

  constructor(
    port: number,
    supervisor: Supervisor,
    log: readonly string[],
    facts: StaticFacts,
    state: GatewayState,
  ) {
    this.state = state
    this.port = port
    this.supervisor = supervisor
    this.log = log
    this.facts = facts
    this.timer = setInterval(() => this.wait.look(), 10)
  }

  generationOf(routes: Keys, number: number): Generation {
    const document = parseLocated(JSON.stringify(routes), 'routes.yml')
    return compile(new Map([['file', [document]]]), this.facts, number).generation
  }

  metrics(): Promise<string> {
    return this.state.metrics!.render()
  }

  worker(index: number): WorkerHandle {
    return this.supervisor.handles[index]!
  }

  until(what: string, isThere: () => boolean, withinMs?: number): Promise<void> {
    return this.wait.until(isThere, () => `${what}; log: ${this.log.join('\n')}`, withinMs)
  }

  async stop(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.supervisor.once('ended', () => resolve()))
    this.supervisor.terminate()
    await ended
    for (const handle of this.supervisor.handles) handle.end('the test is over')
    await this.until('all workers to be gone', () =>
      this.supervisor.handles.every((handle) => !handle.isAlive),
    )
    clearInterval(this.timer)
  }
}
