// core/rate/rate.ts: a rate as users write it, and as the table of buckets counts it.
//
// Hot: no. Made when a middleware is built.
//
// A bucket's time is Int32 in ticks. An interval (the time that one request takes up) is a whole number of ticks, so
// nothing is ever rounded, and ticks are as small as leaves room for a burst and for ten minutes: 2^28 ticks, an eighth
// of what wraps. At 10 requests per second with a burst of 10 a tick is 2.2 us.

import type { TickRate } from '../shared/buckets.ts'

export interface RateOptions {
  readonly average: number // requests per period, above 0
  readonly period: number // ms
  readonly burst: number
}

export const BURST_MAX = 100_000_000
export const RATE_MAX = 1_000_000 // per second; the shortest interval is 1 us
const ROOM_TICKS = 2 ** 28
const SHORTEST_ROOM_MS = 600_000

export interface Rate extends TickRate, RateOptions {
  readonly perSecond: number
  readonly maxDelayMs: number // a request may wait so long; 0: none may
}

export function rateOf({ average, period, burst }: RateOptions, delays: boolean): Rate {
  const perSecond = (average * 1000) / period
  const intervalMs = period / average
  const requests = Math.max(burst + 1, SHORTEST_ROOM_MS / intervalMs)
  const ticks = Math.max(1, Math.floor(ROOM_TICKS / requests))
  const ticksPerMs = ticks / intervalMs
  const maxDelayMs = delays ? maxDelay(perSecond) : 0
  return {
    average,
    period,
    burst,
    perSecond,
    maxDelayMs,
    ticks,
    ticksPerMs,
    burstTicks: burst * ticks,
    delayTicks: Math.floor(maxDelayMs * ticksPerMs),
  }
}

// Traefik's: half an interval, of a rate cut to whole requests per second; 500 ms below one per second.
function maxDelay(perSecond: number): number {
  return perSecond < 1 ? 500 : 1000 / (2 * Math.floor(perSecond))
}
