// core/cache/contract.ts: what the cache middleware asks of its worker: a place for responses, and word from the others.
//
// Also a cache for other things, of one worker alone (BoundedCache). The worker implements it (workers/cache); tests and
// `sluice explain` have one that stores nothing (inertCache).
// Hot: find and join run once per request.

import type { Exchange } from '../exchange.ts'
import type { CacheEntry } from './entry.ts'
import type { Fields } from './fields.ts'
import type { RecordingRoom } from './recorder.ts'
import type { TierPlan, TierPolicy } from './tier.ts'

export interface TierLimits {
  readonly plan: TierPlan
  readonly policy: TierPolicy
}

export interface StoreLimits {
  readonly bytesMax: number // of all workers together: they share the bodies
  readonly entryBytesMax: number // of one body
  readonly collapseMs: number // at the most so long a request waits for another one's response; 0: never
  readonly tier: TierLimits | null // shared by gateways; null: memory only
}

// What a request may do that found nothing it can be answered with.
export const LEAD = 0 // ask the server; others wait for what comes of it: settle must follow
export const WAITING = 1 // somebody asks: the exchange is woken when that is settled, or takes too long
export const ALONE = 2 // ask the server; nobody waits
export type Part = typeof LEAD | typeof WAITING | typeof ALONE

// What became of a request that others have waited for.
export const STORED = 0
export const UNSTORABLE = 1 // for a moment requests go to the server side by side
export const FAILED = 2 // it never came, or not whole: one of those who waited asks again
export type Outcome = typeof STORED | typeof UNSTORABLE | typeof FAILED

export interface CacheStore extends RecordingRoom {
  readonly limits: StoreLimits
  // What is stored for the URL and these fields, if nobody has purged it. `place` is set to the key that it has, or would
  // have.
  find(base: string, request: Fields): CacheEntry | null
  readonly place: string
  put(base: string, entry: CacheEntry): void // here and, by message, in the other workers
  // Asks the second tier for what `find` has not found; what it has lies in memory then. True: the exchange is woken, after
  // a bounded time, whatever comes of it.
  askTier(base: string, place: string, exchange: Exchange): boolean
  readonly isTiered: boolean
  invalidate(url: string): void // whatever is stored of it, in all workers, at once
  join(place: string, exchange: Exchange): Part
  lead(place: string): boolean // true: as LEAD; false: somebody else does
  settle(place: string, outcome: Outcome): void
  leave(place: string, exchange: Exchange): void // it does not wait any more
  // The server fails: for a moment what is stale is served without asking it.
  holdOff(place: string): void
  isHeldOff(place: string): boolean
}

// What shall not be served any more: one of the four.
export interface PurgeWish {
  readonly store: string // name of the middleware; '' for all
  readonly url: string
  readonly tag: string
  readonly prefix: string // of URLs
  readonly all: boolean
}

// Things by a key, so many and so many bytes of them at the most; what was not used for longest gives way.
export interface BoundedCache<T extends object> {
  get(key: string): T | undefined
  set(key: string, value: T, bytes: number): void
  delete(key: string): void
  readonly size: number
}

export interface PurgeResult {
  readonly count: number // of responses in memory
  readonly late: readonly string[] // caches whose other gateways are told when Redis answers again
}

export interface CacheServices {
  bounded<T extends object>(entriesMax: number, bytesMax: number): BoundedCache<T>
  // The one of this name; what it holds outlives generations as long as its limits stay the same.
  open(name: string, limits: StoreLimits): CacheStore
  wallNow(): number // milliseconds since the epoch
  date(): string // the same as a Date header has it, exact to a second
  // Asks for the response once more, with nobody waiting for it: as this exchange would, from this middleware on.
  // `arrange` is called with the exchange that does it before it goes on. False: too many are under way.
  refresh(exchange: Exchange, arrange: (own: Exchange) => void): boolean
}

const nothing: CacheStore = {
  limits: { bytesMax: 0, entryBytesMax: 0, collapseMs: 0, tier: null },
  place: '',
  find: () => null,
  put: () => {},
  reserve: () => true,
  giveBack: () => {},
  askTier: () => false,
  isTiered: false,
  invalidate: () => {},
  join: () => ALONE,
  lead: () => false,
  settle: () => {},
  leave: () => {},
  holdOff: () => {},
  isHeldOff: () => false,
}

export const inertCache: CacheServices = {
  bounded: () => ({ get: () => undefined, set: () => {}, delete: () => {}, size: 0 }),
  open: (_name, limits) => ({ ...nothing, limits, isTiered: limits.tier !== null }),
  wallNow: () => 0,
  date: () => 'Thu, 01 Jan 1970 00:00:00 GMT',
  refresh: () => false,
}
