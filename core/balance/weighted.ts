// core/balance/weighted.ts: what a child service is to the balancer of a weighted service.
//
// A weighted service is wrr over services: the same balancers as over servers (build.ts), whose `up` is
// answered by this. A child can be used when any of its servers can; services may be nested, but config
// has refused cycles, so the walk ends. Without a health check all servers are up and it stops at the first.
// Hot: yes.

import type { Choosable } from './contract.ts'
import { ALSO_EJECTED, type Resort } from './target.ts'

type Part = Pick<Choosable, 'up' | 'mayServe'>

export class ServiceState implements Choosable {
  readonly upSince = 0
  private readonly targets: readonly Part[] // servers of a loadBalancer, children of a composite service

  // Targets of weight 0 take no new requests; leave them out.
  constructor(targets: readonly Part[]) {
    this.targets = targets
  }

  get up(): boolean {
    for (let i = 0; i < this.targets.length; i++) if (this.targets[i]!.up) return true
    return false
  }

  get mayServe(): boolean {
    for (let i = 0; i < this.targets.length; i++) if (this.targets[i]!.mayServe) return true
    return false
  }
}

// A child of a composite service, whatever service it is at the moment.
export class ChildState implements Choosable {
  readonly upSince = 0
  private readonly cell: { readonly current: { readonly state: ServiceState } | null }
  private readonly resort: Resort // of the parent

  constructor(cell: ChildState['cell'], resort: Resort) {
    this.cell = cell
    this.resort = resort
  }

  get up(): boolean {
    const { current } = this.cell
    if (current === null) return false
    return this.resort.level === ALSO_EJECTED ? current.state.mayServe : current.state.up
  }

  get mayServe(): boolean {
    return this.cell.current !== null && this.cell.current.state.mayServe
  }
}
