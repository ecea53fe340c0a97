// core/shared/nonce-table.ts: which nonces of digestAuth are alive, and which of their counts were used, for all threads.
//
// Owner:  the process. A nonce has a number, given out in order; number n lives in slot n mod NONCES until n + NONCES
//         takes the slot. So memory is bounded and what was forgotten is known to be: such a nonce is stale, never new.
// Hot:    no. One cell of 64 bits per nonce, changed by compare-and-exchange:
//
//   bits 48..63  round: number / NONCES, so that a slot tells its nonce from the one before
//   bits 32..47  the highest count (nc) that was used
//   bits  0..31  of the 32 counts up to that one: which were used. Browsers send several at once, out of order

export const NONCES = 65_536
const SECRET_BYTES = 32
const CELLS_AT = 64 // number of the next nonce, then the secret, then the cells
export const NONCE_TABLE_BYTES = CELLS_AT + NONCES * 8

export const FRESH = 0 // this count of this nonce was not used yet; it is now
export const REPLAYED = 1
export const STALE = 2 // the nonce is forgotten, or its counts are used up

const COUNT_MAX = 0xffff
const WINDOW = 32
const TRIES_MAX = 64 // threads that use one nonce in the same instant

export class NonceTable {
  readonly secret: Uint8Array // of the process; nonces are signed with it
  private readonly next: Int32Array
  private readonly cells: BigInt64Array

  constructor(memory: SharedArrayBuffer) {
    this.next = new Int32Array(memory, 0, 1)
    this.secret = new Uint8Array(memory, 8, SECRET_BYTES)
    this.cells = new BigInt64Array(memory, CELLS_AT, NONCES)
  }

  // The number of a new nonce: 32 bits.
  issue(): number {
    const number = Atomics.add(this.next, 0, 1) >>> 0
    Atomics.store(this.cells, number % NONCES, cellOf(roundOf(number), 0, 0))
    return number
  }

  use(number: number, count: number): typeof FRESH | typeof REPLAYED | typeof STALE {
    if (count < 1 || count > COUNT_MAX) return STALE
    const slot = number % NONCES
    for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
      const before = Atomics.load(this.cells, slot)
      const bits = BigInt.asUintN(64, before)
      if (Number(bits >> 48n) !== roundOf(number)) return STALE
      const highest = Number((bits >> 32n) & 0xffffn)
      const used = Number(bits & 0xffffffffn)
      const after = marked(highest, used, count)
      if (after === null) return REPLAYED
      const cell = cellOf(roundOf(number), after.highest, after.used)
      if (Atomics.compareExchange(this.cells, slot, before, cell) === before) return FRESH
    }
    return STALE // it is asked for a new nonce, which is no harm
  }
}

function roundOf(number: number): number {
  return Math.floor(number / NONCES) & 0xffff
}

function cellOf(round: number, highest: number, used: number): bigint {
  const bits = (BigInt(round) << 48n) | (BigInt(highest) << 32n) | BigInt(used >>> 0)
  return BigInt.asIntN(64, bits)
}

// Bit i of `used` stands for the count highest - i. null: used before, or too long ago to know.
function marked(
  highest: number,
  used: number,
  count: number,
): { highest: number; used: number } | null {
  if (count > highest) {
    const step = count - highest
    return { highest: count, used: step >= WINDOW ? 1 : ((used << step) | 1) >>> 0 }
  }
  const back = highest - count
  if (back >= WINDOW || ((used >>> back) & 1) === 1) return null
  return { highest, used: (used | (1 << back)) >>> 0 }
}
