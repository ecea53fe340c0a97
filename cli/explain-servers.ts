// cli/explain-servers.ts: which of a service's servers or children would take a request, and why the others would not.
//
// No server is asked, so all count as up; a choice by turns or by lot is said to be one.

import type { LoadBalancerPlan, ServicePlan, WeightedPlan } from '../config/generation.ts'
import { buildHashed } from '../core/balance/build.ts'
import { HashKey } from '../core/balance/hash-key.ts'
import type { OutlierOptions } from '../core/balance/standing.ts'
import { Sticky, type StickyOptions } from '../core/balance/sticky.ts'
import { canBeOutlier } from '../core/balance/success-rate.ts'
import type { Exchange } from '../core/exchange.ts'

export interface Choice {
  readonly service: string
  readonly of: string // URL of a server, name of a child
  readonly verdict: string // '' when there is nothing to say: it has its turn
}

export function choicesOf(plan: ServicePlan, exchange: Exchange): Choice[] {
  if (plan.kind === 'loadBalancer') return choicesOfServers(plan, exchange)
  return plan.kind === 'weighted' ? choicesOfChildren(plan, exchange) : []
}

interface Picked {
  readonly index: number
  readonly why: string
}

function choicesOfServers(plan: LoadBalancerPlan, exchange: Exchange): Choice[] {
  const { name: service, servers, strategy, hashOn } = plan
  const hasRest = servers.some((s) => s.weight > 0 && !s.fenced && !s.terminating)
  const weights = servers.map((s) => (s.fenced || (hasRest && s.terminating) ? 0 : s.weight))
  const own = servers.map(({ weight }) => weight)
  const names = servers.map(({ url }) => url)
  const isHashed = strategy === 'hrw' || strategy === 'maglev'
  const picked =
    byCookie(plan.sticky, own, exchange) ??
    (isHashed ? byHash(strategy, names, weights, new HashKey(hashOn), exchange) : null)
  return servers.map(({ url, weight, fenced, terminating }, i) => {
    const ending = terminating && hasRest ? 'terminating: taken when nothing else is up' : ''
    const reason = fenced ? 'fenced: only clients whose cookie names it' : ending
    return { service, of: url, verdict: verdictOf(picked, i, weight, reason) }
  })
}

function choicesOfChildren(plan: WeightedPlan, exchange: Exchange): Choice[] {
  const { name: service, services, strategy, sticky } = plan
  const weights = services.map(({ weight }) => weight)
  const names = services.map(({ written }) => written)
  const key = new HashKey({ from: 'ip' })
  const picked =
    byCookie(sticky, weights, exchange) ??
    (strategy === 'hrw' ? byHash('hrw', names, weights, key, exchange) : null)
  return services.map(({ name, weight }, i) => {
    return { service, of: name, verdict: verdictOf(picked, i, weight, '') }
  })
}

// `reason`: why it would not be taken by turns.
function verdictOf(picked: Picked | null, index: number, weight: number, reason: string): string {
  if (picked?.index === index) return `takes it: ${picked.why}`
  if (weight === 0) return 'weight 0: takes no new requests'
  return reason !== '' || picked === null ? reason : 'the choice falls on another one'
}

function byCookie(
  options: StickyOptions | null,
  weights: readonly number[],
  exchange: Exchange,
): Picked | null {
  if (options === null) return null
  const index = new Sticky(options, weights).find(exchange)
  return index < 0 ? null : { index, why: `the cookie ${options.cookie} names it` }
}

const alwaysUp = { up: true }

function byHash(
  strategy: 'hrw' | 'maglev',
  names: readonly string[],
  weights: readonly number[],
  key: HashKey,
  exchange: Exchange,
): Picked | null {
  const states = names.map(() => alwaysUp)
  const index = buildHashed(states, { strategy, weights, names, key }).pick(exchange, -1)
  return index < 0 ? null : { index, why: `by the hash of ${key.describe(exchange)}` }
}

// What a service looks after, in a sentence; '' when nothing.
export function careOf(plan: ServicePlan): string {
  if (plan.kind !== 'loadBalancer') return ''
  const { healthCheck, passive, outlier, slowStartMs, sticky } = plan
  const parts: string[] = []
  if (sticky !== null) parts.push(`clients stay by the cookie ${sticky.cookie}`)
  if (healthCheck !== null) {
    const { mode, method, path, intervalMs } = healthCheck
    const what = mode === 'grpc' ? 'gRPC health' : `${method} ${path || '/'}`
    parts.push(`checked every ${intervalMs / 1000} s with ${what}`)
  }
  if (passive !== null)
    parts.push(`down for ${passive.windowMs / 1000} s after ${passive.maxFailed} failures`)
  if (outlier !== null) parts.push(...ejectionsOf(plan.servers.length, outlier))
  if (slowStartMs > 0) parts.push(`new servers start slowly, within ${slowStartMs / 1000} s`)
  return parts.join('; ')
}

function ejectionsOf(servers: number, outlier: OutlierOptions): string[] {
  const { successRate, failurePercentage, intervalMs } = outlier
  const parts: string[] = []
  if (outlier.consecutive5xx > 0 || outlier.consecutiveGatewayErrors > 0)
    parts.push('ejected after errors in a row')
  const every = `${intervalMs / 1000} s`
  if (successRate !== null) {
    const never = canBeOutlier(servers, successRate) ? '' : `, never with ${servers} servers`
    parts.push(`ejected when its success rate in ${every} is below that of the others${never}`)
  }
  if (failurePercentage !== null) {
    const { threshold, minServers } = failurePercentage
    const never = servers >= minServers ? '' : `, never with ${servers} servers`
    parts.push(`ejected when ${threshold}% of its answers in ${every} have failed${never}`)
  }
  return parts
}
