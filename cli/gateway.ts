// cli/gateway.ts: the running gateway: supervisor, control plane, logs and signals put together.
//
// The workers are started first and load their modules while this thread loads the control plane's (control-plane.ts), which
// is as much: 957 ms to the first answer where it was 1,011 (two workers on two cores).
//
// Owner:  main.ts makes one. It ends the process by itself: 0 after a clean shutdown, 1 when it could not start
//         or had to cut exchanges off.

import { mkdtempSync, rmSync } from 'node:fs'
import { constants, setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ControlPlane } from './control-plane.ts'
import { Housekeeping } from './housekeeping.ts'
import { countedSeries } from './counted-series.ts'
import { PidFile } from './pid-file.ts'
import { TlsSecrets } from './tls-secrets.ts'
import { workerPlanOf } from './worker-plan.ts'
import type { Generation } from '../config/generation.ts'
import type { StaticConfig } from '../config/static.ts'
import { prepareUws } from '../workers/downstream/uws/binding.ts'
import { SlotTable } from '../core/shared/slot-table.ts'
import { HealthChecks } from '../workers/health/checks.ts'
import { httpHealthTargets } from '../workers/health/http.ts'
import { HealthOverview } from '../workers/health/overview.ts'
import { Rollouts } from '../workers/rollouts.ts'
import { LogFile } from '../workers/log-file.ts'
import { createLog, type OperationsLogFile } from '../workers/operations-log.ts'
import { Supervisor } from '../workers/supervisor.ts'
import { tcpHealthTargets } from '../workers/tcp/health.ts'

const FAREWELL_MS = 2000 // for logs to be written after the last exchange

export class Gateway {
  private readonly config: StaticConfig
  private readonly log: OperationsLogFile
  private readonly accessLog: LogFile | null
  private readonly supervisor: Supervisor
  private control: ControlPlane | null = null // until its modules are there
  private readonly health: HealthChecks
  private readonly overview: HealthOverview
  private readonly rollouts: Rollouts
  private readonly pidFile: PidFile | null
  private readonly housekeeping = new Housekeeping()
  private readonly secrets = new TlsSecrets(() => this.tellSecrets())
  private served = false // some generation was published
  private lostInWorkers = 0 // access log lines
  private terminated = false
  private readonly version: string
  private readonly directory: string // 0700: the admin socket is nobody else's

  constructor(config: StaticConfig, version: string) {
    this.config = config
    this.version = version
    this.log = createLog(config.log)
    this.directory = mkdtempSync(join(tmpdir(), 'sluice-'))
    this.accessLog = config.accessLog && this.openAccessLog(config.accessLog.filePath)
    this.supervisor = new Supervisor({
      workers: config.workers,
      plan: workerPlanOf(config, this.socketPath),
      log: this.log,
    })
    this.health = new HealthChecks((down) => this.tellHealth(down), this.log)
    this.overview = new HealthOverview(
      this.health,
      new SlotTable(this.supervisor.shared.states),
      () => this.supervisor.generation.services,
    )
    this.rollouts = new Rollouts(new SlotTable(this.supervisor.shared.states), this.log)
    this.pidFile =
      config.upgrade.pidFile === '' ? null : new PidFile(config.upgrade.pidFile, this.log)
  }

  private openAccessLog(path: string): LogFile {
    return new LogFile(path || null, {
      onFault: (message) =>
        this.log.warn(`the access log can't be written, lines wait: ${message}`),
      onRecovery: () => this.log.info('the access log is written again'),
    })
  }

  private get lostLines(): number {
    return this.lostInWorkers + (this.accessLog?.lostLines ?? 0)
  }

  private get socketPath(): string {
    return join(this.directory, 'admin.sock')
  }

  async start(): Promise<void> {
    this.connect()
    this.prepareEngines()
    await this.secrets.generate()
    const series = this.config.metrics?.prometheus ? countedSeries(this.supervisor) : null
    this.supervisor.start()
    const { ControlPlane } = await import('./control-plane.ts')
    if (this.terminated) return
    this.control = new ControlPlane(this.config, this.version, {
      log: this.log,
      supervisor: this.supervisor,
      overview: this.overview,
      rollouts: this.rollouts,
      series,
      lostLines: () => this.lostLines,
      publish: (generation) => this.publish(generation),
    })
    await this.control.start(this.socketPath)
    giveWay()
  }

  private connect(): void {
    const { supervisor } = this
    supervisor.on('listening', () => this.listening())
    supervisor.on('converged', () => this.housekeeping.reloaded())
    supervisor.on('started', (worker) => worker.post({ type: 'health', down: this.health.down }))
    supervisor.on('started', (worker) =>
      worker.post({ type: 'secrets', secrets: this.secrets.plan }),
    )
    supervisor.on('failed', (message) => this.fail(message))
    supervisor.on('log', (lines, count, lost) => {
      this.accessLog?.write(lines, count)
      this.lostInWorkers += lost
    })
    supervisor.on('ended', (clean) => void this.end(clean ? 0 : 1))
    for (const signal of ['SIGTERM', 'SIGINT'] as const) this.takeOver(signal)
    process.on('SIGUSR1', () => this.reopenLogs())
  }

  // From bin/load.mjs. In this order: with no listener at all, a signal that waits to be handled would be lost.
  private takeOver(signal: 'SIGTERM' | 'SIGINT'): void {
    const before = process.listeners(signal)
    process.on(signal, () => this.terminate())
    for (const listener of before) process.off(signal, listener)
  }

  // Before the first worker is started: see prepareUws.
  private prepareEngines(): void {
    const points = Object.values(this.config.entryPoints).filter((p) => p.engine === 'uws')
    if (points.length === 0) return
    prepareUws(Math.max(...points.map((p) => p.transport.limits.headBytesMax)))
  }

  // Two processes serve the ports during an upgrade. A new one that can't read its configuration would
  // answer 404 to its share of the requests, and then send the old one away.
  private publish(generation: Generation): void {
    const { complete } = this.control!.configuration
    const before = complete || this.served ? 0 : (this.pidFile?.predecessor() ?? 0)
    if (before !== 0) {
      this.log.error(`the configuration is not complete: process ${before} goes on, this one ends`)
      return void this.end(1)
    }
    this.served = true
    this.rollouts.use(generation)
    this.supervisor.publish(generation)
    this.health.use([
      ...tcpHealthTargets(generation),
      ...httpHealthTargets(generation, this.overview.forgive),
    ])
    this.control!.issued.compiled()
    if (complete) this.supervisor.completeConfiguration()
  }

  private tellHealth(down: readonly string[]): void {
    for (const worker of this.supervisor.handles)
      if (worker.isAlive) worker.post({ type: 'health', down })
  }

  private tellSecrets(): void {
    for (const worker of this.supervisor.handles)
      if (worker.isAlive) worker.post({ type: 'secrets', secrets: this.secrets.plan })
  }

  private listening(): void {
    const points = Object.entries(this.config.entryPoints).map(
      ([name, p]) => `${name} ${p.address}`,
    )
    this.log.info(`listening: ${points.join(', ')}; ${this.config.workers} workers`)
    this.pidFile?.takeOver()
  }

  // An address that can't be listened on at the start is a mistake of whoever started us.
  private fail(message: string): void {
    this.log.error(`cannot listen: ${message}`)
    void this.end(1)
  }

  private terminate(): void {
    this.terminated = true
    this.health.stop()
    this.rollouts.stop()
    this.secrets.stop()
    this.control?.close()
    this.supervisor.terminate()
  }

  private reopenLogs(): void {
    this.supervisor.flushLogs()
    this.log.reopen()
    this.accessLog?.reopen()
  }

  private async end(code: number): Promise<void> {
    this.pidFile?.leave()
    rmSync(this.directory, { recursive: true, force: true })
    setTimeout(() => process.exit(code), FAREWELL_MS).unref()
    await this.accessLog?.close()
    process.exit(code)
  }
}

// The supervisor compiles large configurations; requests shall not wait for that. On Linux a priority belongs to
// a thread: this lowers the one that calls. Workers that it starts later raise theirs again, where they may
// (workers/worker.ts; LimitNICE in deploy/systemd).
function giveWay(): void {
  try {
    setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // not allowed: then it competes with the workers, no more
  }
}
