// The slot table under real threads: they build generations while slots of older ones are given back, and some end in the
// middle of it. What each of them must never see is in test/support/slot-thread.ts.

import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { CELLS, SlotTable, slotTableBytes } from '../../../core/shared/slot-table.ts'
import {
  FAULT,
  FAULT_NAME,
  GENERATION,
  NAMES,
  OLDEST,
  PREPARED,
  type SlotThreadPlan,
  TARGET,
  namesOf,
  rowOf,
} from '../../support/slot-thread.ts'

const THREADS = 3
const SLOTS = 256
const GENERATIONS = 400
const KILLED_EVERY = 80 // generations

class Threads {
  readonly table: SlotTable
  readonly board: Int32Array
  given = 0 // back
  private readonly memory = new SharedArrayBuffer(slotTableBytes(SLOTS))
  private readonly slots = new SharedArrayBuffer((GENERATIONS + 2) * NAMES * 4)
  private readonly threads: Worker[] = []
  private sweptTo = 0

  constructor() {
    this.table = new SlotTable(this.memory)
    this.board = new Int32Array(new SharedArrayBuffer(rowOf(THREADS) * 4))
    for (let index = 0; index < THREADS; index++) this.start(index)
  }

  private start(index: number): void {
    const plan: SlotThreadPlan = {
      index,
      table: this.memory,
      board: this.board.buffer as SharedArrayBuffer,
      slots: this.slots,
      seed: index * 1000 + Atomics.load(this.board, TARGET),
    }
    const url = new URL('../../support/slot-thread.ts', import.meta.url)
    this.threads[index] = new Worker(url, { workerData: plan })
  }

  async replace(index: number): Promise<void> {
    await this.threads[index]!.terminate()
    this.board.fill(0, rowOf(index), rowOf(index + 1))
    this.start(index)
  }

  // As the supervisor does: one is built at a time, and adopted once all have built it. Meanwhile slots are given back.
  async serve(number: number, isKilled: boolean): Promise<void> {
    Atomics.store(this.board, TARGET, number)
    if (isKilled) await this.replace(number % THREADS)
    while (!this.all((row) => Atomics.load(this.board, row + PREPARED) === number))
      await this.look()
    Atomics.store(this.board, GENERATION, number)
  }

  async look(): Promise<void> {
    expect([this.board[FAULT], this.board[FAULT_NAME]]).toEqual([0, 0])
    const { oldest } = this
    if (oldest > this.sweptTo) {
      this.sweptTo = oldest
      this.given += this.table.sweep(oldest, Atomics.load(this.board, TARGET) + 1)
    }
    await new Promise((resolve) => setImmediate(resolve))
  }

  get oldest(): number {
    let oldest = Infinity
    this.all((row) => (oldest = Math.min(oldest, Atomics.load(this.board, row + OLDEST))) >= 0)
    return oldest
  }

  private all(holds: (row: number) => boolean): boolean {
    return Array.from({ length: THREADS }, (_, index) => rowOf(index)).every(holds)
  }

  async end(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.terminate()))
  }
}

test('threads that build, write late and die never meet in a slot, and what is given back is empty', async () => {
  const threads = new Threads()
  try {
    for (let number = 1; number <= GENERATIONS; number++)
      await threads.serve(number, number % KILLED_EVERY === 0)
    while (threads.oldest < GENERATIONS) await threads.look()
    await threads.look()
  } finally {
    await threads.end()
  }
  const { table } = threads
  const last = namesOf(GENERATIONS)
  const slots = last.map((name) => table.find(`name ${name}`))
  expect(new Set(slots).size).toBe(last.length)
  expect(slots).not.toContain(-1)
  expect(table.used).toBe(last.length)
  expect(threads.given).toBeGreaterThan(SLOTS) // all of it has changed hands
  for (let slot = 0; slot < SLOTS; slot++) {
    if (slots.includes(slot)) continue
    const cells = table.bigs.subarray(slot * CELLS, (slot + 1) * CELLS)
    expect(cells.every((cell) => cell === 0n)).toBe(true)
  }
})
