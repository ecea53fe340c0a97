// workers/health/overview.ts: which servers are up, by checks and by what workers have seen, for metrics and the API.
//
// Owner:  the gateway, in the supervisor's thread. Reads shared memory when it is asked. Hot: no.

import type { LoadBalancerPlan, ServicePlan } from '../../config/generation.ts'
import { Standing } from '../../core/balance/standing.ts'
import type { SlotTable } from '../../core/shared/slot-table.ts'
import type { HealthChecks, HealthState } from './checks.ts'
import { standingName } from './standing-name.ts'

export class HealthOverview {
  private readonly checks: HealthChecks
  private readonly table: SlotTable
  private readonly services: () => ReadonlyMap<string, ServicePlan>
  // The clock of what lies in shared memory (workers/services.ts).
  private readonly clock = { preciseNow: () => Number(process.hrtime.bigint()) / 1e6 }

  constructor(
    checks: HealthChecks,
    table: SlotTable,
    services: () => ReadonlyMap<string, ServicePlan>,
  ) {
    this.checks = checks
    this.table = table
    this.services = services
  }

  // Of a service of any protocol. A server that nobody looks after may be asked.
  isUp(service: string, address: string): boolean {
    if (!this.checks.isUp(service, address)) return false
    const plan = this.services().get(service)
    const isHttp = plan?.kind === 'loadBalancer' && plan.servers.some((s) => s.url === address)
    return !isHttp || this.isTrusted(plan, address)
  }

  // Of servers that are looked after; one of several services is one for each.
  get states(): HealthState[] {
    const states = this.checks.states.filter(({ address }) => !address.includes('://')) // TCP
    for (const plan of this.services().values()) {
      if (plan.kind !== 'loadBalancer' || !isLookedAfter(plan)) continue
      for (const address of new Set(plan.servers.map(({ url }) => url)))
        states.push({ service: plan.name, address, up: this.isUp(plan.name, address) })
    }
    return states
  }

  // A check has found it well.
  readonly forgive = (plan: LoadBalancerPlan, url: string): void => {
    const { passive, outlier } = plan
    const name = standingName(plan, url)
    if (this.table.find(name) < 0) return
    Standing.open(name, { passive, outlier }, this.table, this.clock)?.clear()
  }

  private isTrusted(plan: LoadBalancerPlan, url: string): boolean {
    if (plan.passive === null && plan.outlier === null) return true
    return Standing.isGoodIn(this.table, standingName(plan, url), this.clock.preciseNow())
  }
}

function isLookedAfter({ healthCheck, passive, outlier }: LoadBalancerPlan): boolean {
  return healthCheck !== null || passive !== null || outlier !== null
}
