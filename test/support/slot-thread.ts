// test/support/slot-thread.ts: a thread that uses a slot table as a worker does: builds generations, adopts them, lets old ones
// live on for a while and writes to their records to the last. For test/behaviour/reload/slot-threads.test.ts.

import { workerData } from 'node:worker_threads'
import { CELLS, SlotTable } from '../../core/shared/slot-table.ts'

export interface SlotThreadPlan {
  readonly index: number
  readonly table: SharedArrayBuffer
  readonly board: SharedArrayBuffer // Int32: TARGET, GENERATION, FAULT, ID, then PREPARED and OLDEST of each thread
  readonly slots: SharedArrayBuffer // Int32: 1 + slot of a name in a generation, at number * NAMES + name
  readonly seed: number
}

export const TARGET = 0 // is to be built
export const GENERATION = 1 // is to be adopted
export const FAULT = 2 // the first thing that went wrong
export const FAULT_NAME = 3
export const rowOf = (thread: number): number => 4 + thread * 2
export const PREPARED = 0
export const OLDEST = 1

// What can go wrong.
export const STRANGER = 1 // a record holds another name
export const TWO_SLOTS = 2 // two threads have different slots for a name
export const MOVED = 3 // a name that stayed has another slot
export const FULL = 4

export const NAMES = 500 // each comes back after a while
const STEADY = 8 // in every generation
const PASSING = 24 // in some generations in a row
const STEP = 6 // new ones per generation
const ALIVE_MAX = 4 // generations at once

export function namesOf(generation: number): number[] {
  const steady = Array.from({ length: STEADY }, (_, i) => i)
  const passing = Array.from(
    { length: PASSING },
    (_, i) => STEADY + ((generation * STEP + i) % (NAMES - STEADY)),
  )
  return [...steady, ...passing]
}

class SlotThread {
  private readonly plan: SlotThreadPlan
  private readonly table: SlotTable
  private readonly board: Int32Array
  private readonly slots: Int32Array
  private readonly row: number
  private readonly alive: { readonly number: number; readonly slots: Map<number, number> }[] = []
  private random: number

  constructor(plan: SlotThreadPlan) {
    this.plan = plan
    this.table = new SlotTable(plan.table)
    this.board = new Int32Array(plan.board)
    this.slots = new Int32Array(plan.slots)
    this.row = rowOf(plan.index)
    this.random = plan.seed
  }

  run(): never {
    let built = 0
    for (;;) {
      const target = Atomics.load(this.board, TARGET)
      if (target > built) {
        this.build(target)
        built = target
        Atomics.store(this.board, this.row + PREPARED, target)
        while (Atomics.load(this.board, GENERATION) < target) this.write()
        Atomics.store(this.board, this.row + OLDEST, this.alive[0]!.number)
      }
      this.write()
      if (this.alive.length > ALIVE_MAX || (this.alive.length > 1 && this.chance(3))) this.retire()
    }
  }

  private build(number: number): void {
    this.table.generation = number
    const before = this.alive.at(-1)?.slots
    const slots = new Map<number, number>()
    for (const name of namesOf(number)) {
      const kept = before?.get(name)
      // Half of what stays is built anew all the same.
      const slot = kept === undefined || this.chance(2) ? this.table.claim(`name ${name}`) : kept
      if (slot < 0) this.fault(FULL, name)
      if (kept !== undefined && kept !== slot) this.fault(MOVED, name)
      this.table.keep(slot)
      const at = number * NAMES + name
      const other = Atomics.compareExchange(this.slots, at, 0, slot + 1)
      if (other !== 0 && other !== slot + 1) this.fault(TWO_SLOTS, name)
      slots.set(name, slot)
    }
    this.alive.push({ number, slots })
  }

  // Each record says whose it is: it was 0 before, or the same.
  private write(): void {
    for (const { slots } of this.alive) {
      for (const [name, slot] of slots) {
        const cell = slot * CELLS * 2
        const before = Atomics.compareExchange(this.table.integers, cell, 0, name + 1)
        if (before !== 0 && before !== name + 1) this.fault(STRANGER, name)
        this.table.integers[cell + CELLS * 2 - 1] = name + 1
      }
    }
  }

  private retire(): void {
    this.alive.shift()
    Atomics.store(this.board, this.row + OLDEST, this.alive[0]!.number)
  }

  private fault(what: number, name: number): void {
    if (Atomics.compareExchange(this.board, FAULT, 0, what) === 0)
      Atomics.store(this.board, FAULT_NAME, name)
  }

  private chance(of: number): boolean {
    this.random = (Math.imul(this.random, 1_664_525) + 1_013_904_223) >>> 0
    return (this.random >>> 16) % of === 0
  }
}

const isThread = (workerData as SlotThreadPlan | null)?.table instanceof SharedArrayBuffer
if (isThread) new SlotThread(workerData as SlotThreadPlan).run() // others import the names
