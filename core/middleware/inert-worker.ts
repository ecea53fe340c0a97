// core/middleware/inert-worker.ts: a worker that does nothing, for `sluice explain` and for tests of single middlewares.
//
// Hot: no. Its shared memory is its own: nothing was counted, no breaker is open.

import { inertCache } from '../cache/contract.ts'
import { BUCKETS_BYTES, Buckets } from '../shared/buckets.ts'
import { InFlightCounts, inFlightBytes } from '../shared/in-flight-counts.ts'
import { NONCE_TABLE_BYTES, NonceTable } from '../shared/nonce-table.ts'
import { SLOT_TABLE_BYTES, SlotTable } from '../shared/slot-table.ts'
import type { SharedTables, WorkerServices } from './worker.ts'

const uncounted = { failed: false, waitMs: 0, remaining: 0, resetMs: 0 }
const nothing = (): void => {}

export function inertWorker(over: Partial<WorkerServices> = {}): WorkerServices {
  return {
    preciseNow: () => 0,
    wake: nothing,
    after: () => nothing,
    watch: nothing,
    elapsed: () => 0,
    ask: () => nothing,
    copyTo: () => true,
    counter: () => ({ add: nothing }),
    cache: inertCache,
    hasFiles: true,
    limitStore: () => ({ take: () => uncounted }), // no store is asked: it would count
    shared: new InertTables(),
    ...over,
  }
}

// Each is made when it is asked for: most middlewares need none.
class InertTables implements SharedTables {
  private ownStates: SlotTable | null = null
  private ownBuckets: Buckets | null = null
  private ownNonces: NonceTable | null = null
  private ownInFlight: InFlightCounts | null = null

  get states(): SlotTable {
    return (this.ownStates ??= new SlotTable(new SharedArrayBuffer(SLOT_TABLE_BYTES)))
  }

  get nonces(): NonceTable {
    return (this.ownNonces ??= new NonceTable(new SharedArrayBuffer(NONCE_TABLE_BYTES)))
  }

  get buckets(): Buckets {
    return (this.ownBuckets ??= new Buckets(new SharedArrayBuffer(BUCKETS_BYTES), 0))
  }

  get inFlight(): InFlightCounts {
    return (this.ownInFlight ??= new InFlightCounts(new SharedArrayBuffer(inFlightBytes(1)), 0))
  }
}
