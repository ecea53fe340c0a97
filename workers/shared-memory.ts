// workers/shared-memory.ts: the memory that all workers of the process write, and each worker's view of it.
//
// Owner:  the supervisor makes it, before the first worker. Address space only: pages are there once they are written.
// Hot: no.

import type { SharedTables } from '../core/middleware/worker.ts'
import { BUCKETS_BYTES, Buckets } from '../core/shared/buckets.ts'
import { CACHE_BOARD_BYTES } from '../core/shared/cache-board.ts'
import { InFlightCounts, inFlightBytes } from '../core/shared/in-flight-counts.ts'
import { NONCE_TABLE_BYTES, NonceTable } from '../core/shared/nonce-table.ts'
import { spoolBudgetBytes } from '../core/shared/spool-budget.ts'
import { SLOT_TABLE_BYTES, SlotTable } from '../core/shared/slot-table.ts'
import { cryptoModule } from './builtins.ts'
import type { SharedMemory, WorkerPlan } from './messages.ts'

const SECRET_BYTES = 8

export function newSharedMemory(workers: number): SharedMemory {
  return {
    states: new SharedArrayBuffer(SLOT_TABLE_BYTES),
    cache: new SharedArrayBuffer(CACHE_BOARD_BYTES),
    buckets: withSecret(BUCKETS_BYTES),
    inFlight: withSecret(inFlightBytes(workers)),
    nonces: nonceMemory(),
    spool: new SharedArrayBuffer(spoolBudgetBytes(workers)),
  }
}

// Tables whose keys clients choose begin with the key of their hash.
function withSecret(bytes: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(bytes)
  new Uint8Array(memory).set(cryptoModule().randomBytes(SECRET_BYTES))
  return memory
}

function nonceMemory(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(NONCE_TABLE_BYTES)
  const { secret } = new NonceTable(memory)
  secret.set(cryptoModule().randomBytes(secret.length))
  return memory
}

// A worker looks at a table once something of its configuration needs it; then it also puts in order what a dead thread of
// its number has left there.
export class WorkerTables implements SharedTables {
  readonly states: SlotTable
  readonly nonces: NonceTable
  private readonly plan: WorkerPlan
  private ownBuckets: Buckets | null = null
  private ownInFlight: InFlightCounts | null = null

  constructor(plan: WorkerPlan) {
    this.plan = plan
    this.states = new SlotTable(plan.shared.states)
    this.nonces = new NonceTable(plan.shared.nonces)
  }

  get buckets(): Buckets {
    return (this.ownBuckets ??= new Buckets(this.plan.shared.buckets, this.plan.index))
  }

  get inFlight(): InFlightCounts {
    return (this.ownInFlight ??= new InFlightCounts(this.plan.shared.inFlight, this.plan.index))
  }
}
