// config/compile/outlier-plan.ts: when a load balancer ejects a server, from its outlierDetection. Hot: no.

import type { OutlierOptions } from '../../core/balance/standing.ts'
import type { LoadBalancerConfig } from '../dynamic/services.ts'
import type { Fault } from './middleware-words.ts'

// Of intervals whose answers are counted. Counts of an hour stay below 2^32 up to 1.19 million answers a second.
const COUNTED_MS_MIN = 100
const COUNTED_MS_MAX = 3_600_000

// Faults name keys of the load balancer.
export function planOutlier(
  config: LoadBalancerConfig['outlierDetection'],
  faults: Fault[],
): OutlierOptions | null {
  if (config === null) return null
  const { baseEjectionTime, maxEjectionTime, interval, successRate, failurePercentage } = config
  const isCounted = successRate !== null || failurePercentage !== null
  if (isCounted && (interval < COUNTED_MS_MIN || interval > COUNTED_MS_MAX)) {
    const by = successRate === null ? 'failurePercentage' : 'successRate'
    const message = `outlierDetection.interval: expected 100ms to 1h with ${by}`
    faults.push({ key: ['outlierDetection', 'interval'], message })
  }
  return {
    consecutive5xx: config.consecutive5xx,
    consecutiveGatewayErrors: config.consecutiveGatewayErrors,
    baseMs: baseEjectionTime,
    maxMs: Math.max(baseEjectionTime, maxEjectionTime),
    intervalMs: Math.max(1, interval),
    maxPercent: config.maxEjectionPercent,
    successRate,
    failurePercentage,
  }
}
