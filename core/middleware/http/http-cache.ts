// core/middleware/http/http-cache.ts: answers GET and HEAD from what was stored of earlier responses (RFC 9111).
//
// Hot: yes. A hit makes a key, finds an entry and compares times; it leaves no note and needs no response phase. What
// the words of requests and responses mean is decided in core/cache; where entries lie and how workers tell each other
// is behind core/cache/contract.ts.
//
//   onRequest  fresh -----------------> ANSWERED
//              stale, may be served --> ANSWERED, and the server is asked in the background
//              somebody asks ---------> AGAIN (woken: looks once more)
//              there is a second tier > AGAIN (woken when it has answered, or takes too long)
//              else ------------------> NEXT, with a note
//   onResponse (response phase)         stores, renews by 304, serves stale for an error, or invalidates

import { type CacheStore, FAILED, LEAD, STORED, WAITING } from '../../cache/contract.ts'
import {
  type RequestDirectives,
  noRequestDirectives,
  requestDirectives,
} from '../../cache/directives.ts'
import { type CacheEntry, VALIDATE_ALWAYS } from '../../cache/entry.ts'
import { SeenFields } from '../../cache/fields.ts'
import { URL_MAX, urlOf } from '../../cache/key.ts'
import { settle } from '../../cache/making.ts'
import {
  ASIDE,
  CacheNote,
  FETCH,
  LOOK,
  type Purpose,
  UNSAFE,
  askAbout,
  conditionsOf,
} from '../../cache/note.ts'
import type { Conditions } from '../../cache/preconditions.ts'
import { ResponseSide } from '../../cache/response-side.ts'
import { FRESH, REFRESH, VALIDATE, mayServeOnError, usable, useOf } from '../../cache/reuse.ts'
import { serve } from '../../cache/serving.ts'
import { addHit } from '../../cache/status-fields.ts'
import type { TierPlan } from '../../cache/tier.ts'
import { NOT_IN_CACHE } from '../../errors.ts'
import {
  type Exchange,
  METHOD_GET,
  METHOD_HEAD,
  METHOD_OPTIONS,
  METHOD_TRACE,
  SAW_UPGRADE,
  hasRequestBody,
} from '../../exchange.ts'
import {
  AUTHORIZATION,
  CACHE_CONTROL,
  IF_MATCH,
  IF_MODIFIED_SINCE,
  IF_NONE_MATCH,
  IF_UNMODIFIED_SINCE,
  PRAGMA,
  RANGE,
} from '../../header-ids.ts'
import type { Head } from '../../headers.ts'
import { AGAIN, ANSWERED, KEEP, NEXT, RequestMiddleware } from '../contract.ts'
import type { MiddlewareContext, ResponseVerdict, Verdict } from '../contract.ts'
import { refuseWith } from '../refuse.ts'
import type { WorkerServices } from '../worker.ts'

export interface HttpCacheOptions {
  readonly maxTtl: number // seconds
  readonly disableCacheStatusHeader: boolean
  readonly cacheStatus: boolean
  readonly heuristicFreshness: boolean
  readonly storeSetCookie: boolean
  readonly staleIfError: number // milliseconds
  readonly collapseTimeout: number // milliseconds
  readonly store: {
    readonly memory: { readonly limit: number; readonly entryLimit: number }
    readonly redis: TierPlan | null
  }
}

// What a request says that matters here.
const CONTROLLED = 1 // Cache-Control or Pragma
const AUTHORIZED = 2
const CONDITIONAL = 4 // If-None-Match, If-Modified-Since, Range
const FOR_THE_SERVER = 8 // If-Match, If-Unmodified-Since: about the server's own state
const saying = new Uint8Array(256)
saying[CACHE_CONTROL] = CONTROLLED
saying[PRAGMA] = CONTROLLED
saying[AUTHORIZATION] = AUTHORIZED
saying[IF_NONE_MATCH] = CONDITIONAL
saying[IF_MODIFIED_SINCE] = CONDITIONAL
saying[RANGE] = CONDITIONAL
saying[IF_MATCH] = FOR_THE_SERVER
saying[IF_UNMODIFIED_SINCE] = FOR_THE_SERVER

function said(request: Head): number {
  const { ids, count } = request
  let bits = 0
  for (let line = 0; line < count; line++) bits |= saying[ids[line]!]!
  for (let i = 0; i < request.extraCount; i++) bits |= saying[request.extraId(i)]!
  return bits
}

const WAITS_MAX = 2 // then a request goes to the server by itself

export class HttpCache extends RequestMiddleware {
  readonly kind = 'httpCache'
  override readonly hasResponse = true
  override readonly hasFinish = true
  private readonly worker: WorkerServices
  private readonly store: CacheStore
  private readonly side: ResponseSide
  private readonly scope: string
  private readonly options: HttpCacheOptions

  constructor(name: string, options: HttpCacheOptions, context: MiddlewareContext) {
    super(name)
    this.options = options
    this.worker = context.worker
    this.scope = context.scope + '\n'
    const policy = {
      maxTtlMs: options.maxTtl * 1000,
      storesCookies: options.storeSetCookie,
      heuristic: options.heuristicFreshness,
      staleIfErrorMs: options.staleIfError,
    }
    const { memory, redis } = options.store
    this.store = context.worker.cache.open(name, {
      bytesMax: memory.limit,
      entryBytesMax: memory.entryLimit,
      collapseMs: options.collapseTimeout,
      tier: redis === null ? null : { plan: redis, policy },
    })
    const fields = { short: !options.disableCacheStatusHeader, long: options.cacheStatus }
    this.side = new ResponseSide(name, this.worker, this.store, policy, fields)
  }

  onRequest(exchange: Exchange): Verdict {
    const before = this.noteOf(exchange)
    if (before !== null) return this.lookAgain(exchange, before)
    const { methodId } = exchange
    if (methodId !== METHOD_GET && methodId !== METHOD_HEAD) return this.passUncached(exchange)
    const bits = said(exchange.request)
    if ((bits & FOR_THE_SERVER) !== 0 || isUnusual(exchange)) return this.aside(exchange)
    const url = urlOf(exchange)
    if (url.length > URL_MAX) return this.aside(exchange)
    const asked = (bits & CONTROLLED) === 0 ? noRequestDirectives : askedBy(exchange.request)
    if (asked.noStore) return this.aside(exchange)
    const conditions = (bits & CONDITIONAL) === 0 ? null : conditionsOf(exchange)
    return this.look(exchange, url, asked, conditions, (bits & AUTHORIZED) !== 0)
  }

  private look(
    exchange: Exchange,
    url: string,
    asked: RequestDirectives,
    conditions: Conditions | null,
    authorized: boolean,
  ): Verdict {
    const { store } = this
    const base = this.scope + url
    const entry = usable(store.find(base, exchange.request), authorized)
    const now = this.worker.preciseNow()
    if (entry !== null && this.mayServe(exchange, entry, asked, conditions, now, ''))
      return ANSWERED
    if (asked.onlyIfCached && !store.isTiered) return refuseWith(exchange, NOT_IN_CACHE, 0)
    const purpose = exchange.methodId === METHOD_HEAD ? LOOK : FETCH
    const note = this.keepNote(
      exchange,
      new CacheNote(purpose, url, base, asked, conditions, authorized),
    )
    return this.fetch(exchange, note, entry, store.place)
  }

  // Answers from the entry if it may.
  private mayServe(
    exchange: Exchange,
    entry: CacheEntry,
    asked: RequestDirectives,
    conditions: Conditions | null,
    now: number,
    detail: string,
  ): boolean {
    const use = useOf(entry, asked, now)
    if (use === VALIDATE && !this.standsIn(entry, asked, now)) return false
    if (use === REFRESH) this.refresh(exchange, entry)
    const wallMs = conditions === null ? 0 : this.worker.cache.wallNow()
    serve(exchange, entry, conditions, now, wallMs)
    const stale = use !== FRESH || now >= entry.freshUntil
    this.side.counts(stale ? 'stale' : 'hit')
    addHit(this.side.fields, exchange.response, entry.freshUntil - now, detail)
    return true
  }

  // The server has just failed: it is not asked again for a moment.
  private standsIn(entry: CacheEntry, asked: RequestDirectives, now: number): boolean {
    const fits = asked === noRequestDirectives && mayServeOnError(entry, now)
    return fits && this.store.isHeldOff(entry.key)
  }

  // On to the server; or waits for somebody who asks it the same.
  private fetch(
    exchange: Exchange,
    note: CacheNote,
    entry: CacheEntry | null,
    place: string,
  ): Verdict {
    note.entry = entry
    if (!note.leads) note.place = place // those who wait do so where it was
    if (!note.leads && this.collapses(note)) {
      const part = this.store.join(place, exchange)
      if (part === WAITING) {
        note.waiting = true
        note.waits++
        return AGAIN
      }
      note.leads = part === LEAD
    }
    if (this.asksTier(exchange, note, place)) return AGAIN
    if (note.asked.onlyIfCached) return this.refuseUncached(exchange)
    note.seen ??= new SeenFields(exchange.request)
    if (note.purpose === FETCH && entry !== null) note.validating = askAbout(exchange, entry)
    note.askedAt = this.worker.preciseNow()
    return NEXT
  }

  // One of those who want the same asks for all of them. What its server must be asked about anyway is not asked for here.
  private asksTier(exchange: Exchange, note: CacheNote, place: string): boolean {
    const { asked, entry, base } = note
    if (!this.store.isTiered || note.askedTier || asked.noCache) return false
    if (entry !== null && (entry.flags & VALIDATE_ALWAYS) !== 0) return false
    note.askedTier = true
    return this.store.askTier(base, place, exchange)
  }

  private refuseUncached(exchange: Exchange): Verdict {
    exchange.notes!.delete(this)
    return refuseWith(exchange, NOT_IN_CACHE, 0)
  }

  // Requests that want something else than the response as it would be stored ask for themselves, and so do those
  // for a response that each of them must have validated.
  private collapses({ purpose, asked, conditions, entry, waits }: CacheNote): boolean {
    if (purpose !== FETCH || asked !== noRequestDirectives || waits >= WAITS_MAX) return false
    return entry === null ? conditions === null : (entry.flags & VALIDATE_ALWAYS) === 0
  }

  // What it has waited for is settled, or takes too long.
  private lookAgain(exchange: Exchange, note: CacheNote): Verdict {
    const detail = note.waiting ? '' : '; detail=redis' // it was asked, and only then is there something
    note.waiting = false
    const found = this.store.find(note.base, exchange.request)
    const { place } = this.store
    const entry = usable(found, note.authorized)
    const now = this.worker.preciseNow()
    const { asked, conditions } = note
    if (entry === null || !this.mayServe(exchange, entry, asked, conditions, now, detail))
      return this.fetch(exchange, note, entry, place)
    settle(this.store, note, STORED)
    exchange.notes!.delete(this)
    return ANSWERED
  }

  private refresh(exchange: Exchange, entry: CacheEntry): void {
    const { store } = this
    const place = entry.key
    if (!store.lead(place)) return // somebody does
    const url = entry.url
    const authorized = exchange.request.has('authorization')
    const note = new CacheNote(FETCH, url, this.scope + url, noRequestDirectives, null, authorized)
    note.background = true
    note.entry = entry
    note.place = place
    note.leads = true
    const begun = this.worker.cache.refresh(exchange, (own) => {
      note.seen = new SeenFields(own.request)
      note.validating = askAbout(own, entry)
      note.askedAt = this.worker.preciseNow()
      this.keepNote(own, note)
    })
    if (!begun) settle(store, note, FAILED)
  }

  private passUncached(exchange: Exchange): Verdict {
    const { methodId } = exchange
    const isSafe = methodId === METHOD_OPTIONS || methodId === METHOD_TRACE
    return this.leave(exchange, isSafe ? ASIDE : UNSAFE)
  }

  private aside(exchange: Exchange): Verdict {
    return this.leave(exchange, ASIDE)
  }

  private leave(exchange: Exchange, purpose: Purpose): Verdict {
    const url = purpose === UNSAFE ? urlOf(exchange) : ''
    this.keepNote(exchange, new CacheNote(purpose, url, '', noRequestDirectives, null, false))
    return NEXT
  }

  private keepNote(exchange: Exchange, note: CacheNote): CacheNote {
    exchange.notes ??= new Map()
    exchange.notes.set(this, note)
    return note
  }

  private noteOf(exchange: Exchange): CacheNote | null {
    const note = exchange.notes?.get(this)
    return note instanceof CacheNote ? note : null
  }

  override onResponse(exchange: Exchange): ResponseVerdict {
    const note = this.noteOf(exchange)
    if (note !== null && exchange.status >= 200) this.side.responded(exchange, note)
    return KEEP
  }

  override onFinish(exchange: Exchange): void {
    const note = this.noteOf(exchange)
    if (note === null) return
    exchange.notes!.delete(this)
    if (note.waiting) this.store.leave(note.place, exchange)
    note.recording?.release()
    settle(this.store, note, FAILED)
  }

  explain(exchange: Exchange): string {
    const { maxTtl, store } = this.options
    const mebibytes = Math.round((store.memory.limit / 1_048_576) * 10) / 10
    const tier = store.redis === null ? '' : ', or else from Redis,'
    const { methodId } = exchange
    const reads = methodId === METHOD_GET || methodId === METHOD_HEAD
    const what = reads
      ? `Answers from memory (${mebibytes} MiB)${tier} while a response for ${urlOf(exchange)} is fresh, ${maxTtl} s at the most`
      : `Passes ${exchange.method} on; its success invalidates what is stored for ${urlOf(exchange)}`
    return what + '.'
  }
}

// A request with a body or for another protocol is about more than its URL.
function isUnusual(exchange: Exchange): boolean {
  return (exchange.facts & SAW_UPGRADE) !== 0 || hasRequestBody(exchange)
}

// Pragma is Cache-Control of clients that know no other (RFC 9111, section 5.4).
function askedBy(request: Head): RequestDirectives {
  const lines = request.getAll('cache-control')
  if (lines.length > 0) return requestDirectives(lines)
  const pragma = request.getAll('pragma').join(',').toLowerCase()
  return pragma.includes('no-cache') ? requestDirectives(['no-cache']) : noRequestDirectives
}
