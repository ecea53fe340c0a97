// core/balance/selection.ts: what stands around a balancer where a service asks for more: sticky clients, servers that start
// slowly, and what is taken when no good server is left.
//
//   sticky client, its server up (or terminating)  ->  that one
//   else the balancer's pick among good servers; one that has just come up may pass its turn on
//   else among terminating ones
//   else among all that no check says are down: when everything is ejected, the ejections are not believed
//
// Owner:  a LiveService; services that ask for nothing have the bare balancer.
// Hot:    yes.

import type { Exchange } from '../exchange.ts'
import type { Balancer, Choosable } from './contract.ts'
import type { HashKey } from './hash-key.ts'
import type { SlowStart } from './slow-start.ts'
import type { StandingClock } from './standing.ts'
import { type Sticky, stuckTo, without } from './sticky.ts'
import { ALSO_EJECTED, ALSO_TERMINATING, ONLY_GOOD, type Resort } from './target.ts'

const PASSED_ON_MAX = 4 // servers in a row that all have just come up: the last of them takes it

export interface SelectionParts {
  readonly balancer: Balancer // over `states`
  readonly states: readonly Choosable[]
  readonly resort: Resort // that the states look at
  readonly sticky: Sticky | null
  readonly slowStart: SlowStart | null
  readonly key: HashKey | null // of balancers that go by a hash
  readonly clock: StandingClock
}

export class Selection implements Balancer {
  readonly kind: string
  private readonly parts: SelectionParts

  constructor(parts: SelectionParts) {
    this.kind = parts.balancer.kind
    this.parts = parts
  }

  pick(exchange: Exchange, tried: number): number {
    const { sticky } = this.parts
    if (sticky === null) return this.balanced(exchange, tried, -1)
    const own = sticky.find(exchange)
    const { isCurrent } = sticky
    const index = own >= 0 && own !== tried && this.keeps(own) ? own : -1
    const picked = index >= 0 ? index : this.balanced(exchange, tried, own)
    if (picked < 0) return -1
    if (picked !== own || !isCurrent) exchange.stuck = stuckTo(exchange.stuck, sticky, picked)
    else exchange.stuck = without(exchange.stuck, sticky) // of an attempt before this one
    return picked
  }

  // One that is about to end still serves those who have begun with it.
  private keeps(own: number): boolean {
    const { resort, states } = this.parts
    resort.level = ALSO_TERMINATING
    const { up } = states[own]!
    resort.level = ONLY_GOOD
    return up
  }

  private balanced(exchange: Exchange, tried: number, own: number): number {
    const { balancer, slowStart, states } = this.parts
    const index = balancer.pick(exchange, tried)
    if (index >= 0)
      return slowStart === null ? index : this.passOn(exchange, tried, index, slowStart)
    const ending = this.pickAt(ALSO_TERMINATING, exchange, tried)
    if (ending >= 0) return ending
    if (tried >= 0 && states[tried]!.up) return -1 // better that one again than one that is known to fail
    if (own >= 0 && own !== tried && states[own]!.mayServe) return own
    return this.pickAt(ALSO_EJECTED, exchange, tried)
  }

  private pickAt(level: Resort['level'], exchange: Exchange, tried: number): number {
    const { resort, balancer } = this.parts
    resort.level = level
    const index = balancer.pick(exchange, tried)
    resort.level = ONLY_GOOD
    return index
  }

  private passOn(exchange: Exchange, tried: number, first: number, slowStart: SlowStart): number {
    const { balancer, states, key, clock } = this.parts
    const now = clock.preciseNow()
    let index = first
    for (let passed = 0; passed < PASSED_ON_MAX; passed++) {
      const lot = key === null ? slowStart.lot() : key.lot(exchange)
      if (slowStart.takes(states[index]!.upSince, now, lot)) return index
      const other = balancer.pick(exchange, index)
      if (other < 0 || other === tried) return index
      index = other
    }
    return index
  }
}
