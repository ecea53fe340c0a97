// workers/store/limit-store.ts: asks Redis for decisions, and keeps a Redis that is away, or slow, from holding requests.
//
// Owner:  the worker, one per configured store. Hot: no; a question to Redis is a round trip and some objects.
//
// Questions wait for the first connection. One that is not answered in time fails, and with it all that wait; link.ts then
// says when Redis is asked again.

import { UNDECIDED } from '../../core/rate/store.ts'
import type {
  LimitStore,
  StoreAsk,
  StoreDecision,
  StorePlan,
  StoreWaiter,
} from '../../core/rate/store.ts'
import { whenDue } from '../due.ts'
import { COMMANDS_MAX, type StoreClient } from './client.ts'
import { Known, KnownTable } from './known.ts'
import { type LinkUser, StoreLink } from './link.ts'

// One question: for one request, or for the permits of a source that several wait for.
interface Question {
  readonly ask: StoreAsk
  readonly key: string // in Redis
  readonly local: string // in the table of what is known
  readonly known: Known | null
  readonly waiter: StoreWaiter | null
  readonly deadline: number
}

export class RedisLimitStore implements LimitStore, LinkUser {
  private readonly plan: StorePlan
  private readonly link: StoreLink
  private readonly known = new KnownTable()
  private readonly asked = new Set<Question>() // in the order of their deadlines
  private timer: NodeJS.Timeout | null = null // of the first deadline

  // `say` writes a warning.
  constructor(plan: StorePlan, say: (message: string) => void) {
    this.plan = plan
    this.link = new StoreLink(plan, false, this, say)
  }

  take(ask: StoreAsk, source: string, waiter: StoreWaiter): StoreDecision | null {
    const now = performance.now()
    const key = ask.prefix + source
    const local = localKey(ask, key)
    const known = this.known.get(local, now)
    if (known !== undefined) {
      const decision = known.decide(ask, now)
      if (decision !== null) return decision
      if (known.waiters !== null) return known.join(waiter)
    }
    if (!this.link.mayAsk(now) || this.asked.size >= COMMANDS_MAX) return UNDECIDED
    const deadline = now + this.plan.timeoutMs
    if (ask.lease <= 1) this.put({ ask, key, local, known: null, waiter, deadline })
    else {
      const leased = known ?? this.known.add(local)
      leased.waiters = [waiter]
      this.put({ ask, key, local, known: leased, waiter: null, deadline })
    }
    return null
  }

  private put(question: Question): void {
    this.asked.add(question)
    if (this.timer === null) this.armTimer(this.plan.timeoutMs)
    const { client } = this.link
    if (client !== null) this.send(client, question)
  }

  private send(client: StoreClient, question: Question): void {
    const { ask, key, known } = question
    const wanted = known === null ? 1 : Math.max(ask.lease, known.waiters!.length)
    client.run(ask.script, key, [...ask.parameters, String(wanted)]).then(
      (reply) => this.answered(question, reply),
      (fault: unknown) => this.failed(question, fault),
    )
  }

  // ---- answers

  private answered(question: Question, reply: unknown): void {
    if (!this.asked.delete(question)) return // too late: it has failed
    const numbers = Array.isArray(reply) ? reply.map(Number) : []
    if (numbers.length !== 4 || numbers.some((n) => !Number.isFinite(n))) {
      this.link.complain('an answer that is none of ours')
      return this.giveUp(question)
    }
    this.link.answered()
    const [given = 0, waitMicros = 0, remaining = 0, resetMs = 0] = numbers
    const now = performance.now()
    const waitMs = waitMicros / 1000
    if (question.known === null) {
      if (given === 0) this.noteRefusal(question.local, waitMs, remaining, resetMs, now)
      else this.known.forgive(question.local)
      question.waiter!.onDecision({ failed: false, waitMs, remaining, resetMs })
      return
    }
    this.share(question, question.known, given, waitMs, remaining, resetMs, now)
  }

  private noteRefusal(
    local: string,
    waitMs: number,
    remaining: number,
    resetMs: number,
    now: number,
  ): void {
    const known = this.known.get(local, now) ?? this.known.add(local)
    known.refused(waitMs, now)
    known.remaining = remaining
    known.resetAt = now + resetMs
  }

  // Permits go to those who wait, in their order; the rest is kept for who comes within leaseMs.
  private share(
    question: Question,
    known: Known,
    given: number,
    waitMs: number,
    remaining: number,
    resetMs: number,
    now: number,
  ): void {
    const waiters = known.waiters ?? []
    known.waiters = null
    known.remaining = remaining
    known.resetAt = now + resetMs
    known.permits = given
    known.permitsUntil = now + question.ask.leaseMs
    known.refused(given === 0 ? waitMs : 0, now)
    const served = given === 0 ? waiters.length : Math.min(given, waiters.length)
    known.permits = Math.max(0, given - served)
    const decision = known.decision(waitMs, now)
    for (const waiter of waiters.slice(0, served)) waiter.onDecision(decision)
    const rest = waiters.slice(served)
    if (rest.length === 0) return
    known.waiters = rest
    this.put({ ...question, deadline: now + this.plan.timeoutMs })
  }

  private failed(question: Question, fault: unknown): void {
    if (!this.asked.delete(question)) return
    this.link.failed(fault)
    this.giveUp(question)
  }

  private giveUp({ known, waiter }: Question): void {
    waiter?.onDecision(UNDECIDED)
    const waiters = known?.waiters ?? []
    if (known !== null) known.waiters = null
    for (const one of waiters) one.onDecision(UNDECIDED)
  }

  onLost(): void {
    const all = [...this.asked]
    this.asked.clear()
    for (const question of all) this.giveUp(question)
  }

  // ---- time

  private armTimer(ms: number): void {
    this.timer = whenDue(Math.max(1, ms), () => this.deadline())
  }

  private deadline(): void {
    this.timer = null
    const [first] = this.asked
    if (first === undefined) return
    const left = first.deadline - performance.now()
    if (left > 0) return this.armTimer(left)
    this.link.tooLate(first.key)
  }

  // ---- the connection

  open(): void {
    this.link.open()
  }

  onConnected(client: StoreClient): void {
    for (const question of this.asked) this.send(client, question)
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    this.link.close()
  }
}

// Redis counts on when a limit changes; what it has said of the old one says nothing of the new one.
function localKey(ask: StoreAsk, key: string): string {
  return `${ask.parameters.join(' ')} ${key}`
}
