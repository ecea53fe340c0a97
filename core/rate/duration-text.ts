// core/rate/duration-text.ts: a duration as Go writes it ("1.5s", "1m0s"), which is what X-Retry-In holds in Traefik.
//
// Hot: once per refusal.

// Whole seconds, rounded up; the last digits of a double are no second.
export function secondsText(ms: number): string {
  return String(Math.ceil(Math.floor(ms * 1000) / 1_000_000))
}

export function durationText(ms: number): string {
  const micros = Math.max(0, Math.round(ms * 1000))
  if (micros === 0) return '0s'
  if (micros < 1000) return `${micros}µs`
  if (micros < 1_000_000) return `${micros / 1000}ms`
  const seconds = (micros % 60_000_000) / 1_000_000
  const minutes = Math.floor(micros / 60_000_000)
  if (minutes === 0) return `${seconds}s`
  return minutes < 60
    ? `${minutes}m${seconds}s`
    : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}s`
}
