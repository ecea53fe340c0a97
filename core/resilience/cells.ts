// core/resilience/cells.ts: one slot of core/shared/slot-table.ts, as 32 integers that any worker changes by atomics.
//
// Where the table is full the cells are the worker's own, and what they count is not shared.

import { CELLS, type SlotTable } from '../shared/slot-table.ts'

const INTEGERS = CELLS * 2

export class CellBlock {
  private readonly integers: Int32Array
  private readonly at: number

  constructor(integers: Int32Array, at: number) {
    this.integers = integers
    this.at = at
  }

  load(cell: number): number {
    return Atomics.load(this.integers, this.at + cell)
  }

  store(cell: number, value: number): void {
    Atomics.store(this.integers, this.at + cell, value)
  }

  // The value before.
  add(cell: number, amount: number): number {
    return Atomics.add(this.integers, this.at + cell, amount)
  }

  // True for the one who changed it.
  exchangeIf(cell: number, from: number, to: number): boolean {
    return Atomics.compareExchange(this.integers, this.at + cell, from, to) === from
  }
}

export function claimCells(table: SlotTable, name: string): CellBlock {
  const slot = table.claim(name)
  if (slot < 0) return new CellBlock(new Int32Array(INTEGERS), 0)
  return new CellBlock(table.integers, slot * INTEGERS)
}

// null: nobody has claimed them.
export function findCells(table: SlotTable, name: string): CellBlock | null {
  const slot = table.find(name)
  return slot < 0 ? null : new CellBlock(table.integers, slot * INTEGERS)
}
