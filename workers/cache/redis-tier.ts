// workers/cache/redis-tier.ts: the second tier of a store, which gateways share: Redis, asked when memory has nothing.
//
// Owner:  a Store, which it does not keep alive: when nobody uses that any more, the connection is closed.
// Hot:    no; a question costs a round trip. But it never holds a request for longer than the plan says, nor a response at all:
//         what is stored is written behind it, within a bound of bytes.
//
// Asked is only a Redis that answers (link.ts) and whose purges are known up to a second ago (purge-log.ts). Everything else is
// a miss. Keys: cache:<middleware>:<version>:<SHA-256 of the URL>, a hash of responses by the SHA-256 of their whole key, and
// cache:<middleware>:<version>:purges.

import { Buffer } from 'node:buffer'
import { type CacheEntry, bytesOf } from '../../core/cache/entry.ts'
import { variantKey } from '../../core/cache/making.ts'
import type { TierPlan, TierPolicy } from '../../core/cache/tier.ts'
import { secondKey } from '../../core/cache/vary.ts'
import type { Exchange } from '../../core/exchange.ts'
import { NEXT } from '../../core/middleware/contract.ts'
import type { Counter } from '../../core/middleware/worker.ts'
import type { PurgeWish } from '../../core/cache/contract.ts'
import { cryptoModule } from '../builtins.ts'
import { whenDue } from '../due.ts'
import type { StoreClient } from '../store/client.ts'
import { type LinkUser, StoreLink } from '../store/link.ts'
import { VERSION, decode, encodeEntry, encodeMark } from './entry-codec.ts'
import { PurgeLog, type TimedPurge, type Told } from './purge-log.ts'

const READ_BYTES_MAX = 67_108_864 // that answers under way may have together
const READS_MAX = 1000
const WRITE_BYTES_MAX = 4_194_304 // under way; answers wait behind them: 35 ms of a gigabit. What is beyond stays in memory
const HEAD_ROOM = 131_072 // that an entry may have beside its body
const VARIANTS_MAX = 64 // of one URL
const TTL_MAX_MS = 7 * 86_400_000
const LOG_TTL_MS = TTL_MAX_MS + 86_400_000
const TICK_MS = 1000

// A store, as its tier sees it.
export interface TieredStore {
  isPurged(entry: CacheEntry): boolean
  found(base: string, entry: CacheEntry): void
  marked(base: string, names: readonly string[]): void
  purgeFar(purges: readonly TimedPurge[]): void
}

export interface TierWorker {
  preciseNow(): number
  exactNow(): number
  date(): string
  warn(message: string): void
  wake(exchange: Exchange, serial: number, verdict: typeof NEXT): void
  counter(family: string, labels: Readonly<Record<string, string>>): Counter
  reaches(name: string, answers: boolean): void // the tier of this store
}

type ReadOutcome = 'hit' | 'miss' | 'invalid' | 'late' | 'error' | 'busy' | 'away'
type WriteOutcome = 'stored' | 'too_large' | 'error' | 'busy' | 'away'

interface Question {
  readonly base: string
  readonly url: string
  readonly exchange: Exchange
  readonly serial: number
  readonly deadline: number
}

export class RedisTier implements LinkUser {
  private readonly name: string
  private readonly plan: TierPlan
  private readonly policy: TierPolicy
  private readonly worker: TierWorker
  private readonly store: WeakRef<TieredStore>
  private readonly link: StoreLink
  private readonly log: PurgeLog
  private readonly prefix: string
  private readonly bytesMax: number // of an entry as it is written
  private readonly readsMax: number
  private readonly asked = new Set<Question>() // in the order of their deadlines
  private reads = 0 // that Redis has not answered, whether somebody waits or not
  private writeBytes = 0
  private timer: NodeJS.Timeout | null = null // of the first deadline
  private readonly tick: NodeJS.Timeout
  private readonly counters = new Map<string, Counter>()

  constructor(
    name: string,
    plan: TierPlan,
    policy: TierPolicy,
    worker: TierWorker,
    store: TieredStore,
  ) {
    this.name = name
    this.plan = plan
    this.policy = policy
    this.worker = worker
    this.store = new WeakRef(store)
    this.prefix = `cache:${name}:${VERSION}:`
    this.bytesMax = plan.entryBytesMax + HEAD_ROOM
    this.readsMax = Math.min(READS_MAX, Math.max(1, READ_BYTES_MAX / this.bytesMax))
    const keyOf = (url: string): string => this.keyOf(url)
    this.log = new PurgeLog(this.prefix + 'purges', LOG_TTL_MS, keyOf, () => worker.exactNow())
    this.link = new StoreLink(plan.store, true, this, (message) => worker.warn(message))
    this.tick = setInterval(() => this.onTick(), TICK_MS).unref()
    worker.reaches(name, false)
    this.link.open()
  }

  // ---- reading

  // False: nobody is asked. Else the exchange is woken, once, whether anything was found or not.
  ask(base: string, place: string, exchange: Exchange): boolean {
    const now = performance.now()
    const client = this.usable(now)
    if (client === null) return this.leftOut('away')
    if (this.reads >= this.readsMax) return this.leftOut('busy')
    const url = base.slice(base.indexOf('\n') + 1)
    const deadline = now + this.plan.store.timeoutMs
    const question = { base, url, exchange, serial: exchange.serial, deadline }
    this.asked.add(question)
    if (this.timer === null) this.arm(this.plan.store.timeoutMs)
    this.read(client, question, place)
    return true
  }

  private leftOut(outcome: ReadOutcome): false {
    this.countRead(outcome)
    return false
  }

  private read(client: StoreClient, question: Question, place: string): void {
    const parameters = [digest(place), String(this.bytesMax)]
    this.reads++
    client.run('cacheGet', this.keyOf(question.url), parameters).then(
      (reply) => {
        this.reads--
        this.answered(client, question, place, reply)
      },
      (fault: unknown) => {
        this.reads--
        this.failed(fault)
        this.end(question, 'error')
      },
    )
  }

  // Also what comes too late is kept: the next one will want it.
  private answered(client: StoreClient, question: Question, place: string, reply: unknown): void {
    if (reply === null) return this.end(question, 'miss')
    if (!Buffer.isBuffer(reply)) return this.end(question, 'invalid')
    this.link.answered()
    this.countBytes('read', reply.length)
    const { base, url } = question
    const { policy, log } = this
    const [now, date] = [this.worker.exactNow(), this.worker.date()]
    const found = decode(reply, { key: place, url, shift: -log.late, now, date, policy })
    if (found === null) return this.end(question, 'invalid')
    const store = this.store.deref()
    if ('key' in found) {
      store?.found(base, found)
      return this.end(question, 'hit')
    }
    if (place !== base) return this.end(question, 'invalid')
    store?.marked(base, found.vary)
    this.readVariant(client, question, found.vary)
  }

  private readVariant(client: StoreClient, question: Question, names: readonly string[]): void {
    const { base, exchange, serial } = question
    const isWaiting = this.asked.has(question) && exchange.serial === serial
    const second = isWaiting ? secondKey(names, exchange.request) : null
    if (second === null) return this.end(question, 'miss')
    this.read(client, question, variantKey(base, names, second))
  }

  private end(question: Question, outcome: ReadOutcome): void {
    if (!this.asked.delete(question)) return // it has not waited
    this.countRead(outcome)
    this.worker.wake(question.exchange, question.serial, NEXT)
  }

  private arm(ms: number): void {
    this.timer = whenDue(Math.max(1, ms), () => this.onDeadline())
  }

  private onDeadline(): void {
    this.timer = null
    const [first] = this.asked
    if (first === undefined) return
    const left = first.deadline - performance.now()
    if (left > 0) return this.arm(left)
    this.link.tooLate(this.keyOf(first.url))
  }

  // ---- writing

  // Behind the response: nothing waits for it.
  write(base: string, entry: CacheEntry): void {
    const { plan, worker } = this
    const until = Math.max(entry.freshUntil, entry.refreshUntil, entry.errorUntil)
    const ttl = Math.min(TTL_MAX_MS, Math.ceil(until - worker.preciseNow()))
    if (ttl < 1) return
    const size = bytesOf(entry)
    if (entry.body.length > plan.entryBytesMax) return this.countWrite('too_large')
    if (this.writeBytes > 0 && this.writeBytes + size > WRITE_BYTES_MAX)
      return this.countWrite('busy')
    this.writeBytes += size
    setImmediate(() => {
      const sent = this.sendEntry(base, entry, ttl)
      if (sent === null) this.writeBytes -= size
      else void sent.finally(() => (this.writeBytes -= size))
    })
  }

  // Never rejects. What an unsafe method has ended since it was stored must not follow the word of that to Redis.
  private sendEntry(base: string, entry: CacheEntry, ttl: number): Promise<void> | null {
    if (this.isPurged(entry)) return null
    const client = this.usable(performance.now())
    if (client === null) return this.notSent('away')
    const bytes = encodeEntry(entry, this.log.early, this.bytesMax)
    if (bytes === null) return this.notSent('too_large')
    const parameters = [String(ttl), String(VARIANTS_MAX), digest(entry.key), bytes]
    if (entry.vary.length > 0) {
      const mark = encodeMark(base, entry.vary)
      if (mark === null) return this.notSent('too_large')
      parameters.push(digest(base), mark)
    }
    return client.run('cachePut', this.keyOf(entry.url), parameters).then(
      () => {
        this.countWrite('stored')
        this.countBytes('written', bytes.length)
        // Another worker's word of it, on a connection of its own, may have been there first.
        if (this.isPurged(entry)) this.drop(entry.url)
      },
      (fault: unknown) => {
        this.failed(fault)
        this.countWrite('error')
      },
    )
  }

  private isPurged(entry: CacheEntry): boolean {
    return this.store.deref()?.isPurged(entry) === true
  }

  private notSent(outcome: WriteOutcome): null {
    this.countWrite(outcome)
    return null
  }

  // ---- purges

  tell(wish: PurgeWish, told: Told): void {
    this.log.tell(wish, told)
    this.flush()
  }

  // Of a URL, whatever routers and Vary made of it.
  drop(url: string): void {
    this.log.drop(url)
    this.flush()
  }

  private flush(): void {
    const { client, isReady } = this.link
    if (client !== null && isReady) this.log.flush(client, (fault) => this.failed(fault))
  }

  private onTick(): void {
    if (this.store.deref() === undefined) return this.close()
    this.log.answerLate()
    this.link.mayAsk(performance.now()) // it is in use, asked or not
    const { client, isReady } = this.link
    if (client !== null && isReady) this.catchUp(client)
    this.worker.reaches(this.name, isReady && this.log.isKnown)
  }

  private catchUp(client: StoreClient): void {
    const heard = (purges: readonly TimedPurge[]): void => this.store.deref()?.purgeFar(purges)
    this.log.read(client, heard).then(
      (isRead) => {
        if (!isRead) return this.link.complain('an answer that is none of ours')
        this.link.answered()
        this.worker.reaches(this.name, this.link.isReady && this.log.isKnown)
      },
      (fault: unknown) => this.failed(fault),
    )
    this.flush()
  }

  // ---- the connection

  private usable(now: number): StoreClient | null {
    if (!this.link.mayAsk(now) || !this.link.isReady || !this.log.isKnown) return null
    return this.link.client
  }

  // An error that Redis itself has answered ("WRONGTYPE ...") is about one key; anything else about the connection: it is not
  // asked again until its purges have been read.
  private failed(fault: unknown): void {
    this.link.failed(fault)
    if (!(fault instanceof Error) || !/^[A-Z]+ /.test(fault.message)) this.log.isKnown = false
  }

  onConnected(client: StoreClient): void {
    this.catchUp(client)
  }

  onLost(): void {
    this.log.isKnown = false
    this.worker.reaches(this.name, false)
    for (const question of this.asked) this.end(question, 'late')
  }

  close(): void {
    clearInterval(this.tick)
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    this.log.close()
    this.link.close()
  }

  // ---- names and numbers

  private keyOf(url: string): string {
    return this.prefix + digest(url)
  }

  private countRead(outcome: ReadOutcome): void {
    this.counter('sluice_cache_redis_requests_total', 'outcome', outcome).add(1)
  }

  private countWrite(outcome: WriteOutcome): void {
    this.counter('sluice_cache_redis_writes_total', 'outcome', outcome).add(1)
  }

  private countBytes(direction: 'read' | 'written', count: number): void {
    this.counter('sluice_cache_redis_bytes_total', 'direction', direction).add(count)
  }

  private counter(family: string, label: string, value: string): Counter {
    const key = family + value
    const known = this.counters.get(key)
    if (known !== undefined) return known
    const counter = this.worker.counter(family, { middleware: this.name, [label]: value })
    this.counters.set(key, counter)
    return counter
  }
}

function digest(text: string): string {
  return cryptoModule().createHash('sha256').update(text, 'utf8').digest('base64url')
}
