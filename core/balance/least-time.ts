// core/balance/least-time.ts: the server that answers soonest, as Traefik's `leasttime`.
//
//   score = average time to the first byte x (1 + in flight) / weight, the lowest wins; ties by weighted round robin
//
// Hot: yes. O(servers). A server that has not answered yet has an average of 0, so it is tried at once.

import type { Exchange } from '../exchange.ts'
import type { Balancer, Loaded } from './contract.ts'

const SAMPLES = 100

// The last SAMPLES times of one server. Whole milliseconds, as Traefik counts: servers that all answer within one tie,
// and share by weight instead of by noise.
export class AnswerTimes {
  private readonly ring = new Float64Array(SAMPLES)
  private next = 0
  private count = 0
  private sum = 0

  add(ms: number): void {
    const whole = Math.floor(ms)
    this.sum += whole - this.ring[this.next]!
    this.ring[this.next] = whole
    this.next = this.next + 1 === SAMPLES ? 0 : this.next + 1
    if (this.count < SAMPLES) this.count++
  }

  get average(): number {
    return this.count === 0 ? 0 : this.sum / this.count
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

  pick(_exchange: Exchange, tried: number): number {
    const { states, indexes, deadlines } = this
    let best = -1
    let bestScore = Infinity
    for (let position = 0; position < states.length; position++) {
      if (indexes[position] === tried || !states[position]!.up) continue
      const score = this.score(position)
      if (score > bestScore) continue
      if (score === bestScore && best >= 0 && deadlines[position]! >= deadlines[best]!) continue
      bestScore = score
      best = position
    }
    if (best < 0) return -1
    this.take(best)
    return indexes[best]!
  }

  private score(position: number): number {
    const state = this.states[position]!
    return (state.times.average * (1 + state.inFlight)) / this.weights[position]!
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
