// workers/service-parts.ts: a service's balancer, and what stands around it, made from its plan.
//
// Owner:  the LiveService that is made; flags and cells are the worker's and the process's. Not hot.
//
// A load balancer of plain servers has the bare balancer over the worker's own Servers. Each thing more costs what it
// needs and no more: sticky, hashing and slow start stand in a Selection, checks and ejections make Targets.

import type { LoadBalancerPlan, ServicePlan, WeightedPlan } from '../config/generation.ts'
import { buildBalancer, buildHashed, buildWrr } from '../core/balance/build.ts'
import type { Balancer, Usable } from '../core/balance/contract.ts'
import { FirstUpBalancer } from '../core/balance/first-up.ts'
import { HashKey } from '../core/balance/hash-key.ts'
import { IntervalCounts } from '../core/balance/interval-counts.ts'
import { Selection } from '../core/balance/selection.ts'
import { RolloutBalancer, type RolloutWatch } from '../core/balance/rollout.ts'
import { SlowStart } from '../core/balance/slow-start.ts'
import { Standing } from '../core/balance/standing.ts'
import { Sticky } from '../core/balance/sticky.ts'
import { type Resort, Target, neverChecked } from '../core/balance/target.ts'
import { ChildState, ServiceState } from '../core/balance/weighted.ts'
import type { WorkerContext } from './context.ts'
import { healthKey } from './health/board.ts'
import { intervalName, standingName } from './health/standing-name.ts'
import type { ServiceCell } from './live-service.ts'
import { ServiceWatch } from './service-watch.ts'
import type { Server } from './upstream/server.ts'

export interface ServiceParts {
  readonly balancer: Balancer
  readonly states: readonly Usable[] // what the balancer chooses from
  readonly weights: readonly number[] // 0: has no turn
  readonly sticky: Sticky | null
  readonly state: ServiceState
  readonly watch: ServiceWatch | null
  readonly healthKeys: readonly string[] // that the worker's board is to be told of at the end
}

const alwaysUp = { up: true, mayServe: true }

export function partsOf(
  plan: ServicePlan,
  servers: readonly Server[],
  children: readonly ServiceCell[] | null,
  context: WorkerContext,
  rollout: RolloutWatch | null,
): ServiceParts {
  if (plan.kind === 'loadBalancer') return partsOfServers(plan, servers, context)
  if (children !== null) return partsOfChildren(plan, children, context, rollout)
  const weights = servers.map(() => 1)
  return {
    balancer: buildWrr(servers, weights, 0),
    states: servers,
    weights,
    sticky: null,
    state: new ServiceState([alwaysUp]),
    watch: null,
    healthKeys: [],
  }
}

// ---- servers

function partsOfServers(
  plan: LoadBalancerPlan,
  servers: readonly Server[],
  context: WorkerContext,
): ServiceParts {
  const resort: Resort = { level: 0 }
  const healthKeys = plan.healthCheck === null ? [] : plan.servers.map((s) => keyOf(plan, s.url))
  const targets = needsTargets(plan) ? targetsOf(plan, servers, resort, healthKeys, context) : null
  const states = targets ?? servers
  // Those that only sticky clients reach have no turn.
  const weights = plan.servers.map(({ weight, fenced }) => (fenced ? 0 : weight))
  const isHashed = plan.strategy === 'hrw' || plan.strategy === 'maglev'
  const key = isHashed ? new HashKey(plan.hashOn) : null
  const names = plan.servers.map(({ url }) => url)
  const { index: worker } = context.plan
  const bare = buildBalancer(states, { strategy: plan.strategy, weights, names, key, worker })
  const ownWeights = plan.servers.map(({ weight }) => weight)
  const sticky = plan.sticky === null ? null : new Sticky(plan.sticky, ownWeights)
  const slowStart = plan.slowStartMs > 0 ? new SlowStart(plan.slowStartMs, worker + 1) : null
  const isBare = targets === null && sticky === null && slowStart === null
  const clock = context.services
  const balancer = isBare
    ? bare
    : new Selection({ balancer: bare, states, resort, sticky, slowStart, key, clock })
  return {
    balancer,
    states,
    weights,
    sticky,
    state: new ServiceState(states.filter((_, i) => weights[i]! > 0)),
    watch: watchOf(plan, servers, targets, context),
    healthKeys,
  }
}

function needsTargets(plan: LoadBalancerPlan): boolean {
  return plan.healthCheck !== null || notesAnswers(plan) || plan.servers.some((s) => s.terminating)
}

function notesAnswers({ passive, outlier }: LoadBalancerPlan): boolean {
  return passive !== null || outlier !== null
}

export function keyOf(plan: LoadBalancerPlan, url: string): string {
  return healthKey('http', plan.name, url, plan.healthCheck!)
}

function targetsOf(
  plan: LoadBalancerPlan,
  servers: readonly Server[],
  resort: Resort,
  healthKeys: readonly string[],
  context: WorkerContext,
): Target[] {
  const { passive, outlier } = plan
  const { services } = context
  return plan.servers.map(({ url, terminating }, i) => {
    const flag = plan.healthCheck === null ? neverChecked : context.health.flagOf(healthKeys[i]!)
    const standing = notesAnswers(plan)
      ? Standing.open(
          standingName(plan, url),
          { passive, outlier },
          services.shared.states,
          services,
        )
      : null
    return new Target(servers[i]!, flag, standing, terminating, resort)
  })
}

function watchOf(
  plan: LoadBalancerPlan,
  servers: readonly Server[],
  targets: readonly Target[] | null,
  context: WorkerContext,
): ServiceWatch | null {
  const standings =
    targets !== null && notesAnswers(plan) ? targets.map((target) => target.standing) : null
  if (standings === null && plan.strategy !== 'leasttime') return null
  const { services } = context
  const { states } = services.shared
  const counts =
    standings === null
      ? null
      : IntervalCounts.open(intervalName(plan), plan.outlier, standings, states, services)
  return new ServiceWatch(plan, context, servers, standings, counts)
}

// ---- children

function partsOfChildren(
  plan: Exclude<ServicePlan, LoadBalancerPlan>,
  children: readonly ServiceCell[],
  context: WorkerContext,
  rollout: RolloutWatch | null,
): ServiceParts {
  const resort: Resort = { level: 0 }
  const states = children.map((cell) => new ChildState(cell, resort))
  const isWeighted = plan.kind === 'weighted'
  const key = isWeighted && plan.strategy === 'hrw' ? new HashKey({ from: 'ip' }) : null
  const bare = isWeighted
    ? balancerOfWeighted(plan, states, key, context.plan.index)
    : new FirstUpBalancer(states)
  const weights = isWeighted ? plan.services.map(({ weight }) => weight) : states.map(() => 1)
  const sticky = isWeighted && plan.sticky !== null ? new Sticky(plan.sticky, weights) : null
  const balancer = rollout === null ? bare : new RolloutBalancer(states, rollout)
  const parts = { balancer, states, resort, sticky, slowStart: null, key }
  return {
    balancer: new Selection({ ...parts, clock: context.services }),
    states,
    weights,
    sticky,
    state: new ServiceState(states.filter((_, i) => weights[i]! > 0)),
    watch: null,
    healthKeys: [],
  }
}

function balancerOfWeighted(
  plan: WeightedPlan,
  states: readonly ChildState[],
  key: HashKey | null,
  worker: number,
): Balancer {
  const weights = plan.services.map(({ weight }) => weight)
  if (key === null) return buildWrr(states, weights, worker)
  const names = plan.services.map(({ written }) => written)
  return buildHashed(states, { strategy: 'hrw', weights, names, key })
}
