// workers/cache/gauges.ts: how much each worker's index of a store holds, in the memory that all threads share.
//
// The worker writes its own slot; the supervisor reads them all. Hot: no.

import { CELLS, type SlotTable } from '../../core/shared/slot-table.ts'

export const BYTES_CELL = 0
export const ENTRIES_CELL = 1
export const TIER_CELL = 2

// Whether the second tier is asked; 0 where there is none.
export const REACHED = 1
export const AWAY = 2

export function gaugeName(store: string, worker: number): string {
  return `cache ${store} ${worker}`
}

export interface StoreGauge {
  readonly bytes: number
  readonly entries: number
  readonly away: boolean // the Redis of some worker
}

// All workers know the same responses, give or take what is under way: the largest of them is what there is.
export function readGauge(states: SlotTable, store: string, workers: number): StoreGauge {
  let bytes = 0
  let entries = 0
  let away = false
  for (let worker = 0; worker < workers; worker++) {
    const slot = states.find(gaugeName(store, worker))
    if (slot < 0) continue
    bytes = Math.max(bytes, states.numbers[slot * CELLS + BYTES_CELL]!)
    entries = Math.max(entries, states.numbers[slot * CELLS + ENTRIES_CELL]!)
    if (states.numbers[slot * CELLS + TIER_CELL] === AWAY) away = true
  }
  return { bytes, entries, away }
}
