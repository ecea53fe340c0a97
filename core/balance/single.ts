// core/balance/single.ts: the balancer of a service with one server, which most services are.
//
// Hot: yes.

import type { Exchange } from '../exchange.ts'
import type { Balancer, Usable } from './contract.ts'

export class SingleBalancer implements Balancer {
  readonly kind = 'single'
  private readonly index: number
  private readonly state: Usable

  constructor(index: number, state: Usable) {
    this.index = index
    this.state = state
  }

  pick(_exchange: Exchange, tried: number): number {
    return tried !== this.index && this.state.up ? this.index : -1
  }
}

// No server, or none with a weight above 0.
export class EmptyBalancer implements Balancer {
  readonly kind = 'empty'

  pick(_exchange: Exchange, _tried: number): number {
    return -1
  }
}
