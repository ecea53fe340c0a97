// config/compile/tcp.ts: tcp.routers, and what they lead to (tcp-services.ts). Hot: no.

import { parseRule, rulePriority, RuleError } from '../../core/route/parse.ts'
import {
  ALPN,
  HOST_SNI,
  HOST_SNI_REGEXP,
  RULE_LEAF,
  leafText,
  type RuleNode,
} from '../../core/route/rule.ts'
import type {
  TcpMiddlewareConfig,
  TcpRouterConfig,
  TcpServiceConfig,
  TcpTransportConfig,
} from '../dynamic/tcp-udp.ts'
import type { Entry } from '../merge.ts'
import type {
  TcpMiddlewarePlan,
  TcpRouterPlan,
  TcpServicePlan,
  TcpTransportPlan,
} from '../protocol-plans.ts'
import type { Compilation } from './compilation.ts'
import { References } from './references.ts'
import { entryPointsOf, faultOfPriority, valuesOf } from './router-plan.ts'
import { planTcpMiddleware } from './tcp-middlewares.ts'
import { TcpBalancers, planTcpTransport } from './tcp-services.ts'
import type { CertificateTable } from './tls/certificates.ts'
import type { TlsOptionsTable } from './tls/options.ts'
import { wish } from './tls/wishes.ts'

export interface CompiledTcp {
  readonly routers: References<TcpRouterConfig, TcpRouterPlan>
  readonly services: References<TcpServiceConfig, TcpServicePlan>
  readonly middlewares: References<TcpMiddlewareConfig, TcpMiddlewarePlan>
  readonly transports: References<TcpTransportConfig, TcpTransportPlan>
  readonly warnings: Map<string, string[]> // of routers, by name
}

export function compileTcp(
  shared: Compilation,
  tlsOptions: TlsOptionsTable,
  certificates: CertificateTable,
): CompiledTcp {
  const { merged } = shared
  const transports = new References(
    shared,
    'TCP serversTransport',
    merged.tcpTransports,
    (entry: Entry<TcpTransportConfig>, config, errors) =>
      planTcpTransport(shared, entry, config, errors),
  )
  const balancers = new TcpBalancers(shared, transports)
  const services = new References(
    shared,
    'TCP service',
    merged.tcpServices,
    (entry: Entry<TcpServiceConfig>, config, errors): TcpServicePlan | null =>
      balancers.plan(entry, config, errors, services),
  )
  const middlewares = new References(
    shared,
    'TCP middleware',
    merged.tcpMiddlewares,
    (entry: Entry<TcpMiddlewareConfig>, config, errors) =>
      planTcpMiddleware(shared, entry, config, errors),
  )
  const warnings = new Map<string, string[]>()
  const planner = new RouterPlanner(
    shared,
    services,
    middlewares,
    tlsOptions,
    certificates,
    warnings,
  )
  const routers = new References(
    shared,
    'TCP router',
    merged.tcpRouters,
    (entry: Entry<TcpRouterConfig>, config, errors) => planner.plan(entry, config, errors),
  )
  for (const family of [transports, services, middlewares, routers]) family.resolveAll()
  return { routers, services, middlewares, transports, warnings }
}

class RouterPlanner {
  private readonly shared: Compilation
  private readonly services: CompiledTcp['services']
  private readonly middlewares: CompiledTcp['middlewares']
  private readonly tlsOptions: TlsOptionsTable
  private readonly certificates: CertificateTable
  private readonly warnings: Map<string, string[]>

  constructor(
    shared: Compilation,
    services: CompiledTcp['services'],
    middlewares: CompiledTcp['middlewares'],
    tlsOptions: TlsOptionsTable,
    certificates: CertificateTable,
    warnings: Map<string, string[]>,
  ) {
    this.shared = shared
    this.services = services
    this.middlewares = middlewares
    this.tlsOptions = tlsOptions
    this.certificates = certificates
    this.warnings = warnings
  }

  plan(
    entry: Entry<TcpRouterConfig>,
    config: TcpRouterConfig,
    errors: string[],
  ): TcpRouterPlan | null {
    const { shared } = this
    const warnings = [...entry.warnings]
    this.warnings.set(entry.qualified, warnings)
    const rule = this.rule(entry, config, errors)
    const fault = faultOfPriority(config.priority)
    if (fault !== '') shared.fail(entry, ['priority'], 'CONFIG_ROUTER', fault, errors)
    const entryPoints = this.entryPoints(entry, config, errors, warnings)
    const tls = this.tls(entry, config, errors)
    const middlewares = config.middlewares.map((name, at) =>
      this.middlewares.refer(name, entry, ['middlewares', at], errors),
    )
    const service = this.service(entry, config, errors)
    if (rule === null || errors.length > 0) return null
    if (config.tls !== null && tls.tls === 'terminate') {
      wish(shared, this.certificates, entry, config.tls, valuesOf(rule, HOST_SNI), warnings)
    }
    const place = shared.facts.precedence.indexOf(entry.provider)
    return {
      name: entry.qualified,
      entryPoints,
      rule: config.rule,
      priority: config.priority === 0 ? defaultPriority(config.rule, rule) : config.priority,
      rank: place === -1 ? shared.facts.precedence.length : place,
      middlewares,
      service,
      ...tls,
    }
  }

  // Engine uws speaks HTTP and nothing else: a router there would never be asked.
  private entryPoints(
    entry: Entry<TcpRouterConfig>,
    config: TcpRouterConfig,
    errors: string[],
    warnings: string[],
  ): readonly string[] {
    const { shared } = this
    const { names, defaults } = shared.entryPoints
    const isAble = (name: string): boolean =>
      shared.facts.entryPoints.some((at) => at.name === name && at.engine === 'node')
    const known = { names, defaults: defaults.filter(isAble) }
    const found = entryPointsOf(shared, entry, config, known, errors, warnings)
    for (const name of found) {
      if (isAble(name)) continue
      const key = ['entryPoints', config.entryPoints.indexOf(name)]
      const message = `the entry point ${name} has engine uws; TCP routers need engine node`
      shared.fail(entry, key, 'CONFIG_ROUTER', message, errors)
    }
    return found
  }

  private service(
    entry: Entry<TcpRouterConfig>,
    config: TcpRouterConfig,
    errors: string[],
  ): string {
    if (config.service !== '') {
      return this.services.refer(config.service, entry, ['service'], errors)
    }
    this.shared.fail(entry, [], 'CONFIG_ROUTER', 'it has no service', errors)
    return ''
  }

  private rule(
    entry: Entry<TcpRouterConfig>,
    config: TcpRouterConfig,
    errors: string[],
  ): RuleNode | null {
    const fail = (key: string, message: string): null => {
      this.shared.fail(entry, key === '' ? [] : [key], 'CONFIG_ROUTER', message, errors)
      return null
    }
    if (config.ruleSyntax === 'v2') {
      return fail('ruleSyntax', 'rule syntax v2 is not supported; write the rule in v3')
    }
    if (config.rule.trim() === '') return fail(config.rule === '' ? '' : 'rule', 'it has no rule')
    try {
      const rule = parseRule(config.rule, 'tcp')
      const blind = config.tls === null ? needsHello(rule) : ''
      return blind === '' ? rule : fail('rule', `rule: ${blind} needs tls on the router`)
    } catch (error) {
      if (!(error instanceof RuleError)) throw error
      return fail('rule', `rule: ${error.message} (at character ${error.offset + 1})`)
    }
  }

  private tls(
    entry: Entry<TcpRouterConfig>,
    { tls }: TcpRouterConfig,
    errors: string[],
  ): Pick<TcpRouterPlan, 'tls' | 'tlsOptions'> {
    if (tls === null) return { tls: 'none', tlsOptions: '' }
    if (!tls.passthrough) {
      const key = ['tls', 'options']
      const tlsOptions = this.tlsOptions.refer(tls.options, entry, key, errors)
      return { tls: 'terminate', tlsOptions }
    }
    // Whoever wrote both believes that client certificates are asked for.
    if (tls.options !== '') {
      const message = 'tls.options: has no meaning with passthrough: the server makes the handshake'
      this.shared.fail(entry, ['tls', 'options'], 'CONFIG_ROUTER', message, errors)
    }
    return { tls: 'passthrough', tlsOptions: '' }
  }
}

// The first matcher that looks into a ClientHello, which clear text does not have.
function needsHello(rule: RuleNode): string {
  if (rule.op !== RULE_LEAF) {
    for (const node of rule.nodes) {
      const found = needsHello(node)
      if (found !== '') return found
    }
    return ''
  }
  const looks =
    rule.matcher === HOST_SNI_REGEXP ||
    rule.matcher === ALPN ||
    (rule.matcher === HOST_SNI && rule.value !== '*')
  return looks ? leafText(rule) : ''
}

// As in Traefik: a router for everything comes after all others.
function defaultPriority(text: string, rule: RuleNode): number {
  const isCatchAll = rule.op === RULE_LEAF && rule.matcher === HOST_SNI && rule.value === '*'
  return isCatchAll ? -1 : rulePriority(text)
}
