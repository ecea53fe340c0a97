// workers/generation-use.ts: until when generations that a worker has left behind are still in use by exchanges.
//
// Owner:  the worker, one for its life. What an exchange began with it keeps, so a generation lives until the last exchange
//         that began under it, or before, has ended. Hot: begun() and ended(), once per exchange.

import { type LiveExchange, NOT_BEGUN } from './live-exchange.ts'

export class GenerationUse {
  private current = 0 // number of the generation that exchanges begin with
  private underway = 0 // of those that began with it
  private readonly before = new Map<number, number>() // older generation -> exchanges left, oldest first
  private readonly onOldest: (number: number) => void
  private told = 0
  private telling = false

  // `onOldest` is told each time that the oldest generation in use has become another one.
  constructor(onOldest: (number: number) => void) {
    this.onOldest = onOldest
  }

  get oldest(): number {
    for (const number of this.before.keys()) return number
    return this.current
  }

  adopted(number: number): void {
    if (this.underway > 0) this.before.set(this.current, this.underway)
    this.current = number
    this.underway = 0
    this.tellSoon()
  }

  begun(exchange: LiveExchange): void {
    exchange.begunWith = this.current
    this.underway++
  }

  // A copy of an exchange that is under way, with the same route: it may outlive it.
  copied(of: LiveExchange, copy: LiveExchange): void {
    copy.begunWith = of.begunWith
    if (of.begunWith === this.current) this.underway++
    else if (of.begunWith !== NOT_BEGUN)
      this.before.set(of.begunWith, this.before.get(of.begunWith)! + 1)
  }

  ended(exchange: LiveExchange): void {
    if (exchange.begunWith === this.current) this.underway--
    else if (exchange.begunWith !== NOT_BEGUN) this.endedLate(exchange.begunWith)
  }

  private endedLate(number: number): void {
    const left = this.before.get(number)! - 1
    if (left > 0) return void this.before.set(number, left)
    this.before.delete(number)
    this.tellSoon()
  }

  // Not within the turn in which the last exchange ends: whoever ended it may be at work on it still.
  private tellSoon(): void {
    if (this.telling) return
    this.telling = true
    setImmediate(() => this.tell())
  }

  private tell(): void {
    this.telling = false
    const { oldest } = this
    if (oldest === this.told) return
    this.told = oldest
    this.onOldest(oldest)
  }
}
