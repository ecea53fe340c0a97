// core/normalise-host.ts: the host that rules look at, from the authority that the client sent.
//
// Hot: yes, once per request. Hosts repeat, so they are kept in a table that belongs to the worker: a hit gives back
// the same string object, and the number of its place, by which a matcher finds what it knows of the host. What is
// kept is a copy: a slice would keep the whole head of its request alive.

export const HOST_SLOTS = 4096 // one host each; a host that comes takes the place of the one before it
export const NO_SLOT = -1
const MEMO_LENGTH_MAX = 255

// The authority of a slot and its host lie side by side: in a crowd of hosts each place is a wait for memory.
const known: string[] = Array.from({ length: 2 * HOST_SLOTS }, () => '')

// The place of the host of this authority; NO_SLOT when it has none: see canonicalHost.
export function hostSlotOf(authority: string): number {
  const length = authority.length
  if (length === 0 || length > MEMO_LENGTH_MAX) return NO_SLOT
  // A Map would compute its own hash of the slice, and compare it character by character: 0.2 us.
  let hash = length
  for (let i = 0; i < length; i++) hash = (hash * 31 + authority.charCodeAt(i)) | 0
  const slot = (hash ^ (hash >>> 12)) & (HOST_SLOTS - 1)
  if (known[2 * slot] !== authority) remember(slot, authority)
  return slot
}

export function hostAt(slot: number): string {
  return known[2 * slot + 1]!
}

function remember(slot: number, authority: string): void {
  const host = canonicalHost(authority)
  const own = ownCopy(authority)
  known[2 * slot] = own
  known[2 * slot + 1] = host === authority ? own : ownCopy(host)
}

// "Example.com.:8080" -> "example.com"; "[2001:DB8::1]:443" -> "2001:db8::1"; "" -> "".
export function canonicalHost(authority: string): string {
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

// A text of its own, in one piece, in place of a slice of a longer one. Joining and cutting again would make a slice once
// more, of a copy: two places in memory for one. What has other characters than those of Latin-1, which no head has, stays.
export function ownCopy(text: string): string {
  const copy = Buffer.from(text, 'latin1').toString('latin1')
  return copy === text ? copy : text
}

// The port in an authority; '' when it names none.
export function portOf(authority: string): string {
  const colon = authority.lastIndexOf(':')
  return colon < 0 || colon < authority.indexOf(']') ? '' : authority.slice(colon + 1)
}
