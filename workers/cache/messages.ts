// workers/cache/messages.ts: what the caches of workers tell each other, by way of the supervisor (relay.ts).
//
//   worker                      supervisor                     other workers
//     | -- entry ------------------>| -- entry ------------------->|   each answers taken
//     |<------------------- taken --|                              |
//     | -- evicted, settled ------->| -- evicted, settled -------->|
//     |<-------------------- purge--|-- purge -------------------->|   each answers purged
//
// The body of an entry lies in shared memory: what travels is its head. Entries are dropped, for one worker, while it is
// behind; the others are small and few.

import type { Outcome, PurgeWish } from '../../core/cache/contract.ts'
import type { CacheEntry } from '../../core/cache/entry.ts'

export const ENTRIES_UNDERWAY_MAX = 256 // to one receiver, not taken yet

// To all other workers.
export type CacheNews =
  | {
      readonly kind: 'entry'
      readonly store: string
      readonly base: string
      readonly entry: CacheEntry
    }
  | { readonly kind: 'evicted'; readonly store: string; readonly keys: readonly string[] }
  | {
      readonly kind: 'settled'
      readonly store: string
      readonly place: string
      readonly outcome: Outcome
    }

export type CacheToWorker =
  | CacheNews
  | { readonly kind: 'taken' } // an entry of this worker was passed on, or dropped
  | {
      readonly kind: 'purge'
      readonly id: number
      readonly at: number
      readonly wish: PurgeWish
      readonly tells: boolean // this worker tells other gateways, by way of Redis
    }

export type CacheFromWorker =
  | CacheNews
  | { readonly kind: 'taken' } // an entry of another one was read
  | {
      readonly kind: 'purged'
      readonly id: number
      readonly count: number
      readonly late: readonly string[] // stores whose Redis is told when it answers again
    }
