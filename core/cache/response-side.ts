// core/cache/response-side.ts: what the cache does with the response of a server: stores it, renews what is stored,
// serves what is stale in place of an error, or ends what is stored.
//
// Hot: once per response that did not come from the cache.

import type { Exchange } from '../exchange.ts'
import type { Head } from '../headers.ts'
import type { Counter, WorkerServices } from '../middleware/worker.ts'
import { type CacheStore, FAILED, STORED, UNSTORABLE } from './contract.ts'
import type { CacheEntry } from './entry.ts'
import type { ExchangeTimes } from './freshness.ts'
import { sameOrigin } from './key.ts'
import { Recording, keyFor, lengthOf, renew, settle } from './making.ts'
import { ASIDE, type CacheNote, FETCH, LOOK, UNSAFE } from './note.ts'
import { matchesAny } from './preconditions.ts'
import { mayServeOnError, usable } from './reuse.ts'
import { serve } from './serving.ts'
import { BYPASS, HIT, MISS, type StatusFields, addStatus } from './status-fields.ts'
import { type Refusal, type StoringPolicy, assess } from './storing.ts'

export type CacheOutcome = 'hit' | 'stale' | 'validated' | 'miss' | 'bypass'

export class ResponseSide {
  readonly fields: StatusFields
  private readonly worker: WorkerServices
  private readonly store: CacheStore
  private readonly policy: StoringPolicy
  private readonly counters: Readonly<Record<CacheOutcome, Counter>>

  constructor(
    middleware: string,
    worker: WorkerServices,
    store: CacheStore,
    policy: StoringPolicy,
    fields: StatusFields,
  ) {
    this.worker = worker
    this.store = store
    this.policy = policy
    this.fields = fields
    const counter = (outcome: CacheOutcome): Counter =>
      worker.counter('sluice_cache_requests_total', { middleware, outcome })
    this.counters = {
      hit: counter('hit'),
      stale: counter('stale'),
      validated: counter('validated'),
      miss: counter('miss'),
      bypass: counter('bypass'),
    }
  }

  counts(outcome: CacheOutcome): void {
    this.counters[outcome].add(1)
  }

  responded(exchange: Exchange, note: CacheNote): void {
    exchange.recorder = null // of an earlier response to the same request, which nobody got
    switch (note.purpose) {
      case ASIDE:
        return this.bypassed(exchange, '')
      case UNSAFE:
        this.invalidate(exchange, note)
        return this.bypassed(exchange, '; fwd=method')
      case LOOK:
        this.compare(exchange, note)
        return this.missed(exchange, note, '')
      case FETCH:
        return this.fetched(exchange, note)
    }
  }

  private bypassed(exchange: Exchange, detail: string): void {
    this.counts('bypass')
    addStatus(this.fields, exchange.response, BYPASS, detail === '' ? '; fwd=bypass' : detail)
  }

  private missed(exchange: Exchange, note: CacheNote, detail: string): void {
    if (!note.background) this.counts('miss')
    const why = note.entry === null ? '; fwd=uri-miss' : '; fwd=stale'
    addStatus(this.fields, exchange.response, MISS, why + detail)
  }

  // ---- responses to GET

  private fetched(exchange: Exchange, note: CacheNote): void {
    const { entry } = note
    // The page of another service, in place of a response that was not to be seen.
    if (exchange.replaced) return this.unstorable(exchange, note, 'local')
    if (entry !== null && note.validating && exchange.status === 304)
      return this.validated(exchange, note, entry)
    const substitute = this.substituteFor(exchange, note)
    if (substitute !== null) return this.standIn(exchange, note, substitute)
    this.keep(exchange, note)
  }

  // Stores the response if it may: its body is recorded while the client gets it.
  private keep(exchange: Exchange, note: CacheNote): void {
    const { responseRewriter } = exchange
    if (responseRewriter !== null && !responseRewriter.fieldsAreFinal)
      return this.unstorable(exchange, note, 'rewritten')
    if (exchange.serverUrl === '' || exchange.error !== 0)
      return this.unstorable(exchange, note, 'local')
    const { response, status, endsWithConnection } = exchange
    const { authorized } = note
    const assessment = assess(
      { response, status, authorized, endsWithConnection },
      this.policy,
      this.times(note),
    )
    if (assessment.refusal !== '') return this.unstorable(exchange, note, assessment.refusal)
    const key = keyFor(note.base, assessment.vary, note.seen!)
    if (key === null) return this.unstorable(exchange, note, 'vary')
    if (lengthOf(exchange) > this.store.limits.entryBytesMax)
      return this.unstorable(exchange, note, 'size')
    const { worker, store } = this
    this.record(
      exchange,
      new Recording(exchange, store, note, key, assessment, worker.cache.date()),
    )
    this.missed(exchange, note, '; stored')
  }

  private record(exchange: Exchange, recording: Recording): void {
    const { responseBody } = exchange
    if (responseBody === null) {
      exchange.recorder = recording
      return
    }
    recording.piece(responseBody, 0, responseBody.length)
    recording.end()
  }

  private unstorable(exchange: Exchange, note: CacheNote, why: Refusal): void {
    settle(this.store, note, exchange.status >= 500 ? FAILED : UNSTORABLE)
    // What the server now says must not be stored can't be told apart any more from what is.
    if (note.entry !== null && !note.authorized && exchange.status < 500 && why !== 'local')
      this.store.invalidate(note.url)
    this.missed(exchange, note, '; detail=' + why)
  }

  // ---- what is stored, in place of the server's response

  private validated(exchange: Exchange, note: CacheNote, entry: CacheEntry): void {
    const { response } = exchange
    const { cache } = this.worker
    const cookies = this.policy.storesCookies ? [] : response.getAll('set-cookie')
    const tag = response.get('etag')
    // About another response than the one that was asked about: it says nothing of its header.
    const isAnother = tag !== null && entry.etag !== '' && !matchesAny(tag, entry.etag)
    const renewal = isAnother
      ? { entry, mayBeStored: false }
      : renew(entry, response, note, this.policy, this.times(note), cache.date())
    if (renewal.mayBeStored) this.store.put(note.base, renewal.entry)
    else this.store.invalidate(note.url)
    settle(this.store, note, renewal.mayBeStored ? STORED : UNSTORABLE)
    this.substitute(exchange, renewal.entry, note)
    for (const cookie of cookies) response.add('Set-Cookie', cookie)
    if (!note.background) this.counts('validated')
    addStatus(this.fields, response, HIT, '; fwd=stale; fwd-status=304')
  }

  // Looked for again: what was there when the request came may have been purged while its server was asked. A request that
  // failed while it waited has not been kept as it was: it has gone no further.
  private substituteFor(exchange: Exchange, note: CacheNote): CacheEntry | null {
    if (note.entry === null || note.asked.noCache || !isFailure(exchange.status)) return null
    const found = this.store.find(note.base, note.seen ?? exchange.request)
    const entry = usable(found, note.authorized)
    return entry !== null && mayServeOnError(entry, this.worker.preciseNow()) ? entry : null
  }

  // RFC 5861, section 4. The error stays in the log.
  private standIn(exchange: Exchange, note: CacheNote, entry: CacheEntry): void {
    const { error, status } = exchange
    this.store.holdOff(entry.key)
    settle(this.store, note, STORED)
    this.substitute(exchange, entry, note)
    exchange.error = error
    if (!note.background) this.counts('stale')
    addStatus(this.fields, exchange.response, HIT, `; fwd=stale; fwd-status=${status}`)
  }

  private substitute(exchange: Exchange, entry: CacheEntry, note: CacheNote): void {
    const { worker } = this
    serve(exchange, entry, note.conditions, worker.preciseNow(), worker.cache.wallNow())
    exchange.substituted = true
  }

  // ---- other methods

  // RFC 9111, section 4.4: only what did something ends what is stored.
  private invalidate({ status, response }: Exchange, { url }: CacheNote): void {
    if (status < 200 || status > 399) return
    this.store.invalidate(url)
    for (const name of ['location', 'content-location']) {
      const named = sameOrigin(url, response.get(name) ?? '')
      if (named !== '') this.store.invalidate(named)
    }
  }

  // RFC 9111, section 4.3.5: a HEAD tells whether what is stored is still what a GET would bring.
  private compare(exchange: Exchange, note: CacheNote): void {
    const { entry } = note
    const { response, status } = exchange
    if (entry === null || status !== 200 || entry.status !== 200 || exchange.replaced) return
    if (exchange.serverUrl === '' || note.authorized) return
    if (isOther(entry, response)) return this.store.invalidate(note.url)
    const { cache } = this.worker
    const renewal = renew(entry, response, note, this.policy, this.times(note), cache.date())
    if (renewal.mayBeStored) this.store.put(note.base, renewal.entry)
  }

  private times(note: CacheNote): ExchangeTimes {
    const { worker } = this
    return {
      askedAt: note.askedAt,
      answeredAt: worker.preciseNow(),
      wallMs: worker.cache.wallNow(),
    }
  }
}

function isFailure(status: number): boolean {
  return status === 500 || (status >= 502 && status <= 504)
}

function isOther(entry: CacheEntry, response: Head): boolean {
  const tag = response.get('etag')
  const modified = response.get('last-modified')
  const length = response.get('content-length')
  return (
    (tag !== null && tag !== entry.etag) ||
    (modified !== null && modified !== entry.lastModified) ||
    (length !== null && length !== String(entry.body.length))
  )
}
