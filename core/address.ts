// core/address.ts: IP addresses and CIDRs as numbers, and sets of them.
//
// Hot: AddressSet.contains runs per request where a rule or middleware looks at the peer; the peer of a
// keep-alive connection repeats, so the last answer is kept and costs one string comparison.
// IPv4 is held as IPv4-mapped IPv6 (::ffff:a.b.c.d), so both spellings of one address are one address.

export interface Address {
  readonly words: readonly [number, number, number, number] // 32 bits each, unsigned
  readonly isV4: boolean
}

export interface Cidr {
  readonly words: readonly [number, number, number, number]
  readonly bits: number // of 128; an IPv4 prefix /n is 96 + n
}

const V4_PREFIX = 0xffff

// null when the text is not an address. A zone ("fe80::1%eth0") is dropped.
export function parseAddress(text: string): Address | null {
  const zone = text.indexOf('%')
  const plain = zone < 0 ? text : text.slice(0, zone)
  if (!plain.includes(':')) {
    const v4 = zone < 0 ? parseV4(plain) : -1
    return v4 < 0 ? null : { words: [0, 0, V4_PREFIX, v4], isV4: true }
  }
  return parseV6(plain)
}

// -1 when it is not dotted decimal. Leading zeros are refused: some read them as octal.
function parseV4(text: string): number {
  const parts = text.split('.', 5)
  if (parts.length !== 4) return -1
  let value = 0
  for (const part of parts) {
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return -1
    value = value * 256 + Number(part)
  }
  return value
}

function parseV6(text: string): Address | null {
  const gap = text.indexOf('::')
  if (gap !== text.lastIndexOf('::') || text.length > 45) return null
  const head = groupsOf(gap < 0 ? text : text.slice(0, gap), gap < 0)
  const tail = gap < 0 ? [] : groupsOf(text.slice(gap + 2), true)
  if (head === null || tail === null) return null
  const missing = 8 - head.length - tail.length
  if (gap < 0 ? missing !== 0 : missing < 1) return null
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...tail]
  const word = (i: number): number => groups[i]! * 0x10000 + groups[i + 1]!
  const words = [word(0), word(2), word(4), word(6)] as const
  return { words, isV4: words[0] === 0 && words[1] === 0 && words[2] === V4_PREFIX }
}

// The 16-bit groups of one side of "::"; an IPv4 tail counts as two.
function groupsOf(text: string, mayEndInV4: boolean): number[] | null {
  if (text === '') return []
  const parts = text.split(':')
  const groups: number[] = []
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!
    if (part.includes('.')) {
      const v4 = mayEndInV4 && i === parts.length - 1 ? parseV4(part) : -1
      if (v4 < 0) return null
      groups.push(Math.floor(v4 / 0x10000), v4 % 0x10000)
    } else {
      if (!/^[0-9A-Fa-f]{1,4}$/.test(part)) return null
      groups.push(Number.parseInt(part, 16))
    }
  }
  return groups
}

// "10.0.0.0/8", "2001:db8::/32" or a single address; null when it is neither.
export function parseCidr(text: string): Cidr | null {
  const slash = text.indexOf('/')
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash))
  if (address === null) return null
  if (slash < 0) return { words: address.words, bits: 128 }
  const width = text.slice(slash + 1)
  // "::ffff:10.0.0.0/104" counts from the front of the IPv6 form, "10.0.0.0/8" of the IPv4 one.
  const dotted = !text.slice(0, slash).includes(':')
  if (text.includes('%') || !/^(?:0|[1-9][0-9]{0,2})$/.test(width)) return null
  const bits = Number(width) + (dotted ? 96 : 0)
  return bits > 128 ? null : { words: masked(address.words, bits), bits }
}

function masked(words: Address['words'], bits: number): Cidr['words'] {
  const word = (i: number): number => (words[i]! & maskOf(bits - 32 * i)) >>> 0
  return [word(0), word(1), word(2), word(3)]
}

// `<< 32` is `<< 0` in JavaScript, hence the two ends.
function maskOf(bits: number): number {
  if (bits <= 0) return 0
  return bits >= 32 ? -1 : -1 << (32 - bits)
}

// An IPv4 address lies in no range wider than all of IPv4: "::/0" means IPv6, as it does in Go.
export function cidrContains(cidr: Cidr, address: Address): boolean {
  if (address.isV4 && cidr.bits < 96) return false
  for (let i = 0; i < 4; i++) {
    const mask = maskOf(cidr.bits - 32 * i)
    if (((address.words[i]! ^ cidr.words[i]!) & mask) !== 0) return false
  }
  return true
}

export class AddressSet {
  private readonly cidrs: Cidr[] = []
  private lastAddress = ''
  private lastAnswer = false

  // Throws on text that is no CIDR: the configuration was checked before.
  constructor(cidrs: readonly string[]) {
    for (const text of cidrs) {
      const cidr = parseCidr(text)
      if (cidr === null) throw new Error(`"${text}" is not an address or CIDR`)
      this.cidrs.push(cidr)
    }
  }

  // An address that cannot be read is in no set.
  contains(address: string): boolean {
    if (address === this.lastAddress) return this.lastAnswer
    const parsed = parseAddress(address)
    this.lastAnswer = parsed !== null && this.cidrs.some((cidr) => cidrContains(cidr, parsed))
    this.lastAddress = address
    return this.lastAnswer
  }
}
