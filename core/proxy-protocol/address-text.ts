// core/proxy-protocol/address-text.ts: addresses between text and the bytes of a PROXY v2 header.
//
// Owner: nobody; pure. Hot: no. IPv6 is written as RFC 5952 says, so that rules and logs see one spelling.

import { parseAddress } from '../address.ts'

export function v4Text(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`
}

// '2001:db8::7'; '::ffff:192.0.2.7' for a mapped one.
export function v6Text(bytes: Uint8Array, at: number): string {
  const groups = Array.from(
    { length: 8 },
    (_, i) => (bytes[at + 2 * i]! << 8) | bytes[at + 2 * i + 1]!,
  )
  if (groups.slice(0, 5).every((g) => g === 0) && groups[5] === 0xffff)
    return `::ffff:${v4Text(bytes, at + 12)}`
  const gap = longestGap(groups)
  const hex = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((g) => g.toString(16))
      .join(':')
  if (gap.length < 2) return hex(0, 8)
  return `${hex(0, gap.from)}::${hex(gap.from + gap.length, 8)}`
}

function longestGap(groups: readonly number[]): { from: number; length: number } {
  let best = { from: 0, length: 0 }
  for (let from = 0; from < groups.length; from++) {
    let to = from
    while (to < groups.length && groups[to] === 0) to++
    if (to - from > best.length) best = { from, length: to - from }
  }
  return best
}

// 4 or 16 bytes; null when it is no address. A mapped IPv4 address is an IPv4 address unless `wide`.
export function addressBytes(text: string, wide: boolean): Uint8Array | null {
  const address = parseAddress(text)
  if (address === null) return null
  const all = new Uint8Array(16)
  address.words.forEach((word, i) => {
    for (let b = 0; b < 4; b++) all[4 * i + b] = (word >>> (24 - 8 * b)) & 255
  })
  return address.isV4 && !wide ? all.slice(12) : all
}

export function isV4(text: string): boolean {
  return parseAddress(text)?.isV4 === true
}
