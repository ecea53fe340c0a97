// workers/downstream/node/h2/timeouts.ts: which of its deadlines an HTTP/2 connection or stream has missed.
//
// Hot: once per connection or stream and tick (10 times a second), comparisons only. The settings are those of
// HTTP/1 (../timeouts.ts) and mean the same; what a body or a response is there, a stream is here.

import { hasRequestBody } from '../../../../core/exchange.ts'
import { bodyIsLate, isReading, late } from '../deadlines.ts'
import { BODY_TIMEOUT, HEADER_TIMEOUT, NONE, WRITE_TIMEOUT } from '../../../../core/errors.ts'
import type { H2Connection } from './connection.ts'
import { AT_PREFACE, CLOSED, LINGER, OPEN } from './phase.ts'
import type { H2Stream } from './stream.ts'

const SETTLE_AFTER_MS = 5000
const LINGER_MS = 2000
const IN_TIME = -1

// -1: nothing is overdue; NONE: end without an error; else the code of the error.
export function connectionOverdue(connection: H2Connection, now: number): number {
  const { phase, point, socket } = connection
  const { times } = point
  if (phase === CLOSED) return IN_TIME
  if (phase === LINGER) return now - connection.lingerSince > LINGER_MS ? NONE : IN_TIME
  if (socket.held > 0 && !isReading(connection, now)) return WRITE_TIMEOUT
  const since = connection.waitingSince
  if (since > 0 && late(now - since, times.headerTimeoutMs)) return HEADER_TIMEOUT
  const quiet = now - connection.activeAt
  if (quiet > SETTLE_AFTER_MS) socket.settle()
  if (connection.streams.size > 0) return IN_TIME
  if (phase === AT_PREFACE && late(now - connection.bornAt, times.headerTimeoutMs))
    return HEADER_TIMEOUT
  return phase === OPEN && late(quiet, times.idleTimeoutMs) ? NONE : IN_TIME
}

export function streamOverdue(connection: H2Connection, stream: H2Stream, now: number): number {
  const { exchange } = stream
  const { times } = connection.point
  if (stream.isBlocked && late(now - stream.progressAt, times.writeStallTimeoutMs))
    return WRITE_TIMEOUT
  if (exchange === null) return IN_TIME
  if (exchange.tunnel) {
    const quiet = now - Math.max(stream.activeAt, stream.progressAt)
    return exchange.tunnelEnds !== 0 && late(quiet, times.idleTimeoutMs) ? WRITE_TIMEOUT : IN_TIME
  }
  if (exchange.wroteHead && late(now - exchange.startedAt, times.writeTimeoutMs))
    return WRITE_TIMEOUT
  const waitsForBody = stream.remoteOpen && !stream.paused && hasRequestBody(exchange)
  return waitsForBody && bodyIsLate(stream, times, now) ? BODY_TIMEOUT : IN_TIME
}
