// core/shared/spool-budget.ts: how many bytes of bodies the files of all workers hold, and how many they may.
//
// Owner:  the supervisor makes the memory; each worker takes and gives back. Hot: once per 64 KiB of a body in a file.
//
//   cell 0 all blocks | 1 + worker: those of one worker, so that its successor gives back what a dead thread held

export const SPOOL_BLOCK = 64 * 1024 // files are counted in whole blocks: an Int32 of bytes would end at 2 GiB

export function spoolBudgetBytes(workers: number): number {
  return (1 + workers) * 4
}

export class SpoolBudget {
  private readonly cells: Int32Array
  private readonly own: number
  private readonly blocksMax: number

  constructor(memory: SharedArrayBuffer, worker: number, bytesMax: number) {
    this.cells = new Int32Array(memory)
    this.own = 1 + worker
    this.blocksMax = Math.min(Math.floor(bytesMax / SPOOL_BLOCK), 0x3fffffff)
    this.giveBack(this.cells[this.own]!)
  }

  // One block more. False: all of them are in use.
  take(): boolean {
    if (Atomics.add(this.cells, 0, 1) >= this.blocksMax) {
      Atomics.sub(this.cells, 0, 1)
      return false
    }
    Atomics.add(this.cells, this.own, 1)
    return true
  }

  giveBack(blocks: number): void {
    if (blocks === 0) return
    Atomics.sub(this.cells, this.own, blocks)
    Atomics.sub(this.cells, 0, blocks)
  }
}

// Of all workers.
export function spooledBytes(memory: SharedArrayBuffer): number {
  return Atomics.load(new Int32Array(memory), 0) * SPOOL_BLOCK
}
