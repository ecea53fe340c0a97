// core/cache/making.ts: makes entries: of a response whose body is still to come, and of one that the server has renewed.
//
// Hot: no; once per response that is stored.

import { BODY_LENGTH, BODY_NONE, type Exchange } from '../exchange.ts'
import { Head } from '../headers.ts'
import { type CacheStore, type Outcome, STORED, UNSTORABLE } from './contract.ts'
import type { CacheEntry } from './entry.ts'
import type { Fields } from './fields.ts'
import type { ExchangeTimes } from './freshness.ts'
import type { CacheNote } from './note.ts'
import { KeptBody, UNKNOWN_LENGTH } from './recorder.ts'
import { type Assessment, type StoringPolicy, assess } from './storing.ts'
import { type Line, applyHead, keptLines, renewedLines, storeHead } from './stored-head.ts'
import { secondKey } from './vary.ts'

// The key of a response; null when what Vary names is more than we keep.
export function keyFor(base: string, vary: readonly string[], seen: Fields): string | null {
  if (vary.length === 0) return base
  const second = secondKey(vary, seen)
  return second === null ? null : variantKey(base, vary, second)
}

export function variantKey(base: string, vary: readonly string[], second: string): string {
  return base + '\n' + vary.join(',') + second
}

// Tells those who wait, once.
export function settle(store: CacheStore, note: CacheNote, outcome: Outcome): void {
  if (!note.leads) return
  note.leads = false
  store.settle(note.place, outcome)
}

type Draft = Omit<CacheEntry, 'body' | 'head'>

// Keeps the body while it passes. What the response says of itself is taken now: later phases change its head.
export class Recording extends KeptBody {
  private readonly store: CacheStore
  private readonly note: CacheNote
  private readonly draft: Draft
  private readonly lines: readonly Line[]
  private readonly date: string

  constructor(
    exchange: Exchange,
    store: CacheStore,
    note: CacheNote,
    key: string,
    assessment: Assessment,
    date: string,
  ) {
    super(lengthOf(exchange), store.limits.entryBytesMax, exchange.responseRewriter !== null, store)
    const { response, status, reason } = exchange
    this.store = store
    this.note = note
    this.draft = draftOf(response, status, reason, note, key, assessment)
    this.lines = keptLines(response, assessment.withheld)
    this.date = date
    note.recording?.release() // of an earlier response to the same request
    note.recording = this
  }

  protected commit(body: Uint8Array): void {
    const { status, reason } = this.draft
    const head = storeHead(status, reason, this.lines, lengthLine(status, body), this.date)
    this.store.put(this.note.base, { ...this.draft, head, body })
    settle(this.store, this.note, STORED)
  }

  protected gaveUp(): void {
    settle(this.store, this.note, UNSTORABLE)
  }
}

function lengthLine(status: number, body: Uint8Array): number {
  return status === 204 ? -1 : body.length
}

// What is known of the body's length before it has come.
export function lengthOf(exchange: Exchange): number {
  if (exchange.responseBody !== null) return exchange.responseBody.length
  if (exchange.responseKind === BODY_NONE) return 0
  const known = exchange.responseKind === BODY_LENGTH && exchange.responseRewriter === null
  return known ? exchange.responseLength : UNKNOWN_LENGTH
}

function draftOf(
  response: Head,
  status: number,
  reason: string,
  note: CacheNote,
  key: string,
  assessment: Assessment,
): Draft {
  return {
    key,
    url: note.url,
    vary: assessment.vary,
    status,
    reason,
    askedAt: note.askedAt,
    bornAt: assessment.bornAt,
    freshUntil: assessment.freshUntil,
    refreshUntil: assessment.refreshUntil,
    errorUntil: assessment.errorUntil,
    flags: assessment.flags,
    etag: response.get('etag') ?? '',
    lastModified: response.get('last-modified') ?? '',
    tags: assessment.tags,
  }
}

export interface Renewal {
  readonly entry: CacheEntry
  readonly mayBeStored: boolean
}

// The old body under a head that `update` has renewed: a 304, or the response to HEAD. Cookies of the update are for its
// own client, unless cookies are stored.
export function renew(
  old: CacheEntry,
  update: Head,
  note: CacheNote,
  policy: StoringPolicy,
  times: ExchangeTimes,
  date: string,
): Renewal {
  const lines = keptLines(update, policy.storesCookies ? [] : ['set-cookie'])
  if (!lines.some(([name]) => name.toLowerCase() === 'date')) lines.push(['Date', date])
  const all = renewedLines(old.head, lines)
  const response = new Head()
  const length = lengthLine(old.status, old.body)
  applyHead(storeHead(old.status, old.reason, withoutLength(all), length, date), response)
  for (const age of update.getAll('age')) response.add('Age', age)
  const { authorized, base, seen } = note
  const subject = { response, status: old.status, authorized, endsWithConnection: false }
  const assessment = assess(subject, policy, times)
  const kept = withoutLength(all).filter(
    ([name]) => !assessment.withheld.includes(name.toLowerCase()),
  )
  const head = storeHead(old.status, old.reason, kept, length, date)
  if (assessment.refusal !== '') return { entry: { ...old, head }, mayBeStored: false }
  const key = (seen === null ? null : keyFor(base, assessment.vary, seen)) ?? old.key
  const draft = draftOf(response, old.status, old.reason, note, key, assessment)
  return { entry: { ...draft, head, body: old.body }, mayBeStored: true }
}

function withoutLength(lines: readonly Line[]): Line[] {
  return lines.filter(([name]) => name.toLowerCase() !== 'content-length')
}
