// core/shared/slot-table.ts: small records that all threads share by name: counts in flight, breakers, ejections.
//
// Owner:  the process. Any thread finds or claims the slot of a name; a slot once claimed is never given back, so
//         what is found can be kept. Names are of the configuration, not of clients: whoever needs a slot per
//         client needs a table that forgets (buckets of rate limits do).
// Hot:    yes, for the cells; finding a slot is done when a generation is built.
//
// Memory of one table: a key of 8 bytes per slot, then CELLS cells of 8 bytes each. A name is known by 64 bits of
// its hash; among 16,384 names the chance that any two agree is below 1 in 10^10. Key 0 is a free slot.

export const SLOTS = 16_384
export const CELLS = 16 // a cache line pair: writers of different slots do not disturb each other
const KEY_BYTES = SLOTS * 8
export const SLOT_TABLE_BYTES = KEY_BYTES + SLOTS * CELLS * 8
const MASK = BigInt(SLOTS - 1)
const PROBES_MAX = 256 // further than this from its place the table is as good as full

export class SlotTable {
  private readonly keys: BigInt64Array
  // Three views of the same cells: use one kind for one cell. Float64 cells have one writer or are set whole.
  readonly numbers: Float64Array
  readonly integers: Int32Array // two per cell: cell c of slot s is integers[(s * CELLS + c) * 2]
  readonly bigs: BigInt64Array

  constructor(memory: SharedArrayBuffer) {
    this.keys = new BigInt64Array(memory, 0, SLOTS)
    this.numbers = new Float64Array(memory, KEY_BYTES, SLOTS * CELLS)
    this.integers = new Int32Array(memory, KEY_BYTES, SLOTS * CELLS * 2)
    this.bigs = new BigInt64Array(memory, KEY_BYTES, SLOTS * CELLS)
  }

  // The slot of a name, claimed when nobody has it yet. -1: the table is full.
  claim(name: string): number {
    return this.look(name, true)
  }

  // -1: nobody has claimed it.
  find(name: string): number {
    return this.look(name, false)
  }

  private look(name: string, claims: boolean): number {
    const key = keyOf(name)
    for (let i = 0, slot = Number(key & MASK); i < PROBES_MAX; i++, slot = (slot + 1) % SLOTS) {
      let found = Atomics.load(this.keys, slot)
      if (found === 0n) {
        if (!claims) return -1
        found = Atomics.compareExchange(this.keys, slot, 0n, key)
        if (found === 0n) return slot
      }
      if (found === key) return slot
    }
    return -1
  }
}

// Never 0.
function keyOf(name: string): bigint {
  const high = BigInt(hash(name, 0x811c9dc5, 0x01000193))
  const low = BigInt(hash(name, 0x9747b28c, 0x5bd1e995) >>> 0)
  return (high << 32n) | low || 1n
}

// FNV-1a with a last mix, so that names that differ in their last letter lie apart.
function hash(text: string, seed: number, factor: number): number {
  let h = seed
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), factor)
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  return h | 0
}
