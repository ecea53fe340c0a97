// core/balance/contract.ts: what chooses a server is to the pipeline, and what it knows about servers.
//
// Owner:  a Balancer belongs to one generation; a ServerState belongs to the worker and outlives
//         generations, keyed by the address of the server, so a reload forgets neither load nor health.
//         That is why weights are not in it: they are configuration and come with the balancer.
// Hot:    yes. One pick per request; nothing is allocated.

import type { Exchange } from '../exchange.ts'

export interface Balancer {
  readonly kind: string // 'wrr'
  // The index of a server in the list that the balancer was built from. A server that is down, that has
  // weight 0, or whose index is `tried` (-1: none) is passed over. -1 when no server is left: the caller
  // answers NO_SERVER, or for a retry calls again with -1 to allow the tried one.
  pick(exchange: Exchange, tried: number): number
}

// What every strategy asks of a server (or, in a weighted service, of a child service).
export interface Usable {
  readonly up: boolean
}

// What p2c asks as well.
export interface Loaded extends Usable {
  readonly inFlight: number
}

// What is asked where there is more to a server than up or down (selection.ts).
export interface Choosable extends Usable {
  readonly mayServe: boolean // it could be asked if nothing better is left
  readonly upSince: number // of the clock that threads share; 0: for ever
}

// One cell that is never 0: the health of servers that nobody checks.
const alwaysUp = Int32Array.of(1)

export class ServerState implements Loaded {
  inFlight = 0 // exchanges leased to this server by this worker; the pipeline counts them
  private readonly health: Int32Array // shared memory that the supervisor writes, or alwaysUp
  private readonly slot: number

  constructor(health: Int32Array = alwaysUp, slot = 0) {
    this.health = health
    this.slot = slot
  }

  get up(): boolean {
    return this.health[this.slot] !== 0
  }

  get mayServe(): boolean {
    return this.up
  }
}
