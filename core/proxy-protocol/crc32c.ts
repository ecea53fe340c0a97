// core/proxy-protocol/crc32c.ts: the checksum (Castagnoli) that a PROXY v2 header may carry in a TLV.
//
// Owner: nobody. Hot: no, once per connection whose balancer sends it.

const table = new Uint32Array(256)
for (let i = 0; i < 256; i++) {
  let value = i
  for (let bit = 0; bit < 8; bit++)
    value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
  table[i] = value >>> 0
}

// Of bytes[0..length), the four bytes at `hole` taken for zero; no hole when it is negative.
export function crc32c(bytes: Uint8Array, length: number, hole = -1): number {
  let crc = 0xffffffff
  for (let i = 0; i < length; i++) {
    const byte = hole >= 0 && i >= hole && i < hole + 4 ? 0 : bytes[i]!
    crc = (crc >>> 8) ^ table[(crc ^ byte) & 255]!
  }
  return (crc ^ 0xffffffff) >>> 0
}
