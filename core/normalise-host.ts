// core/normalise-host.ts: the host that rules look at, from the authority that the client sent.
//
// Hot: yes, once per request. Hosts repeat, so they are kept in two tables that belong to the worker: a hit
// gives back the same string object, whose hash the host table has computed before. What is kept is a copy: a slice would keep the whole head of its request alive.

const SLOTS = 64 // the hosts of a moment: found by one comparison
const KNOWN_MAX = 4096 // all others: found by their hash; beyond that all are forgotten
const MEMO_LENGTH_MAX = 255

const authorities: string[] = Array.from({ length: SLOTS }, () => '')
const hosts: string[] = Array.from({ length: SLOTS }, () => '')
const known = new Map<string, string>() // authority -> host

// "Example.com.:8080" -> "example.com"; "[2001:DB8::1]:443" -> "2001:db8::1"; "" -> "".
export function canonicalHost(authority: string): string {
  const length = authority.length
  if (length === 0) return ''
  const mixed = authority.charCodeAt(0) * 7 + authority.charCodeAt(length >> 1) * 3 + length
  const slot = (mixed + authority.charCodeAt(length - 1)) & (SLOTS - 1)
  if (authorities[slot] === authority) return hosts[slot]!
  if (length > MEMO_LENGTH_MAX) return hostOf(authority)
  const host = known.get(authority) ?? remember(authority)
  authorities[slot] = host === authority ? host : ownCopy(authority)
  hosts[slot] = host
  return host
}

function remember(authority: string): string {
  if (known.size >= KNOWN_MAX) known.clear()
  const host = hostOf(authority)
  const key = ownCopy(authority)
  known.set(key, host === authority ? key : ownCopy(host))
  return known.get(key)!
}

function hostOf(authority: string): string {
  let start = 0
  let end = authority.length
  if (authority.charCodeAt(0) === 91) {
    const close = authority.indexOf(']')
    start = 1
    if (close > 0) end = close
  } else {
    const colon = authority.indexOf(':')
    if (colon >= 0) end = colon
  }
  if (end > start && authority.charCodeAt(end - 1) === 46) end--
  return authority.slice(start, end).toLowerCase()
}

// Joining and cutting again makes a text of its own in place of a slice of a longer one.
export function ownCopy(text: string): string {
  return ('.' + text).slice(1)
}

// The port in an authority; '' when it names none.
export function portOf(authority: string): string {
  const colon = authority.lastIndexOf(':')
  return colon < 0 || colon < authority.indexOf(']') ? '' : authority.slice(colon + 1)
}
