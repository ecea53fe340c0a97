// workers/tcp/service.ts: a TCP service as a worker runs it: which server gets the next connection.
//
// Owner:  the live generation; shared with the next one while nothing of it changed, so that turns go on.
// Hot:    no, once per connection.

import type {
  TcpLoadBalancerPlan,
  TcpServicePlan,
  TcpTransportPlan,
} from '../../config/protocol-plans.ts'
import { buildWrr } from '../../core/balance/build.ts'
import type { Balancer } from '../../core/balance/contract.ts'
import { ServiceState } from '../../core/balance/weighted.ts'
import { Exchange } from '../../core/exchange.ts'
import type { HealthBoard } from '../health/board.ts'
import { TcpServer } from './server.ts'

// Balancers of requests are asked with an exchange; those that turn (wrr) do not look at it.
const nobody = new Exchange()

export class LiveTcpBalancer {
  readonly kind = 'loadBalancer'
  readonly plan: TcpLoadBalancerPlan
  readonly transport: TcpTransportPlan
  readonly servers: readonly TcpServer[]
  readonly state: ServiceState
  private readonly balancer: Balancer

  constructor(
    plan: TcpLoadBalancerPlan,
    transport: TcpTransportPlan,
    board: HealthBoard,
    worker: number,
  ) {
    this.plan = plan
    this.transport = transport
    this.servers = plan.servers.map(
      (s) => new TcpServer(plan.name, s, plan.healthCheck, transport, board),
    )
    this.state = new ServiceState(this.servers)
    const weights = plan.servers.map(() => 1)
    this.balancer = buildWrr(this.servers, weights, worker)
  }

  // The index of the server for the next connection, another one than `tried` (-1: none); -1 when there is none.
  pick(tried: number): number {
    return this.balancer.pick(nobody, tried)
  }

  leaf(): LiveTcpBalancer {
    return this
  }

  get proxyProtocol(): 0 | 1 | 2 {
    return this.plan.proxyProtocol === 0 ? this.transport.proxyProtocol : this.plan.proxyProtocol
  }
}

export class LiveTcpWeighted {
  readonly kind = 'weighted'
  readonly plan: TcpServicePlan
  readonly children: readonly LiveTcpService[]
  readonly state: ServiceState
  private readonly balancer: Balancer

  constructor(
    plan: TcpServicePlan,
    children: readonly LiveTcpService[],
    weights: readonly number[],
    worker: number,
  ) {
    this.plan = plan
    this.children = children
    const states = children.map((child) => child.state)
    this.state = new ServiceState(states.filter((_, i) => weights[i]! > 0))
    this.balancer = buildWrr(states, weights, worker)
  }

  // The balancer of servers that takes the next connection; null when none of them has a server that is up.
  leaf(): LiveTcpBalancer | null {
    const index = this.balancer.pick(nobody, -1)
    return index < 0 ? null : this.children[index]!.leaf()
  }
}

export type LiveTcpService = LiveTcpBalancer | LiveTcpWeighted
