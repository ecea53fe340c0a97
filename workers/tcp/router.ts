// workers/tcp/router.ts: a TCP router as a worker runs it: its service, its middlewares, its counts.
//
// Owner:  the live generation; shared with the next one while neither it nor what it leads to changed.
// Hot:    no, once per connection.

import type { TcpMiddlewarePlan, TcpRouterPlan } from '../../config/protocol-plans.ts'
import { AddressSet } from '../../core/address.ts'
import { IN_FLIGHT, NONE, REFUSED_ADDRESS } from '../../core/errors.ts'
import type { SharedTables } from '../../core/middleware/worker.ts'
import { type TcpRoute, compileTcpRule, isCatchAll } from '../../core/tcp/matcher.ts'
import { parseRule } from '../../core/route/parse.ts'
import type { RuleNode } from '../../core/route/rule.ts'
import { type InFlightCounts, REFUSED } from '../../core/shared/in-flight-counts.ts'
import type { KeyedHash } from '../../core/shared/keyed-hash.ts'
import type { EntryPoint } from '../entry-point.ts'
import type { LiveTcpService } from './service.ts'

// Blocks of the worker's SeriesTable.
export interface TcpCounters {
  readonly connections: number
  readonly received: number // bytes from clients
  readonly sent: number // bytes to clients
}

export class LiveTcpRouter implements Pick<TcpRoute<unknown>, 'rule' | 'condition'> {
  readonly name: string
  readonly plan: TcpRouterPlan
  readonly tls: TcpRouterPlan['tls']
  readonly rule: RuleNode
  readonly condition: TcpRoute<unknown>['condition']
  readonly catchAll: boolean // HostSNI(`*`) alone: looked at after every router of HTTPS that names its hosts
  readonly middlewares: readonly TcpMiddlewarePlan[]
  readonly service: LiveTcpService
  private readonly allowed: readonly AddressSet[]
  private readonly amounts: readonly { readonly key: string; readonly amount: number }[]
  private readonly inFlight: InFlightCounts | null // of all workers; null: no limit
  private readonly counters = new Map<string, TcpCounters>()

  constructor(
    plan: TcpRouterPlan,
    middlewares: readonly TcpMiddlewarePlan[],
    service: LiveTcpService,
    shared: SharedTables,
  ) {
    this.name = plan.name
    this.plan = plan
    this.tls = plan.tls
    this.rule = parseRule(plan.rule, 'tcp')
    this.condition = compileTcpRule(this.rule)
    this.catchAll = isCatchAll(this.rule)
    this.middlewares = middlewares
    this.service = service
    this.allowed = middlewares
      .filter((m) => m.kind === 'ipAllowList')
      .map((m) => new AddressSet((m.options as { sourceRange: readonly string[] }).sourceRange))
    this.amounts = middlewares
      .filter((m) => m.kind === 'inFlightConn')
      // A middleware that is named twice has counts of its own each time, or an amount of 1 would refuse all.
      .map((m, i) => ({
        key: `tcp ${plan.name} ${m.name} ${i} `,
        amount: (m.options as { amount: number }).amount,
      }))
    // Asked for now, not at the first connection: that gives back what the worker held whose place this one has taken, and
    // until then the others would refuse clients for connections that nobody has.
    this.inFlight = this.amounts.length === 0 ? null : shared.inFlight
  }

  // NONE, or the code of the error for which the connection is refused. What was entered must be left.
  enter(address: string): number {
    for (const set of this.allowed) if (!set.contains(address)) return REFUSED_ADDRESS
    for (const [i, { key, amount }] of this.amounts.entries()) {
      if (this.inFlight!.enter(keyOf(this.inFlight!, key + address), amount) !== REFUSED) continue
      this.leaveFirst(i, address)
      return IN_FLIGHT
    }
    return NONE
  }

  leave(address: string): void {
    this.leaveFirst(this.amounts.length, address)
  }

  private leaveFirst(count: number, address: string): void {
    for (const { key } of this.amounts.slice(0, count))
      this.inFlight!.leaveKey(keyOf(this.inFlight!, key + address))
  }

  countersOf(point: EntryPoint, service: string): TcpCounters {
    const key = `${point.name} ${service}`
    let counters = this.counters.get(key)
    if (counters === undefined) {
      const labels = { entrypoint: point.name, router: this.name, service }
      const give = (family: string): number => point.context.series.give({ family, labels })
      counters = {
        connections: give('sluice_tcp_connections_total'),
        received: give('sluice_tcp_received_bytes_total'),
        sent: give('sluice_tcp_sent_bytes_total'),
      }
      this.counters.set(key, counters)
    }
    return counters
  }
}

// One count for all workers. Once per connection: the key is worked out anew each time.
function keyOf(inFlight: InFlightCounts, source: string): KeyedHash {
  const key = inFlight.hashFor('tcp')
  key.of(source)
  return key
}
