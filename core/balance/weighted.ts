// core/balance/weighted.ts: what a child service is to the balancer of a weighted service.
//
// A weighted service is wrr over services: the same balancers as over servers (build.ts), whose `up` is
// answered by this. A child can be used when any of its servers can; services may be nested, but config
// has refused cycles, so the walk ends. Without a health check all servers are up and it stops at the first.
// Hot: yes.

import type { Usable } from './contract.ts'

export class ServiceState implements Usable {
  private readonly targets: readonly Usable[] // servers of a loadBalancer, children of a weighted service

  // Targets of weight 0 take no new requests; leave them out.
  constructor(targets: readonly Usable[]) {
    this.targets = targets
  }

  get up(): boolean {
    for (let i = 0; i < this.targets.length; i++) if (this.targets[i]!.up) return true
    return false
  }
}
