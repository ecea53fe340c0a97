// core/balance/least-time.ts: the server that answers soonest, as Traefik's `leasttime`.
//
//   score = average time to the first byte x (1 + in flight) / weight, the lowest wins; ties by weighted round robin
//
// A server that has not answered yet is tried at once, by one request: those behind it count it as one that fails, for it may
// never answer, and that takes no time either. A try that fails counts as a very late answer. As nobody would ask such a
// server again, and it may be well by then, what is known of it is forgotten some time after its last failure.
//
// Hot: yes. O(servers).

import type { Exchange } from '../exchange.ts'
import type { Balancer, Loaded } from './contract.ts'

const SAMPLES = 100
const FAILED_MS = 60_000 // longer than the answers of a server that is merely slow
const FORGET_AFTER_MS = 10_000 // as failureWindow of passiveHealthCheck

// The last SAMPLES times of one server. Whole milliseconds, as Traefik counts: servers that all answer within one tie,
// and share by weight instead of by noise.
export class AnswerTimes {
  private readonly ring = new Float64Array(SAMPLES)
  private next = 0
  private count = 0
  private sum = 0
  private forgetAt = Infinity // of the clock of Exchange.startedAt; Infinity: no try has failed

  add(ms: number): void {
    const whole = Math.floor(ms)
    this.sum += whole - this.ring[this.next]!
    this.ring[this.next] = whole
    this.next = this.next + 1 === SAMPLES ? 0 : this.next + 1
    if (this.count < SAMPLES) this.count++
  }

  addFailure(now: number): void {
    this.add(FAILED_MS)
    this.forgetAt = now + FORGET_AFTER_MS
  }

  // What one more request would take beside those in flight.
  expected(inFlight: number, now: number): number {
    if (now >= this.forgetAt) this.forget()
    if (this.count === 0) return FAILED_MS * inFlight
    return (this.sum / this.count) * (1 + inFlight)
  }

  private forget(): void {
    this.ring.fill(0)
    this.next = 0
    this.count = 0
    this.sum = 0
    this.forgetAt = Infinity
  }
}

export interface Timed extends Loaded {
  readonly times: AnswerTimes
}

export class LeastTimeBalancer implements Balancer {
  readonly kind = 'leasttime'
  private readonly indexes: readonly number[] // of the servers with a weight
  private readonly states: readonly Timed[] // by the same position as indexes
  private readonly weights: readonly number[]
  private readonly deadlines: Float64Array // of ties, as in wrr.ts: the earliest wins
  private now = 0 // deadline of the last tie that was settled

  constructor(indexes: readonly number[], states: readonly Timed[], weights: readonly number[]) {
    this.indexes = indexes
    this.states = states
    this.weights = weights
    this.deadlines = Float64Array.from(weights, (weight) => 1 / weight)
  }

  pick({ startedAt }: Exchange, tried: number): number {
    const { states, indexes, deadlines } = this
    let best = -1
    let bestScore = Infinity
    for (let position = 0; position < states.length; position++) {
      if (indexes[position] === tried || !states[position]!.up) continue
      const score = this.score(position, startedAt)
      if (score > bestScore) continue
      if (score === bestScore && best >= 0 && deadlines[position]! >= deadlines[best]!) continue
      bestScore = score
      best = position
    }
    if (best < 0) return -1
    this.take(best)
    return indexes[best]!
  }

  private score(position: number, now: number): number {
    const { times, inFlight } = this.states[position]!
    return times.expected(inFlight, now) / this.weights[position]!
  }

  // Whoever was away does not catch up on the turns it has missed.
  private take(position: number): void {
    const deadline = Math.max(this.deadlines[position]!, this.now)
    this.now = deadline
    this.deadlines[position] = deadline + 1 / this.weights[position]!
    if (deadline > DEADLINE_MAX) this.bringBack()
  }

  private bringBack(): void {
    for (let i = 0; i < this.deadlines.length; i++)
      this.deadlines[i] = Math.max(0, this.deadlines[i]! - this.now)
    this.now = 0
  }
}

const DEADLINE_MAX = 1 << 20 // sums stay exact enough to tell 1/weight apart
