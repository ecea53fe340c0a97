// workers/cache/purge-log.ts: purges that gateways tell each other through Redis, and the clock that they have in common.
//
// Owner:  a RedisTier. The log is a stream, read every second: so a purge of one gateway holds in the memory of another a
//         second later. Times in Redis are Redis's own. How far this thread's clock is from it is known to a round trip, and
//         is taken so that responses are older, and purges later, than they may be. Hot: no.
//
// What can't be told stays in `pending`, and is told when Redis answers again. Of more than PENDING_MAX one is made that
// ends everything.

import type { PurgeWish } from '../../core/cache/contract.ts'
import type { StoreClient } from '../store/client.ts'

const KEPT_MAX = 10_000 // purges in the log; who has missed more keeps nothing from before
const PAGE = 200 // of them in one answer
const PENDING_MAX = 1000
const ANSWER_MS = 1000 // whoever purges waits so long to hear that the others know

export interface TimedPurge {
  readonly at: number // of this thread's clock
  readonly wish: PurgeWish
}

type Heard = (purges: readonly TimedPurge[]) => void

// True: Redis has it.
export type Told = (told: boolean) => void

class Pending {
  readonly wish: PurgeWish
  readonly isLogged: boolean // false: only what Redis itself has of the URL
  readonly since: number
  waiter: Told | null
  underway = false

  constructor(wish: PurgeWish, isLogged: boolean, since: number, waiter: Told | null) {
    this.wish = wish
    this.isLogged = isLogged
    this.since = since
    this.waiter = waiter
  }

  // Once.
  answer(told: boolean): void {
    const { waiter } = this
    this.waiter = null
    waiter?.(told)
  }
}

export class PurgeLog {
  isKnown = false // read to its end, and so is the clock
  early = 0 // added to this thread's time it is Redis's, or before that
  late = 0 // or after that
  private readonly key: string
  private readonly keptMs: number // no response lies there for longer
  private readonly keyOf: (url: string) => string
  private readonly exactNow: () => number
  private from = '-'
  private reading = false
  private readonly pending = new Map<string, Pending>()

  constructor(key: string, keptMs: number, keyOf: (url: string) => string, exactNow: () => number) {
    this.key = key
    this.keptMs = keptMs
    this.keyOf = keyOf
    this.exactNow = exactNow
  }

  // ---- reading

  // `heard` is told what is new, page by page; false for an answer that is none of ours. Rejects as the client does.
  async read(client: StoreClient, heard: Heard): Promise<boolean> {
    if (this.reading) {
      this.isKnown = false // asked a second ago
      throw new Error('no answer in time')
    }
    this.reading = true
    try {
      return (this.isKnown = await this.readAll(client, heard))
    } catch (fault) {
      this.isKnown = false
      throw fault
    } finally {
      this.reading = false
    }
  }

  private async readAll(client: StoreClient, heard: Heard): Promise<boolean> {
    for (;;) {
      const begun = this.exactNow()
      const answer = parseAnswer(await client.run('cacheLog', this.key, [this.from, String(PAGE)]))
      if (answer === null) return false
      this.early = answer.now - this.exactNow()
      this.late = answer.now - begun
      const purges = this.take(answer)
      // Before the next is asked for, which may fail: a page is never read twice.
      if (purges.length > 0) heard(purges)
      if (answer.records.length < PAGE) return true
    }
  }

  private take({ count, first, records }: LogAnswer): TimedPurge[] {
    const purges: TimedPurge[] = []
    if (count === 0) this.from = '-' // nobody has purged, or Redis has lost it all
    // Some have been dropped from the log before they were read here.
    const isGap = count >= KEPT_MAX && (this.from === '-' || isAfter(first, this.from))
    if (isGap) purges.push({ at: this.local(first), wish: everything })
    for (const { id, wish } of records) purges.push({ at: this.local(id), wish })
    const last = records.at(-1)
    if (last !== undefined) this.from = after(last.id)
    return purges
  }

  // Ids are cut to milliseconds.
  private local(id: string): number {
    return msOf(id) + 1 - this.early
  }

  // ---- telling

  tell(wish: PurgeWish, waiter: Told): void {
    this.put(textOf(wish), new Pending(wish, true, this.exactNow(), waiter))
  }

  drop(url: string): void {
    const wish = { ...nothing, url }
    const key = 'd' + url
    const before = this.pending.get(key)
    // One under way may have been before what was written since.
    if (before === undefined || before.underway)
      this.put(key, new Pending(wish, false, this.exactNow(), null))
  }

  private put(key: string, one: Pending): void {
    const before = this.pending.get(key)
    if (before !== undefined && !before.underway) before.answer(false)
    if (before !== undefined || this.pending.size < PENDING_MAX) {
      this.pending.set(key, one)
      return
    }
    this.forgetPending()
    this.pending.set('a', new Pending(everything, true, one.since, one.waiter))
  }

  // Tells what is to be told. Rejects never; `onFault` hears why something could not be.
  flush(client: StoreClient, onFault: (fault: unknown) => void): void {
    for (const [key, one] of this.pending) {
      if (one.underway) continue
      one.underway = true
      this.send(client, one).then(
        () => this.done(key, one),
        (fault: unknown) => {
          one.underway = false
          if (this.pending.get(key) !== one) one.answer(false)
          onFault(fault)
        },
      )
    }
  }

  private async send(client: StoreClient, { wish, isLogged }: Pending): Promise<void> {
    const parameters = [textOf(wish), String(KEPT_MAX), String(this.keptMs)]
    const told = isLogged ? client.run('cacheTell', this.key, parameters) : null
    const dropped = wish.url === '' ? null : client.run('cacheDrop', this.keyOf(wish.url), [])
    await Promise.all([told, dropped])
  }

  private done(key: string, one: Pending): void {
    if (this.pending.get(key) === one) this.pending.delete(key)
    one.answer(true)
  }

  // Nobody waits for ever.
  answerLate(): void {
    const before = this.exactNow() - ANSWER_MS
    for (const one of this.pending.values()) if (one.since <= before) one.answer(false)
  }

  private forgetPending(): void {
    for (const one of this.pending.values()) one.answer(false)
    this.pending.clear()
  }

  close(): void {
    this.forgetPending()
    this.isKnown = false
  }
}

// ---- records

const nothing: PurgeWish = { store: '', url: '', tag: '', prefix: '', all: false }
const everything: PurgeWish = { ...nothing, all: true }

function textOf({ url, tag, prefix }: PurgeWish): string {
  if (url !== '') return 'u' + url
  if (tag !== '') return 't' + tag
  return prefix === '' ? 'a' : 'p' + prefix
}

// What nobody of this version has written ends everything: better that than to miss a purge.
function wishOf(text: string): PurgeWish {
  const value = text.slice(1)
  if (value === '') return everything
  if (text.startsWith('u')) return { ...nothing, url: value }
  if (text.startsWith('t')) return { ...nothing, tag: value }
  return text.startsWith('p') ? { ...nothing, prefix: value } : everything
}

interface LogAnswer {
  readonly now: number // milliseconds of Redis's clock
  readonly count: number
  readonly first: string // id; '' when there is none
  readonly records: readonly { readonly id: string; readonly wish: PurgeWish }[]
}

const ID = /^(\d{1,15})-(\d{1,15})$/
const msOf = (id: string): number => Number(ID.exec(id)?.[1] ?? 0)
const sequenceOf = (id: string): number => Number(ID.exec(id)?.[2] ?? 0)
const after = (id: string): string => `${msOf(id)}-${sequenceOf(id) + 1}`

function isAfter(a: string, b: string): boolean {
  const difference = msOf(a) - msOf(b)
  return difference > 0 || (difference === 0 && sequenceOf(a) > sequenceOf(b))
}

function parseAnswer(reply: unknown): LogAnswer | null {
  if (!Array.isArray(reply) || reply.length !== 5 || !Array.isArray(reply[4])) return null
  const [seconds, micros] = [Number(String(reply[0])), Number(String(reply[1]))]
  const count = Number(reply[2])
  const first = String(reply[3])
  const now = seconds * 1000 + micros / 1000
  if (!(now > 0) || !Number.isInteger(count) || (count > 0 && !ID.test(first))) return null
  const records: { id: string; wish: PurgeWish }[] = []
  for (const record of reply[4] as unknown[]) {
    const [id, fields] = Array.isArray(record) ? (record as unknown[]) : []
    if (!ID.test(String(id)) || !Array.isArray(fields)) return null
    records.push({ id: String(id), wish: wishOf(String(fields[1])) })
  }
  return { now, count, first, records }
}
