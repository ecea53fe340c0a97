// core/middleware/inert-worker.ts: a worker that does nothing, for `sluice explain` and for tests of single middlewares.
//
// Hot: no. Its shared memory is its own: nothing was counted, no breaker is open.

import { inertCache } from '../cache/contract.ts'
import { SLOT_TABLE_BYTES, SlotTable } from '../shared/slot-table.ts'
import type { WorkerServices } from './worker.ts'

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
    shared: { states: new SlotTable(new SharedArrayBuffer(SLOT_TABLE_BYTES)) },
    cache: inertCache,
    ...over,
  }
}
