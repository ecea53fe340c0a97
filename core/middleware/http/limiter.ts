// core/middleware/http/limiter.ts: what rateLimit, distributedRateLimit and quota have in common: they count a source, and
// let a request pass, wait, or be refused with 429.
//
// Hot: yes. A request that passes at once leaves nothing behind; one that waits, or whose response shall tell the limit,
// has a LimitNote among the notes of its exchange, which is cancelled when the client leaves.

import { LIMIT_STORE, RATE_LIMITED } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { durationText, secondsText } from '../../rate/duration-text.ts'
import { LimitHeaders } from '../../rate/headers.ts'
import type { HeaderOptions } from '../../rate/headers.ts'
import type { Limit } from '../../rate/limit.ts'
import { Source } from '../../rate/source.ts'
import type { SourceCriterionOptions } from '../../rate/source.ts'
import type {
  LimitStore,
  StoreAsk,
  StoreDecision,
  StorePlan,
  StoreWaiter,
} from '../../rate/store.ts'
import { ANSWERED, KEEP, NEXT, RequestMiddleware, WAIT } from '../contract.ts'
import type { MiddlewareContext, ResponseVerdict, Verdict } from '../contract.ts'
import { refuseWith } from '../refuse.ts'
import type { Cancel, Counter, WorkerServices } from '../worker.ts'

export type OnStoreError = 'allow' | 'deny' | 'local'

export interface SharedLimit {
  readonly plan: StorePlan
  readonly ask: StoreAsk
  readonly onStoreError: OnStoreError
}

export interface LimiterOptions extends HeaderOptions {
  readonly sourceCriterion?: SourceCriterionOptions | null | undefined
}

export const LIMIT_DECISIONS = 'sluice_limit_decisions_total'

interface Counters {
  readonly allowed: Counter
  readonly uncounted: Counter // allowed, because the count could not be had
  readonly delayed: Counter
  readonly limited: Counter
  readonly failed: Counter
}

export abstract class Limiter extends RequestMiddleware {
  override readonly hasResponse: boolean
  override readonly hasFinish: boolean
  readonly worker: WorkerServices
  protected readonly limit: Limit | null // null: everything passes
  private readonly source: Source
  private readonly headers: LimitHeaders | null
  private readonly shared: SharedLimit | null
  private readonly store: LimitStore | null
  private readonly counters: Counters

  constructor(
    name: string,
    kind: string,
    options: LimiterOptions,
    limit: Limit | null,
    shared: SharedLimit | null,
    context: MiddlewareContext,
  ) {
    super(name)
    this.worker = context.worker
    this.limit = limit
    this.source = new Source(options.sourceCriterion, 'ip')
    const headers = new LimitHeaders(options, name, limit?.quota ?? 0, limit?.windowSeconds ?? 0)
    this.headers = limit !== null && headers.isOn ? headers : null
    this.shared = limit === null ? null : shared
    this.store = this.shared === null ? null : context.worker.limitStore(this.shared.plan)
    this.hasResponse = this.headers !== null
    this.hasFinish = this.store !== null || (limit?.maxDelayMs ?? 0) > 0
    this.counters = countersOf(context.worker, name, kind)
  }

  onRequest(exchange: Exchange): Verdict {
    const { limit } = this
    if (limit === null) return NEXT
    const source = this.source.of(exchange)
    if (this.store !== null) return this.askStore(exchange, source)
    return this.takeHere(exchange, null, limit, source)
  }

  // Of the count of this host.
  private takeHere(
    exchange: Exchange,
    note: LimitNote | null,
    limit: Limit,
    source: string,
  ): Verdict {
    const wait = limit.take(source, this.worker.preciseNow())
    const passed = limit.isCounted ? this.counters.allowed : this.counters.uncounted
    return this.settle(exchange, note, wait, limit.remaining, limit.resetMs, passed)
  }

  private askStore(exchange: Exchange, source: string): Verdict {
    const note = this.noteOf(exchange, source)
    const decision = this.store!.take(this.shared!.ask, source, note)
    return decision === null ? WAIT : this.decide(exchange, note, decision)
  }

  // What a store has said, or has failed to say.
  decide(exchange: Exchange, note: LimitNote, decision: StoreDecision): Verdict {
    const { limit, shared } = this
    const { failed, waitMs, remaining, resetMs } = decision
    if (!failed)
      return this.settle(exchange, note, waitMs, remaining, resetMs, this.counters.allowed)
    this.counters.failed.add(1)
    if (shared!.onStoreError === 'allow') return NEXT
    if (shared!.onStoreError === 'deny') return refuseWith(exchange, LIMIT_STORE, 0)
    return this.takeHere(exchange, note, limit!, note.source)
  }

  private settle(
    exchange: Exchange,
    note: LimitNote | null,
    waitMs: number,
    remaining: number,
    resetMs: number,
    passed: Counter,
  ): Verdict {
    if (this.headers !== null) note ??= this.noteOf(exchange, '')
    note?.decided(remaining, resetMs)
    if (waitMs === 0) {
      passed.add(1)
      return NEXT
    }
    if (waitMs > this.limit!.maxDelayMs) return this.refuse(exchange, waitMs)
    this.counters.delayed.add(1)
    note ??= this.noteOf(exchange, '')
    note.hold(waitMs)
    return WAIT
  }

  private noteOf(exchange: Exchange, source: string): LimitNote {
    const note = new LimitNote(this, exchange, source)
    exchange.notes ??= new Map()
    exchange.notes.set(this, note)
    return note
  }

  private refuse(exchange: Exchange, waitMs: number): Verdict {
    this.counters.limited.add(1)
    const verdict = refuseWith(exchange, RATE_LIMITED, 0)
    exchange.response.add('Retry-After', secondsText(waitMs))
    exchange.response.add('X-Retry-In', durationText(waitMs).replace('µ', 'u')) // a header is ASCII
    return verdict
  }

  override onResponse(exchange: Exchange): ResponseVerdict {
    const note = exchange.notes?.get(this)
    if (note instanceof LimitNote && note.isDecided)
      this.headers?.write(exchange.response, note.remaining, note.resetMs)
    return KEEP
  }

  override onFinish(exchange: Exchange): void {
    const note = exchange.notes?.get(this)
    if (!(note instanceof LimitNote)) return
    exchange.notes!.delete(this)
    note.cancel()
  }

  explain(exchange: Exchange): string {
    const { limit } = this
    if (limit === null) return 'Limits nothing: average is 0.'
    const source = this.source.of(exchange)
    limit.look(source, this.worker.preciseNow())
    const counted = limit.quota - limit.remaining + 1
    const where = this.store === null ? '' : ' Counted in Redis; what is there is not asked.'
    if (limit.remaining === 0)
      return `Has no room left in ${limit.describe()} for "${source}".${where}`
    return `Would be the ${ordinal(counted)} of ${limit.describe()} for "${source}".${where}`
  }
}

// One request: what was decided for it, and its wait for a store's answer or for its turn.
export class LimitNote implements StoreWaiter {
  readonly source: string
  isDecided = false
  remaining = 0
  resetMs = 0
  private exchange: Exchange | null
  private readonly limiter: Limiter
  private readonly serial: number
  private timer: Cancel | null = null

  constructor(limiter: Limiter, exchange: Exchange, source: string) {
    this.limiter = limiter
    this.exchange = exchange
    this.serial = exchange.serial
    this.source = source
  }

  decided(remaining: number, resetMs: number): void {
    this.isDecided = true
    this.remaining = remaining
    this.resetMs = resetMs
  }

  onDecision(decision: StoreDecision): void {
    const { exchange, limiter, serial } = this
    if (exchange === null || exchange.serial !== serial) return
    const verdict = limiter.decide(exchange, this, decision)
    if (verdict === NEXT || verdict === ANSWERED) limiter.worker.wake(exchange, serial, verdict)
  }

  hold(ms: number): void {
    const { exchange, limiter, serial } = this
    this.timer = limiter.worker.after(ms, () => {
      this.timer = null
      if (exchange !== null) limiter.worker.wake(exchange, serial, NEXT)
    })
  }

  cancel(): void {
    this.exchange = null
    this.timer?.()
    this.timer = null
  }
}

function countersOf(worker: WorkerServices, middleware: string, kind: string): Counters {
  const counter = (decision: string): Counter =>
    worker.counter(LIMIT_DECISIONS, { middleware, kind, decision })
  return {
    allowed: counter('allowed'),
    uncounted: counter('uncounted'),
    delayed: counter('delayed'),
    limited: counter('limited'),
    failed: counter('store_error'),
  }
}

function ordinal(n: number): string {
  const ends = ['th', 'st', 'nd', 'rd']
  const end = n % 100 >= 11 && n % 100 <= 13 ? 'th' : (ends[n % 10] ?? 'th')
  return `${n}${end}`
}
