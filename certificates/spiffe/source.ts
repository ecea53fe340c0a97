// certificates/spiffe/source.ts: the identity of this gateway by the SPIFFE Workload API, kept fresh.
//
// Owner:  the gateway, where spiffe.workloadAPIAddr is set. Hot: no; all of it runs in the supervisor.
//
// An agent sends a new response whenever something changes, long before an SVID ends. When the stream ends it is asked
// again, after 1 s and up to 30 s, and what it said before stays in use until the SVID ends. Then there is none, and
// transports that need one fail closed.

import type { SpiffeIdentity, SpiffeStatus, WorkloadAddress } from '../../config/spiffe.ts'
import { timerMs } from '../../core/timer-ms.ts'
import type { ManagerLog } from '../manager/resolver.ts'
import { SvidStream } from './stream.ts'
import { SvidError, readSvidResponse } from './svid.ts'

export interface SourceOptions {
  readonly address: WorkloadAddress
  readonly log: ManagerLog
  readonly onChange: (identity: SpiffeIdentity | null) => void
  readonly now?: () => number
  readonly chance?: () => number
  readonly retryFirstMs?: number
}

const RETRY_FIRST_MS = 1000
const RETRY_MAX_MS = 30_000

export class SpiffeSource {
  private readonly options: SourceOptions
  private stream: SvidStream | null = null
  private identity: SpiffeIdentity | null = null
  private failures = 0
  private lastError = ''
  private retry: NodeJS.Timeout | undefined
  private expiry: NodeJS.Timeout | undefined
  private closed = false
  private firstWaiters: (() => void)[] = []

  constructor(options: SourceOptions) {
    this.options = options
  }

  get status(): SpiffeStatus {
    const { identity, lastError } = this
    return {
      state: identity === null ? 'waiting' : lastError === '' ? 'current' : 'disconnected',
      id: identity?.id ?? '',
      notAfter: identity?.notAfter ?? 0,
      trustDomains: identity?.bundles.map(({ trustDomain }) => trustDomain) ?? [],
      lastError,
    }
  }

  start(): void {
    this.stream = new SvidStream(this.options.address, {
      onMessage: (message) => this.take(message),
      onEnd: (reason) => this.ended(reason),
    })
  }

  // Done when the first identity is there, or the time is over: a start does not wait for an agent without end.
  async first(withinMs: number): Promise<void> {
    if (this.identity !== null) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timerMs(withinMs))
      this.firstWaiters.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  close(): void {
    this.closed = true
    clearTimeout(this.retry)
    clearTimeout(this.expiry)
    this.stream?.close()
    this.wakeFirst()
  }

  private get now(): number {
    return (this.options.now ?? Date.now)()
  }

  private take(message: Buffer): void {
    const { log } = this.options
    let identity: SpiffeIdentity
    try {
      identity = readSvidResponse(message, this.now)
    } catch (fault) {
      if (!(fault instanceof SvidError)) throw fault
      this.lastError = fault.message
      log.error(`SPIFFE: ${fault.message}; ${this.kept()}`)
      return
    }
    this.failures = 0
    this.lastError = ''
    log.info(`SPIFFE: ${identity.id} until ${new Date(identity.notAfter).toISOString()}`)
    this.use(identity)
    this.wakeFirst()
  }

  private kept(): string {
    return this.identity === null
      ? 'transports with spiffe are not usable'
      : 'the SVID before it stays'
  }

  private use(identity: SpiffeIdentity | null): void {
    this.identity = identity
    clearTimeout(this.expiry)
    if (identity !== null) this.expireLater(identity)
    this.options.onChange(identity)
  }

  private expireLater(identity: SpiffeIdentity): void {
    const left = identity.notAfter - this.now
    this.expiry = setTimeout(
      () => {
        if (identity.notAfter > this.now) return this.expireLater(identity)
        this.options.log.error(
          `SPIFFE: the SVID of ${identity.id} has ended, and none came after it`,
        )
        this.use(null)
      },
      timerMs(Math.max(left, 0) + 1),
    ).unref()
  }

  private ended(reason: string): void {
    if (this.closed) return
    this.stream = null
    const { log, chance = Math.random, retryFirstMs = RETRY_FIRST_MS } = this.options
    const longest = Math.min(RETRY_MAX_MS, retryFirstMs * 2 ** Math.min(this.failures, 10))
    const pauseMs = longest * (0.5 + chance() / 2)
    this.failures++
    if (reason !== this.lastError) log.warn(`SPIFFE: the Workload API: ${reason}; ${this.kept()}`)
    this.lastError = reason
    this.retry = setTimeout(() => this.start(), timerMs(pauseMs)).unref()
  }

  private wakeFirst(): void {
    for (const wake of this.firstWaiters.splice(0)) wake()
  }
}
