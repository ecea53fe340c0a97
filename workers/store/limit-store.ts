// workers/store/limit-store.ts: asks Redis for decisions, and keeps a Redis that is away, or slow, from holding requests.
//
// Owner:  the worker, one per configured store. Hot: no; a question to Redis is a round trip and some objects.
//
//   CONNECTING  questions wait for the first connection
//   READY       questions are sent; one that is not answered in time fails, and with it all that wait: OPEN
//   OPEN        questions fail at once; a probe is sent now and then, and its answer leads back to READY
//   AWAY        there has been no connection yet: questions fail at once, it is tried again
//   IDLE        nobody has asked for minutes: the connection was closed; the next question opens one
//
// A connection that is lost while READY is not a state: the client refuses commands at once and reconnects by itself.

import { UNDECIDED } from '../../core/rate/store.ts'
import type {
  LimitStore,
  StoreAsk,
  StoreDecision,
  StorePlan,
  StoreWaiter,
} from '../../core/rate/store.ts'
import { COMMANDS_MAX, type StoreClient, connectStore } from './client.ts'
import { Known, KnownTable } from './known.ts'

type State = 'connecting' | 'ready' | 'open' | 'away' | 'idle'

const PROBE_MS = 250
const RETRY_MS = 500 // a first connection
const IDLE_MS = 5 * 60_000
const SAY_MS = 10_000 // between two lines of the log

// One question: for one request, or for the permits of a source that several wait for.
interface Question {
  readonly ask: StoreAsk
  readonly key: string
  readonly known: Known | null
  readonly waiter: StoreWaiter | null
  readonly deadline: number
}

export class RedisLimitStore implements LimitStore {
  private readonly plan: StorePlan
  private readonly say: (message: string) => void
  private readonly place: string
  private state: State = 'idle'
  private client: StoreClient | null = null
  private readonly known = new KnownTable()
  private readonly asked = new Set<Question>() // in the order of their deadlines
  private timer: NodeJS.Timeout | null = null // of the first deadline
  private watch: NodeJS.Timeout | null = null // probes, tries, or closes
  private askedAt = 0
  private probing = false
  private saidAt = -SAY_MS
  private wasAway = false

  // `say` writes a warning.
  constructor(plan: StorePlan, say: (message: string) => void) {
    this.plan = plan
    this.say = say
    const nodes = plan.nodes.map(({ host, port }) => `${host}:${port}`).join(', ')
    this.place = `Redis (${plan.kind}) at ${nodes}`
  }

  take(ask: StoreAsk, source: string, waiter: StoreWaiter): StoreDecision | null {
    const now = performance.now()
    const key = ask.prefix + source
    const known = this.known.get(key, now)
    if (known !== undefined) {
      const decision = known.decide(ask, now)
      if (decision !== null) return decision
      if (known.waiters !== null) return known.join(waiter)
    }
    this.open()
    this.askedAt = now
    if (this.state === 'open' || this.state === 'away' || this.asked.size >= COMMANDS_MAX)
      return UNDECIDED
    if (ask.lease <= 1) this.put(ask, key, null, waiter, now)
    else {
      const leased = known ?? this.known.add(key)
      leased.waiters = [waiter]
      this.put(ask, key, leased, null, now)
    }
    return null
  }

  private put(
    ask: StoreAsk,
    key: string,
    known: Known | null,
    waiter: StoreWaiter | null,
    now: number,
  ): void {
    const question = { ask, key, known, waiter, deadline: now + this.plan.timeoutMs }
    this.asked.add(question)
    if (this.timer === null) this.armTimer(this.plan.timeoutMs)
    if (this.client !== null) this.send(this.client, question)
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
      this.complain('an answer that is none of ours')
      return this.giveUp(question)
    }
    this.recovered()
    const [given = 0, waitMicros = 0, remaining = 0, resetMs = 0] = numbers
    const now = performance.now()
    const waitMs = waitMicros / 1000
    if (question.known === null) {
      if (given === 0) this.noteRefusal(question.key, waitMs, remaining, resetMs, now)
      question.waiter!.onDecision({ failed: false, waitMs, remaining, resetMs })
      return
    }
    this.share(question, question.known, given, waitMs, remaining, resetMs, now)
  }

  private noteRefusal(
    key: string,
    waitMs: number,
    remaining: number,
    resetMs: number,
    now: number,
  ): void {
    const known = this.known.get(key, now) ?? this.known.add(key)
    known.refusedUntil = now + waitMs
    known.remaining = remaining
    known.resetAt = now + resetMs
  }

  // Permits go to those who wait, in their order; the rest is kept for who comes within leaseMs.
  private share(
    { ask, key }: Question,
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
    known.permitsUntil = now + ask.leaseMs
    if (given === 0) known.refusedUntil = now + waitMs
    const served = given === 0 ? waiters.length : Math.min(given, waiters.length)
    known.permits = Math.max(0, given - served)
    const decision = known.decision(waitMs, now)
    for (const waiter of waiters.slice(0, served)) waiter.onDecision(decision)
    const rest = waiters.slice(served)
    if (rest.length === 0) return
    known.waiters = rest
    this.put(ask, key, known, null, now)
  }

  private failed(question: Question, fault: unknown): void {
    if (!this.asked.delete(question)) return
    this.complain(fault instanceof Error ? fault.message : String(fault))
    this.giveUp(question)
  }

  private giveUp({ known, waiter }: Question): void {
    waiter?.onDecision(UNDECIDED)
    const waiters = known?.waiters ?? []
    if (known !== null) known.waiters = null
    for (const one of waiters) one.onDecision(UNDECIDED)
  }

  private giveUpAll(): void {
    const all = [...this.asked]
    this.asked.clear()
    for (const question of all) this.giveUp(question)
  }

  // ---- time

  private armTimer(ms: number): void {
    this.timer = setTimeout(() => this.deadline(), Math.max(1, ms))
  }

  private deadline(): void {
    this.timer = null
    const [first] = this.asked
    if (first === undefined) return
    const left = first.deadline - performance.now()
    if (left > 0) return this.armTimer(left)
    this.complain('no answer in time')
    // While it is connecting the next ones fail at once as well, until there is a connection.
    if (this.state === 'ready') this.break(first.key)
    else if (this.state === 'connecting') this.state = 'away'
    this.giveUpAll()
  }

  // ---- the breaker

  private break(key: string): void {
    this.state = 'open'
    this.every(PROBE_MS, () => this.probe(key))
  }

  private probe(key: string): void {
    if (this.probing || this.client === null) return
    this.probing = true
    this.client.run('probe', key, []).then(
      () => this.probed(true),
      () => this.probed(false),
    )
  }

  private probed(answers: boolean): void {
    this.probing = false
    if (!answers || this.state !== 'open') return
    this.ready()
  }

  // ---- the connection

  open(): void {
    if (this.state !== 'idle') return
    this.askedAt = performance.now()
    this.state = 'connecting'
    this.tryToConnect()
  }

  private tryToConnect(): void {
    connectStore(this.plan, (fault) => this.connectionFault(fault)).then(
      (client) => this.connected(client),
      (fault: unknown) => {
        if (this.state === 'idle') return
        this.connectionFault(fault)
        this.later(RETRY_MS, () => this.tryToConnect())
      },
    )
  }

  private connectionFault(fault: unknown): void {
    this.complain(fault instanceof Error ? fault.message || fault.name : String(fault))
    if (this.state !== 'connecting') return
    this.state = 'away'
    this.giveUpAll()
  }

  private connected(client: StoreClient): void {
    if (this.state === 'idle') return client.close() // closed meanwhile
    this.client = client
    this.ready()
    for (const question of this.asked) this.send(client, question)
  }

  private ready(): void {
    this.state = 'ready'
    this.every(IDLE_MS, () => {
      if (performance.now() - this.askedAt > IDLE_MS) this.close()
    })
  }

  close(): void {
    if (this.watch !== null) clearInterval(this.watch)
    if (this.timer !== null) clearTimeout(this.timer)
    this.watch = null
    this.timer = null
    this.state = 'idle'
    this.client?.close()
    this.client = null
    this.giveUpAll()
  }

  private every(ms: number, action: () => void): void {
    if (this.watch !== null) clearInterval(this.watch)
    this.watch = setInterval(action, ms).unref()
  }

  private later(ms: number, action: () => void): void {
    if (this.watch !== null) clearInterval(this.watch)
    this.watch = setTimeout(action, ms).unref()
  }

  // ---- the log

  private complain(reason: string): void {
    this.wasAway = true
    const now = performance.now()
    if (now - this.saidAt < SAY_MS) return
    this.saidAt = now
    this.say(`${this.place} can not be asked: ${reason.slice(0, 200)}`)
  }

  private recovered(): void {
    if (!this.wasAway) return
    this.wasAway = false
    this.saidAt = -SAY_MS
    this.say(`${this.place} answers again`)
  }
}
