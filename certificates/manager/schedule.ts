// certificates/manager/schedule.ts: when to renew and when to try again; pure. Hot: no.
//
// Chance is drawn from the certificate itself: a restart changes nothing, and thousands of certificates that were
// issued in one night are not renewed in one night.

const HOUR_MS = 3600_000
const DAY_MS = 24 * HOUR_MS

// Traefik's table: [lifetime from, renewed so long before the end].
const before: readonly (readonly [number, number])[] = [
  [365 * DAY_MS, 120 * DAY_MS],
  [90 * DAY_MS, 30 * DAY_MS],
  [30 * DAY_MS, 10 * DAY_MS],
  [6 * DAY_MS, 2 * DAY_MS],
  [DAY_MS, 6 * HOUR_MS],
]
const BEFORE_SHORTEST_MS = 20 * 60_000
const JITTER = 0.1 // of the time before the end; always earlier, never later

export interface Lifetime {
  readonly id: string // hexadecimal
  readonly notBefore: number
  readonly notAfter: number
}

// `configuredMs` is certificatesDuration. What the authority really gave counts when it is less: a certificate of six
// days with the default of 90 would be "due" from its first minute.
export function renewAt(lifetime: Lifetime, configuredMs: number): number {
  const given = lifetime.notAfter - lifetime.notBefore
  const length = Math.min(configuredMs, given + 60_000) // authorities give a second less than they say
  const row = before.find(([from]) => length >= from)
  const margin = Math.min(row === undefined ? BEFORE_SHORTEST_MS : row[1], given / 2)
  return lifetime.notAfter - margin * (1 + JITTER * share(lifetime.id))
}

// A moment in the authority's window (RFC 9773 4.2), but never so late that a failure would be the end.
export function renewAtWindow(
  lifetime: Lifetime,
  window: { readonly start: number; readonly end: number },
): number {
  const chosen = window.start + (window.end - window.start) * share(lifetime.id)
  const latest = lifetime.notAfter - (lifetime.notAfter - lifetime.notBefore) / 10
  return Math.min(chosen, latest)
}

// 0 to 1, always the same for one certificate.
function share(id: string): number {
  return Number.parseInt(id.slice(0, 8), 16) / 0x100000000
}

const RETRY_FIRST_MS = 60_000
const RETRY_FACTOR = 3 // five attempts in the first hour: Let's Encrypt allows five failures per name and hour
const RETRY_MAX_MS = 6 * HOUR_MS
const RETRY_AFTER_MAX_MS = 7 * DAY_MS

// `chance` is between 0 and 1. What the authority asks for counts when it is longer.
export function retryInMs(failures: number, retryAfterMs: number, chance: number): number {
  const grown = RETRY_FIRST_MS * RETRY_FACTOR ** Math.min(20, failures - 1)
  const wait = Math.min(RETRY_MAX_MS, grown) * (0.9 + 0.2 * chance)
  return Math.max(wait, Math.min(RETRY_AFTER_MAX_MS, retryAfterMs))
}
