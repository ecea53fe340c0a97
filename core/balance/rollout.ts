// core/balance/rollout.ts: which of two services takes an exchange while one is rolled out, and how it answered.
//
// Hot:    yes, for such services. The share is one load from shared memory; who is picked is counted, not drawn by lot.
//
// Two objects that belong together: the balancer picks and notes the side in the exchange, the middleware, which is
// in the stage of the service, counts the answer for that side when the exchange has ended.

import type { Exchange } from '../exchange.ts'
import { NEXT, RequestMiddleware, type Verdict } from '../middleware/contract.ts'
import { NEW, OLD, type RolloutCounts, type Side } from '../rollout/counts.ts'
import type { Balancer, Usable } from './contract.ts'

export class RolloutWatch extends RequestMiddleware {
  readonly kind = 'rollout'
  override readonly hasFinish = true
  readonly counts: RolloutCounts
  private readonly now: () => number // of the clock of exchange.startedAt

  constructor(name: string, counts: RolloutCounts, now: () => number) {
    super(name)
    this.counts = counts
    this.now = now
  }

  onRequest(_exchange: Exchange): Verdict {
    return NEXT
  }

  override onFinish(exchange: Exchange): void {
    const side = exchange.notes?.get(this) as Side | undefined
    if (side === undefined) return
    exchange.notes!.delete(this)
    this.counts.count(side, exchange.status, this.now() - exchange.startedAt)
  }

  explain(_exchange: Exchange): string {
    return `Sends ${this.counts.share / 10} % of the requests to the service that is rolled out.`
  }
}

export class RolloutBalancer implements Balancer {
  readonly kind = 'rollout'
  private readonly states: readonly Usable[] // of the old one, then the new one
  private readonly watch: RolloutWatch
  private counted = 0 // thousandths, of requests since the last that the new one got

  constructor(states: readonly Usable[], watch: RolloutWatch) {
    this.states = states
    this.watch = watch
  }

  // The new one never takes what it was not given: when the old one is down and it has no share, nobody serves.
  pick(exchange: Exchange, tried: number): number {
    const { share } = this.watch.counts
    this.counted += share
    let side: Side = this.counted >= 1000 ? NEW : OLD
    if (side === NEW) this.counted -= 1000
    if (!this.isUsable(side, tried)) side = side === NEW ? OLD : NEW
    if (!this.isUsable(side, tried) || (side === NEW && share === 0)) return -1
    exchange.notes ??= new Map()
    exchange.notes.set(this.watch, side)
    return side
  }

  private isUsable(side: Side, tried: number): boolean {
    return side !== tried && this.states[side]!.up
  }
}
