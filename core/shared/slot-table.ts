// core/shared/slot-table.ts: small records that all threads share by name: counts in flight, breakers, ejections.
//
// Owner:  the process. Any thread finds or claims the slot of a name and keeps its number; the supervisor alone gives slots
//         back that no generation uses any more (workers/slot-sweep.ts). Names are of the configuration, not of clients.
// Hot:    yes, for the cells; finding a slot is done when a generation is built, and takes no lock.
//
// Memory of one table: a key of 8 bytes per slot, CELLS cells of 8 bytes each, a stamp of 4. A name is known by 64 bits of
// its hash; among 16,384 names the chance that any two agree is below 1 in 10^10.
//
//             key     stamp                        next
//   FREE      0       0                            LIVE: a claim has exchanged the key
//   LIVE      name    newest generation with it    LIVE: the stamp only grows, by claim() and keep()
//                                                  LEAVING: sweep() has exchanged a stamp that is too old
//   LEAVING   name    -1                           GIVEN BACK, once its cells are 0; whoever looks passes by
//   GIVEN     since   0                            LIVE, by a claim for generation `since` or later. No slot becomes FREE
//    BACK                                          again: the search for another name may lead over it
//
// The stamp decides between a claim and a sweep that want the same slot: one exchange succeeds. Cells are set to 0 while the
// slot leaves: no generation that could write is alive (that is the caller's promise), and nobody claims it before the
// key says so. Whoever dies between key and stamp leaves a slot that the next sweep takes.
//
// Two threads that claim one name for the same generation must not end in two slots. Both take the first slot on the way that
// they may. While a generation is built that set only shrinks: what is given back meanwhile has a higher `since`. So whoever
// comes second finds the first one's key, or its exchange fails and it looks again.

export const SLOTS = 16_384
export const CELLS = 16 // a cache line pair: writers of different slots do not disturb each other
const SLOT_BYTES = 8 + CELLS * 8 + 4
export const SLOT_TABLE_BYTES = slotTableBytes(SLOTS)
const PROBES_MAX = 256 // further than this from its place the table is as good as full

// Lower halves of keys that are no names.
const FREE = 0
const GIVEN_BACK = 1
const NAMES_FROM = 2
const LEAVING = -1 // a stamp

// `slots` is a power of two.
export function slotTableBytes(slots: number): number {
  return slots * SLOT_BYTES
}

export class SlotTable {
  readonly slots: number
  // The generation that claims are for. Each thread sets its own before it builds one.
  generation = 0
  private readonly keys: BigInt64Array
  private readonly halves: Int32Array // of keys: lower, upper, as all machines we run on have them. No garbage in a search
  private readonly stamps: Int32Array
  private noted: number[] | null = null
  // Three views of the same cells: use one kind for one cell. Float64 cells have one writer or are set whole.
  readonly numbers: Float64Array
  readonly integers: Int32Array // two per cell: cell c of slot s is integers[(s * CELLS + c) * 2]
  readonly bigs: BigInt64Array

  constructor(memory: SharedArrayBuffer) {
    const slots = memory.byteLength / SLOT_BYTES
    const cellsFrom = slots * 8
    this.slots = slots
    this.keys = new BigInt64Array(memory, 0, slots)
    this.halves = new Int32Array(memory, 0, slots * 2)
    this.numbers = new Float64Array(memory, cellsFrom, slots * CELLS)
    this.integers = new Int32Array(memory, cellsFrom, slots * CELLS * 2)
    this.bigs = new BigInt64Array(memory, cellsFrom, slots * CELLS)
    this.stamps = new Int32Array(memory, cellsFrom + slots * CELLS * 8, slots)
  }

  // The slot of a name, claimed when nobody has it yet. -1: the table is full. The number is good for as long as a generation
  // that has claimed it, or that keep() was called for, is alive in some worker.
  claim(name: string): number {
    const slot = this.claimKey(keyOf(name))
    if (this.noted !== null) this.noted.push(slot)
    return slot
  }

  // -1: nobody has claimed it. For the thread that sweeps, and for at once: later it may be another's.
  find(name: string): number {
    const slot = this.seek(keyOf(name)).found
    return slot >= 0 && Atomics.load(this.stamps, slot) !== LEAVING ? slot : -1
  }

  // A generation that was built from another one has this slot as well.
  keep(slot: number): void {
    this.raise(slot)
  }

  // From now on claim() adds what it returns here; null: nowhere.
  noteClaims(slots: number[] | null): void {
    this.noted = slots
  }

  get used(): number {
    let used = 0
    for (let slot = 0; slot < this.slots; slot++) if (isName(this.lower(slot))) used++
    return used
  }

  // Gives back what only generations before `oldest` have used, to generations from `since` on: one that no thread
  // builds yet. How many. By one thread alone, and only when no thread runs or builds a generation before `oldest`.
  sweep(oldest: number, since: number): number {
    let freed = 0
    const given = givenBack(since)
    for (let slot = 0; slot < this.slots; slot++) {
      if (!isName(this.lower(slot))) continue
      const stamp = Atomics.load(this.stamps, slot)
      if (stamp >= oldest) continue
      if (Atomics.compareExchange(this.stamps, slot, stamp, LEAVING) !== stamp) continue
      this.bigs.fill(0n, slot * CELLS, (slot + 1) * CELLS)
      Atomics.store(this.keys, slot, given)
      Atomics.store(this.stamps, slot, 0)
      freed++
    }
    return freed
  }

  private claimKey(key: bigint): number {
    for (;;) {
      const { found, room } = this.seek(key)
      const slot = found >= 0 ? found : room
      if (slot < 0) return -1
      if (found < 0 && !this.take(slot, key)) continue // another was faster
      // A sweep may have been faster still, and even be through: then the stamp is nobody's, and the key tells.
      if (this.raise(slot) && Atomics.load(this.keys, slot) === key) return slot
    }
  }

  private take(slot: number, key: bigint): boolean {
    const before = this.vacancy(slot)
    return before !== null && Atomics.compareExchange(this.keys, slot, before, key) === before
  }

  // Where the key is, and the first slot on the way that a claim may take; -1: nowhere.
  private seek(key: bigint): { found: number; room: number } {
    const low = Number(BigInt.asIntN(32, key))
    let room = -1
    for (let i = 0, slot = low & (this.slots - 1); i < Math.min(PROBES_MAX, this.slots); i++) {
      const half = this.lower(slot)
      // One look at the whole key decides. The halves one after the other may be of two keys: a slot that is taken in
      // between, for this very name by another thread, seemed to be neither open nor the name's, and it got two slots.
      const seen = half === low || half === GIVEN_BACK ? Atomics.load(this.keys, slot) : 0n
      if (seen === key) {
        if (Atomics.load(this.stamps, slot) !== LEAVING) return { found: slot, room }
      } else if (room < 0 && (half === FREE || this.isOpen(seen))) room = slot
      if (half === FREE) break
      slot = (slot + 1) & (this.slots - 1)
    }
    return { found: -1, room }
  }

  // The key of a slot that may be claimed; null: by now it may not.
  private vacancy(slot: number): bigint | null {
    const key = Atomics.load(this.keys, slot)
    return key === 0n || this.isOpen(key) ? key : null
  }

  // The key of a slot that was given back to this generation or one before.
  private isOpen(key: bigint): boolean {
    return Number(BigInt.asIntN(32, key)) === GIVEN_BACK && Number(key >> 32n) <= this.generation
  }

  // Lifts the stamp to this generation. False: the slot is leaving, or has left.
  private raise(slot: number): boolean {
    let stamp = Atomics.load(this.stamps, slot)
    while (stamp !== LEAVING) {
      if (stamp >= this.generation) return true
      const seen = Atomics.compareExchange(this.stamps, slot, stamp, this.generation)
      if (seen === stamp) return true
      stamp = seen
    }
    return false
  }

  private lower(slot: number): number {
    return Atomics.load(this.halves, slot * 2)
  }
}

function isName(half: number): boolean {
  return half !== FREE && half !== GIVEN_BACK
}

function givenBack(since: number): bigint {
  return (BigInt(since) << 32n) | BigInt(GIVEN_BACK)
}

function keyOf(name: string): bigint {
  const high = BigInt(hash(name, 0x811c9dc5, 0x01000193))
  const low = hash(name, 0x9747b28c, 0x5bd1e995) >>> 0
  return (high << 32n) | BigInt(low < NAMES_FROM ? low + NAMES_FROM : low)
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
