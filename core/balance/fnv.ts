// core/balance/fnv.ts: FNV with 64 bits, both orders, as Go's hash/fnv has them: two halves, since a BigInt is an object.
//
// Hot: yes. One multiplication a character; nothing is allocated. The state is the two fields below: whoever goes on
// from a common beginning (a client, then each server) puts them back.
//
// The prime is 2^40 + 0x1b3, so h * prime is h * 0x1b3 and h shifted by 40 bits: below 2^41 in a half, exact.

const FACTOR = 0x1b3
const HALF = 0x100000000

export class Fnv64 {
  high = 0xcbf29ce4
  low = 0x84222325

  reset(): void {
    this.high = 0xcbf29ce4
    this.low = 0x84222325
  }

  // FNV-1a over bytes.
  addBytes(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) this.mixA(bytes[i]!)
  }

  // The same over text that stands for bytes one by one, as everything that came by the wire does.
  addText(text: string, from: number, to: number): void {
    for (let i = from; i < to; i++) this.mixA(text.charCodeAt(i) & 0xff)
  }

  // The whole number of 64 bits, rounded once, as Go's float64() does.
  get value(): number {
    return this.high * HALF + this.low
  }

  private mixA(byte: number): void {
    const low = (this.low ^ byte) >>> 0
    const product = low * FACTOR
    this.high = (this.high * FACTOR + Math.floor(product / HALF) + ((low << 8) >>> 0)) % HALF
    this.low = product % HALF
  }
}

// FNV-1 (multiplied first) in hexadecimal without leading zeros: what older versions of Traefik wrote into cookies.
export function fnv1Hex(bytes: Uint8Array): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of bytes) hash = BigInt.asUintN(64, hash * 0x100000001b3n) ^ BigInt(byte)
  return hash.toString(16)
}

// Spreads what differs over all bits: FNV hardly moves its upper ones for a last byte, and addresses differ in no other
// (the finish of murmur3).
export function mixed(value: number): number {
  let h = value | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
