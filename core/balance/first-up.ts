// core/balance/first-up.ts: the first that can be used, in the order they are given: a failover, or a mirroring service,
// whose copies are a middleware's matter.
//
// Hot: yes, for such services.

import type { Exchange } from '../exchange.ts'
import type { Balancer, Usable } from './contract.ts'

export class FirstUpBalancer implements Balancer {
  readonly kind = 'firstUp'
  private readonly states: readonly Usable[]

  constructor(states: readonly Usable[]) {
    this.states = states
  }

  pick(_exchange: Exchange, tried: number): number {
    for (let i = 0; i < this.states.length; i++) if (i !== tried && this.states[i]!.up) return i
    return -1
  }
}
