// workers/downstream/node/deadlines.ts: what the deadlines of an entry point mean, for HTTP/1 and HTTP/2 alike.
//
// Hot: once per connection or stream and tick, comparisons only.

import type { EntryPointTimes } from '../contract.ts'

export function late(elapsed: number, limitMs: number): boolean {
  return limitMs > 0 && elapsed > limitMs
}

interface Writing {
  readonly socket: { readonly heldBytes: number }
  readonly point: { readonly times: EntryPointTimes }
  heldBefore: number
  progressAt: number
}

// The client reads when fewer bytes wait for it than at the last look, or other ones.
export function isReading(connection: Writing, now: number): boolean {
  const held = connection.socket.heldBytes
  if (held !== connection.heldBefore) {
    connection.heldBefore = held
    connection.progressAt = now
    return true
  }
  return !late(now - connection.progressAt, connection.point.times.writeStallTimeoutMs)
}

interface Upload {
  readonly startedAt: number
  readonly activeAt: number
  readonly bodyBytes: number
}

export function bodyIsLate(upload: Upload, times: EntryPointTimes, now: number): boolean {
  const elapsed = now - upload.startedAt
  if (late(now - upload.activeAt, times.bodyStallTimeoutMs)) return true
  if (late(elapsed, times.readTimeoutMs)) return true
  if (times.bodyRateMin === 0 || elapsed < times.bodyRateGraceMs) return false
  return (upload.bodyBytes * 1000) / elapsed < times.bodyRateMin
}
