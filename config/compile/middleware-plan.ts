// config/compile/middleware-plan.ts: one middleware: which kind it is, and the options that a worker gets.
//
// What Traefik Hub has as `plugin.<key>` is the same as the kind that stands for it here (config/dynamic/plugins.ts).
// Lives for one compile(). Hot: no.

import type { DistributedRateLimitConfig, QuotaConfig, RateLimitConfig } from '../dynamic/limits.ts'
import { type MiddlewareConfig, type MiddlewareOptions } from '../dynamic/middlewares.ts'
import { pluginKinds, type PluginKey } from '../dynamic/plugins.ts'
import type { TransportPlan } from '../generation.ts'
import type { Entry } from '../merge.ts'
import type { Path } from '../problem.ts'
import { nearestKey } from '../schema.ts'
import { planBasicAuth, planDigestAuth } from './auth-plan.ts'
import { planHttpCache } from './cache-plan.ts'
import { planForwardAuth } from './forward-auth-plan.ts'
import type { Compilation } from './compilation.ts'
import { planDistributed, planQuota, planRateLimit } from './limit-plan.ts'

// What a middleware says of itself, wherever it says it.
export interface Stated {
  readonly kind: string
  readonly options: unknown
  readonly at: Path // where the options stand: ['stripPrefix'], ['plugin', 'queryParam']
}

export interface Misstated {
  readonly code: 'CONFIG_MIDDLEWARE' | 'CONFIG_NOT_BUILT'
  readonly at: Path
  readonly message: string
  readonly hint: string
}

export function statedBy(config: MiddlewareConfig): Stated | Misstated {
  const kinds = Object.entries(config).filter(([, options]) => options !== null)
  if (kinds.length === 0) return wrong('says nothing: no kind of middleware is given')
  if (kinds.length > 1) {
    return wrong(`has more than one kind: ${kinds.map(([kind]) => kind).join(', ')}`)
  }
  const [kind, options] = kinds[0]!
  if (kind === 'plugin') return pluginOf(options as Record<string, unknown>)
  return { kind, options, at: [kind] }
}

function wrong(message: string, at: Path = [], hint = ''): Misstated {
  return { code: 'CONFIG_MIDDLEWARE', at, message, hint }
}

function pluginOf(plugins: Record<string, unknown>): Stated | Misstated {
  const given = Object.entries(plugins).filter(([, options]) => options !== null)
  if (given.length !== 1) {
    return wrong(`plugin: expected one plugin, found ${given.length}`, ['plugin'])
  }
  const [key, options] = given[0]!
  const at = ['plugin', key]
  if (!Object.hasOwn(pluginKinds, key)) {
    const shown = JSON.stringify(key.slice(0, 100))
    const message = `plugin ${shown} is none of those that are built in; others are not run`
    return {
      code: 'CONFIG_NOT_BUILT',
      at,
      message,
      hint: nearestKey(key, Object.keys(pluginKinds)),
    }
  }
  const { kind, optionsOf } = pluginKinds[key as PluginKey]
  return { kind, options: optionsOf(options), at }
}

// What planning a middleware may need beyond its own text.
export interface PlanTools {
  readonly shared: Compilation
  readonly entry: Entry<unknown>
  readonly errors: string[]
  service(name: string, key: Path): string // qualified; '' when it is missing or disabled
  transport(plan: TransportPlan): void // one that only this middleware uses
}

type Options = Readonly<Record<string, unknown>>
type Plan = (options: Options, at: Path, tools: PlanTools) => unknown

const withService: Plan = (options, at, tools) => {
  return { ...options, service: tools.service(options['service'] as string, [...at, 'service']) }
}

// Kinds whose options are more than what was written. They say what is wrong in `tools.errors`.
const plans: Readonly<Record<string, Plan>> = {
  forwardAuth: (options, at, tools) =>
    planForwardAuth(options as MiddlewareOptions<'forwardAuth'>, at, tools),
  digestAuth: (options, at, tools) =>
    planDigestAuth(options as MiddlewareOptions<'digestAuth'>, at, tools),
  basicAuth: (options, at, tools) =>
    planBasicAuth(options as MiddlewareOptions<'basicAuth'>, at, tools),
  errors: withService,
  mirror: withService,
  rateLimit: (options, at, tools) => planRateLimit({ ...tools, at }, options as RateLimitConfig),
  distributedRateLimit: (options, at, tools) =>
    planDistributed({ ...tools, at }, options as DistributedRateLimitConfig),
  httpCache: (options, at, tools) =>
    planHttpCache({ ...tools, at }, options as MiddlewareOptions<'httpCache'>),
  quota: (options, at, tools) => planQuota({ ...tools, at }, options as QuotaConfig),
  ipWhiteList: (options) => ({ ...options, rejectStatusCode: 403 }),
}

export function planOptions({ kind, options, at }: Stated, tools: PlanTools): unknown {
  const plan = plans[kind]
  return plan === undefined ? options : plan(options as Options, at, tools)
}
