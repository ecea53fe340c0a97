// config/compile/composite-plans.ts: services made of services: what each says, with the services that it names resolved.
//
// Hot: no.

import type { RolloutPlan } from '../../core/rollout/plan.ts'
import type {
  FailoverConfig,
  HighestRandomWeightConfig,
  MirroringConfig,
  ServiceConfig,
  WeightedConfig,
} from '../dynamic/services.ts'
import type { ServicePlan, WeightedChild } from '../generation.ts'
import type { Path } from '../problem.ts'
import { planWeightedSticky } from './balancer-plan.ts'
import { type Fault, wantStatus } from './middleware-words.ts'

const composites = ['weighted', 'highestRandomWeight', 'mirroring', 'failover'] as const
export type CompositeKind = (typeof composites)[number]

export function isComposite(kind: unknown): kind is CompositeKind {
  return composites.some((one) => one === kind)
}

// The qualified name of a service that is named at `key` below the kind; '' when it can't be used.
export type Child = (key: Path, name: string) => string
export type Fail = (fault: Fault) => void

export interface CompositeSource {
  readonly name: string
  readonly config: ServiceConfig
  readonly middlewares: readonly string[]
}

export function planComposite(
  kind: CompositeKind,
  { name, config, middlewares }: CompositeSource,
  child: Child,
  fail: Fail,
): ServicePlan {
  const own = { name, middlewares }
  if (kind === 'weighted') return { ...own, ...planWeighted(name, config.weighted!, child, fail) }
  if (kind === 'highestRandomWeight') return { ...own, ...planHashed(config[kind]!, child) }
  if (kind === 'mirroring') return { ...own, ...planMirroring(config.mirroring!, child) }
  return { ...own, ...planFailover(config.failover!, child, fail) }
}

function childrenOf({ services }: Pick<WeightedConfig, 'services'>, child: Child): WeightedChild[] {
  return services.map(({ name, weight }, at) => {
    return { name: child(['services', at, 'name'], name), written: name, weight }
  })
}

function planWeighted(name: string, config: WeightedConfig, child: Child, fail: Fail) {
  const services = childrenOf(config, child)
  const { sticky, faults } = planWeightedSticky(name, config)
  for (const fault of faults) fail(fault)
  const plan = config.rollout === null ? null : planRollout(config, config.rollout)
  const fault = plan !== null && 'message' in plan ? plan : null
  if (fault !== null) fail({ ...fault, key: ['weighted', 'rollout', ...fault.key] })
  const rollout = plan !== null && 'message' in plan ? null : plan
  // The new one comes second, wherever it was written.
  const isFirst = rollout !== null && config.rollout?.to === config.services[0]?.name
  const ordered = isFirst ? services.toReversed() : services
  return { kind: 'weighted', services: ordered, strategy: 'wrr', sticky, rollout } as const
}

// One that goes by a hash instead of by turns.
function planHashed(config: HighestRandomWeightConfig, child: Child) {
  const services = childrenOf(config, child)
  return { kind: 'weighted', services, strategy: 'hrw', sticky: null, rollout: null } as const
}

function planMirroring(config: MirroringConfig, child: Child) {
  const { mirrorBody, maxBodySize, when } = config
  const mirrors = config.mirrors.map(({ name, percent }, at) => {
    const service = child(['mirrors', at, 'name'], name)
    return { service, percent, mirrorBody, maxBodySize, when }
  })
  return { kind: 'mirroring', service: child(['service'], config.service), mirrors } as const
}

function planFailover(config: FailoverConfig, child: Child, fail: Fail) {
  const { statuses, bodyMax, faults } = planFailoverErrors(config)
  for (const fault of faults) fail(fault)
  const service = child(['service'], config.service)
  const fallback = child(['fallback'], config.fallback)
  return { kind: 'failover', service, fallback, statuses, bodyMax } as const
}

// Statuses as 'status' of the errors middleware has them: '404', '500-599'.
function planFailoverErrors({ errors }: FailoverConfig): {
  statuses: (readonly [number, number])[]
  bodyMax: number
  faults: Fault[]
} {
  const statuses: (readonly [number, number])[] = []
  const faults: Fault[] = []
  errors?.status.forEach((text, at) => {
    const message = wantStatus(text)
    const [from, to] = text.split('-').map(Number)
    if (message === '') statuses.push([from!, to ?? from!])
    else faults.push({ key: ['failover', 'errors', 'status', at], message: `status: ${message}` })
  })
  return { statuses, bodyMax: errors?.maxRequestBodyBytes ?? -1, faults }
}

// Two services, one of which is rolled out, by rising steps.
function planRollout(
  { services, sticky }: WeightedConfig,
  rollout: NonNullable<WeightedConfig['rollout']>,
): RolloutPlan | Fault {
  const names = services.map(({ name }) => name)
  if (names.length !== 2)
    return { key: [], message: 'rollout: wants exactly two services, the old and the new one' }
  if (!names.includes(rollout.to))
    return { key: ['to'], message: `rollout: to: is none of ${names.join(', ')}` }
  if (sticky !== null)
    return {
      key: [],
      message: 'rollout: goes not together with sticky: who has a cookie would not follow',
    }
  const falling = rollout.steps.findIndex((step, at) => at > 0 && step <= rollout.steps[at - 1]!)
  if (falling !== -1) return { key: ['steps', falling], message: 'rollout: steps must rise' }
  const { steps, interval, startsPaused, maxErrorRatio, maxP99, minRequests } = rollout
  return { steps, intervalMs: interval, startsPaused, maxErrorRatio, maxP99Ms: maxP99, minRequests }
}
