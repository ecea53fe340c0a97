// config/compile/resolver.ts: middlewares and services with everything they name, each resolved once.
//
// A depth-first walk over one graph: chains name middlewares, the errors middleware names a service, services
// name services, middlewares and transports. A circle anywhere in it disables what stands on it. What needs
// something disabled is disabled too: nothing is ever served without a part that it was given. Hot: no.

import type { LoadBalancerConfig, ServiceConfig } from '../dynamic/services.ts'
import type { TransportConfig } from '../dynamic/transports.ts'
import { timesOf } from '../facts.ts'
import type { MiddlewarePlan, ServicePlan, TransportPlan } from '../generation.ts'
import type { Entry } from '../merge.ts'
import type { Path } from '../problem.ts'
import { qualify, shortened, type Compilation } from './compilation.ts'
import { healthFaults, planLoadBalancer } from './balancer-plan.ts'
import { checkMiddleware } from './middleware-checks.ts'
import { planOptions, statedBy } from './middleware-plan.ts'
import type { Fault } from './middleware-words.ts'
import { planInstalledTls, planServerTls } from './server-tls.ts'
import { type Child, type Fail, isComposite, planComposite } from './composite-plans.ts'
import { kindOfService } from './service-plan.ts'

const depthMax = 100
const flattenedMax = 1000 // middlewares of one list once its chains are written out

export interface Resolved {
  readonly errors: readonly string[] // [] when it is enabled
  readonly flat: readonly string[] // of a middleware: itself, or what its chain holds
}

type Kind = 'middleware' | 'service'

export class Resolver {
  readonly middlewares = new Map<string, MiddlewarePlan>()
  readonly services = new Map<string, ServicePlan>()
  readonly transports = new Map<string, TransportPlan>()
  private readonly transportFaults = new Map<string, string>() // of those that are disabled
  private readonly shared: Compilation
  private readonly known = {
    middleware: new Map<string, Resolved>(),
    service: new Map<string, Resolved>(),
  }
  private readonly defaultFault: string // why the default transport may not be used for TLS
  private readonly open: string[] = [] // keys between the start of the walk and here

  constructor(shared: Compilation) {
    this.shared = shared
    for (const plan of shared.facts.internalMiddlewares) this.addMiddleware(plan)
    for (const name of shared.facts.internalServices) {
      this.services.set(name, { kind: 'internal', name })
      this.known.service.set(name, { errors: [], flat: [] })
    }
    const { defaultTransport, defaultServerTls } = shared.facts
    const { tls, fault } = planInstalledTls(shared, 'serversTransport', defaultServerTls)
    this.transports.set('', { ...defaultTransport, tls })
    this.defaultFault = fault
    for (const entry of shared.merged.transports.values()) this.addTransport(entry)
  }

  addMiddleware(plan: MiddlewarePlan): void {
    this.middlewares.set(plan.name, plan)
    this.known.middleware.set(plan.name, { errors: [], flat: [plan.name] })
  }

  resolveAll(): void {
    for (const name of this.shared.merged.middlewares.keys()) this.resolve('middleware', name)
    for (const name of this.shared.merged.services.keys()) this.resolve('service', name)
  }

  // The list with its chains written out, or null when something in it is missing or disabled.
  middlewareList(
    names: readonly string[],
    entry: Entry<unknown>,
    key: Path,
    errors: string[],
  ): readonly string[] | null {
    const flat: string[] = []
    let whole = true
    for (let at = 0; at < names.length; at++) {
      const found = this.refer('middleware', names[at]!, entry, [...key, at], errors)
      if (found === null) whole = false
      else flat.push(...found.flat)
      if (flat.length <= flattenedMax) continue
      this.fail(entry, key, `more than ${flattenedMax} middlewares`, errors)
      return null
    }
    return whole ? flat : null
  }

  // The service's qualified name, or '' when it is missing or disabled.
  serviceName(name: string, entry: Entry<unknown>, key: Path, errors: string[]): string {
    const found = this.refer('service', name, entry, key, errors)
    return found === null ? '' : qualify(name, entry.provider)
  }

  private refer(
    kind: Kind,
    name: string,
    entry: Entry<unknown>,
    key: Path,
    errors: string[],
  ): Resolved | null {
    const wanted = qualify(name, entry.provider)
    const found = this.resolve(kind, wanted)
    if (found === null) {
      const hint = this.shared.suggest(wanted, this.namesOf(kind))
      this.fail(entry, key, `the ${kind} ${wanted} does not exist`, errors, hint)
      return null
    }
    if (found.errors.length === 0) return found
    // A circle is told as it is, not once more for each step of it.
    const circle = /leads in a circle: .*/.exec(found.errors[0]!)
    const reason = circle === null ? `is disabled: ${found.errors[0]}` : circle[0]
    this.fail(entry, key, `the ${kind} ${wanted} ${reason}`, errors)
    return null
  }

  private *namesOf(kind: Kind): Generator<string> {
    const { merged, facts } = this.shared
    yield* (kind === 'service' ? merged.services : merged.middlewares).keys()
    if (kind === 'service') yield* facts.internalServices
  }

  private fail(
    entry: Entry<unknown>,
    key: Path,
    message: string,
    errors: string[],
    hint = '',
  ): void {
    const text = shortened(message)
    errors.push(text)
    this.shared.error(entry, key, 'CONFIG_REFERENCE', `${entry.qualified}: ${text}`, hint)
  }

  private failAll(
    entry: Entry<unknown>,
    code: string,
    faults: readonly Fault[],
    errors: string[],
  ): void {
    for (const { key, message } of faults) {
      errors.push(message)
      this.shared.error(entry, key, code, `${entry.qualified}: ${message}`)
    }
  }

  // Null when there is no such object.
  resolve(kind: Kind, name: string): Resolved | null {
    const before = this.known[kind].get(name)
    if (before !== undefined) return before
    const key = `${kind} ${name}`
    const circle = this.open.indexOf(key)
    if (circle !== -1) {
      const way = [...this.open.slice(circle), key].map((step) => step.split(' ')[1]).join(' -> ')
      return { errors: [`it leads in a circle: ${way}`], flat: [] }
    }
    if (this.open.length > depthMax) {
      return { errors: [`it is nested deeper than ${depthMax}`], flat: [] }
    }
    this.open.push(key)
    const resolved = kind === 'middleware' ? this.middleware(name) : this.service(name)
    this.open.pop()
    if (resolved !== null) this.known[kind].set(name, resolved)
    return resolved
  }

  private middleware(name: string): Resolved | null {
    const entry = this.shared.merged.middlewares.get(name)
    if (entry === undefined) return null
    if (entry.config === null) return { errors: entry.errors, flat: [] }
    const stated = statedBy(entry.config)
    if (!('kind' in stated)) {
      const { at, code, message, hint } = stated
      this.shared.error(entry, at, code, `${name}: ${message}`, hint)
      return { errors: [message], flat: [] }
    }
    const { kind, options, at } = stated
    const errors: string[] = []
    for (const { key, message } of checkMiddleware(kind, options)) {
      errors.push(message)
      this.shared.error(entry, [...at, ...key], 'CONFIG_MIDDLEWARE', `${name}: ${message}`)
    }
    if (kind === 'chain') {
      const { middlewares } = options as { middlewares: readonly string[] }
      const flat = this.middlewareList(middlewares, entry, [...at, 'middlewares'], errors)
      return { errors, flat: errors.length > 0 ? [] : flat! }
    }
    const service = (wanted: string, key: Path) => this.serviceName(wanted, entry, key, errors)
    const plan = planOptions(stated, {
      shared: this.shared,
      entry,
      errors,
      service,
      transport: (own) => this.transports.set(own.name, own),
    })
    if (errors.length > 0) return { errors, flat: [] }
    const planKind = kind === 'ipWhiteList' ? 'ipAllowList' : kind
    this.middlewares.set(name, { name, kind: planKind, options: plan })
    return { errors, flat: [name] }
  }

  private service(name: string): Resolved | null {
    const entry = this.shared.merged.services.get(name)
    if (entry === undefined) return null
    if (entry.config === null) return { errors: entry.errors, flat: [] }
    const errors: string[] = []
    const plan = this.planService(entry, entry.config, errors)
    if (plan !== null) {
      const faults = healthFaults(entry.config, plan, this.services)
      this.failAll(entry, 'CONFIG_SERVICE', faults, errors)
    }
    if (plan !== null && errors.length === 0) this.services.set(name, plan)
    return { errors, flat: [] }
  }

  private planService(
    entry: Entry<ServiceConfig>,
    config: ServiceConfig,
    errors: string[],
  ): ServicePlan | null {
    const name = entry.qualified
    const kind = kindOfService(config)
    const middlewares =
      this.middlewareList(config.middlewares, entry, ['middlewares'], errors) ?? []
    if (kind === 'loadBalancer') {
      return this.planBalancer(entry, config.loadBalancer!, middlewares, errors)
    }
    if (isComposite(kind)) {
      const child: Child = (key, name) => this.serviceName(name, entry, [kind, ...key], errors)
      const fail: Fail = (fault) => this.failAll(entry, 'CONFIG_SERVICE', [fault], errors)
      return planComposite(kind, { name, config, middlewares }, child, fail)
    }
    const isKind = typeof kind === 'string'
    const message = isKind ? `${kind} is not built in this version` : kind.message
    errors.push(message)
    const code = isKind ? 'CONFIG_NOT_BUILT' : 'CONFIG_SERVICE'
    this.shared.error(entry, isKind ? [kind] : [], code, `${name}: ${message}`)
    return null
  }

  private planBalancer(
    entry: Entry<ServiceConfig>,
    config: LoadBalancerConfig,
    middlewares: readonly string[],
    errors: string[],
  ): ServicePlan {
    const { plan, faults } = planLoadBalancer(entry.qualified, config, this.shared.facts)
    this.failAll(entry, 'CONFIG_SERVER', faults, errors)
    const serversTransport = this.transportName(entry, config, errors)
    return { ...plan, serversTransport, middlewares }
  }

  private transportName(
    entry: Entry<ServiceConfig>,
    config: LoadBalancerConfig,
    errors: string[],
  ): string {
    const name = config.serversTransport
    if (name !== '' && name !== 'default@internal') return this.ownTransport(entry, name, errors)
    const secure = config.servers.findIndex(({ url }) => /^https:/i.test(url))
    if (secure !== -1 && this.defaultFault !== '') {
      const key = ['loadBalancer', 'servers', secure, 'url']
      this.fail(
        entry,
        key,
        `the default serversTransport is disabled: ${this.defaultFault}`,
        errors,
      )
    }
    return ''
  }

  private ownTransport(entry: Entry<unknown>, name: string, errors: string[]): string {
    const wanted = qualify(name, entry.provider)
    if (this.transports.has(wanted)) return wanted
    const all = this.shared.merged.transports
    const key = ['loadBalancer', 'serversTransport']
    const missing = !all.has(wanted)
    const hint = missing ? this.shared.suggest(wanted, all.keys()) : ''
    const reason = this.transportFaults.get(wanted)
    const state = missing ? 'does not exist' : `is disabled${reason ? `: ${reason}` : ''}`
    this.fail(entry, key, `the serversTransport ${wanted} ${state}`, errors, hint)
    return ''
  }

  private addTransport(entry: Entry<TransportConfig>): void {
    const { config, qualified: name } = entry
    if (config === null) {
      this.transportFaults.set(name, entry.errors[0] ?? '')
      return
    }
    const errors: string[] = []
    const tls = planServerTls(this.shared, entry, [], config, errors)
    if (errors.length > 0) {
      this.transportFaults.set(name, errors[0]!)
      return
    }
    this.transports.set(name, {
      ...timesOf(config),
      name,
      tls,
      disableHttp2: config.disableHTTP2,
      readIdleTimeoutMs: config.forwardingTimeouts.readIdleTimeout,
      pingTimeoutMs: config.forwardingTimeouts.pingTimeout,
    })
  }
}
