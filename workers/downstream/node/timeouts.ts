// workers/downstream/node/timeouts.ts: which of its deadlines a client connection has missed.
//
// Hot: once per connection and tick (10 times a second), comparisons only.
//
// A slow upload that moves is not punished: there is no limit on the whole time of a request unless
// readTimeout sets one, but a body must not stall, and must keep bodyRateMin after a grace.

import { bodyIsLate, isReading, late } from './deadlines.ts'
import { BODY_TIMEOUT, HEADER_TIMEOUT, NONE, WRITE_TIMEOUT } from '../../../core/errors.ts'
import { BODY, CLOSED, HEAD, IDLE, LINGER, TUNNEL } from './phase.ts'
import type { Connection } from './connection.ts'

const SETTLE_AFTER_MS = 5000
const LINGER_QUIET_MS = 5000 // the client has read its answer, or never will; nginx waits as long
const LINGER_MAX_MS = 30_000
const LINGER_DRAINING_MS = 2000
const DRAIN_IDLE_MS = 1000
const IN_TIME = -1

// -1: nothing is overdue; NONE: close without a word; else the code of the error.
export function overdue(connection: Connection, now: number): number {
  const { phase, point } = connection
  const { times } = point
  if ((phase === IDLE || phase === LINGER) && connection.socket.held > 0) {
    return isReading(connection, now) ? IN_TIME : NONE // its last answer is still on its way
  }
  if (phase === IDLE) {
    const quiet = now - connection.activeAt
    // A busy client learns from its next answer (Connection: close) that it must go elsewhere. Closing
    // between two requests instead meets the second one on its way: 3 to 5 of 24,000 requests during
    // 8 upgrades.
    if (point.draining && quiet > DRAIN_IDLE_MS) return NONE
    if (quiet > SETTLE_AFTER_MS) connection.socket.settle()
    return times.idleTimeoutMs > 0 && quiet > times.idleTimeoutMs ? NONE : IN_TIME
  }
  if (phase === HEAD)
    return late(now - connection.startedAt, times.headerTimeoutMs) ? HEADER_TIMEOUT : IN_TIME
  if (phase === LINGER) return lingers(connection, now) ? IN_TIME : NONE
  if (phase === CLOSED) return IN_TIME
  if (connection.socket.held > 0 && !isReading(connection, now)) return WRITE_TIMEOUT
  if (now - connection.activeAt > SETTLE_AFTER_MS && phase !== BODY) connection.socket.settle()
  if (responseIsLate(connection, now) || tunnelIsDead(connection, now)) return WRITE_TIMEOUT
  if (phase === TUNNEL || phase !== BODY || connection.paused) return IN_TIME
  return bodyIsLate(connection, times, now) ? BODY_TIMEOUT : IN_TIME
}

// A client that still sends is not looking at its answer yet: many read it when their body is out.
function lingers({ startedAt, activeAt, point }: Connection, now: number): boolean {
  if (now - startedAt > (point.draining ? LINGER_DRAINING_MS : LINGER_MAX_MS)) return false
  return now - Math.max(startedAt, activeAt) <= LINGER_QUIET_MS
}

// Traefik's writeTimeout: the whole response, from the first byte of the request. A tunnel has none.
function responseIsLate(connection: Connection, now: number): boolean {
  const { exchange, point } = connection
  if (exchange === null || !exchange.wroteHead || exchange.tunnel) return false
  return late(now - exchange.startedAt, point.times.writeTimeoutMs)
}

// One side has ended and the other says nothing: nobody may be there any more.
function tunnelIsDead(connection: Connection, now: number): boolean {
  const { exchange, point } = connection
  if (exchange === null || exchange.tunnelEnds === 0) return false
  return late(now - connection.activeAt, point.times.idleTimeoutMs)
}
