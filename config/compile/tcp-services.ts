// config/compile/tcp-services.ts: tcp.services and tcp.serversTransports. Hot: no.

import type { TcpServiceConfig, TcpTransportConfig } from '../dynamic/tcp-udp.ts'
import type { Entry } from '../merge.ts'
import type {
  TcpHealthCheckPlan,
  TcpLoadBalancerPlan,
  TcpServicePlan,
  TcpTransportPlan,
} from '../protocol-plans.ts'
import { plainServerTls } from '../facts.ts'
import type { Compilation } from './compilation.ts'
import type { References } from './references.ts'
import { addressFault } from './server-address.ts'
import { planInstalledTls, planServerTls } from './server-tls.ts'

export function planTcpTransport(
  shared: Compilation,
  entry: Entry<TcpTransportConfig>,
  config: TcpTransportConfig,
  errors: string[],
): TcpTransportPlan {
  const { tls } = config
  return {
    name: entry.qualified,
    dialTimeoutMs: config.dialTimeout,
    dialKeepAliveMs: config.dialKeepAlive,
    idleTimeoutMs: config.idleTimeout,
    proxyProtocol: versionOf(config.proxyProtocol),
    terminationDelayMs: config.terminationDelay,
    tls: tls === null ? plainServerTls : planServerTls(shared, entry, ['tls'], tls, errors),
  }
}

function versionOf(proxyProtocol: { readonly version: number } | null): 0 | 1 | 2 {
  if (proxyProtocol === null) return 0
  return proxyProtocol.version === 1 ? 1 : 2
}

type Balancer = NonNullable<TcpServiceConfig['loadBalancer']>
type Weighted = NonNullable<TcpServiceConfig['weighted']>

export class TcpBalancers {
  private readonly shared: Compilation
  private readonly transports: References<TcpTransportConfig, TcpTransportPlan>
  private readonly standard: TcpTransportPlan
  private readonly standardFault: string

  constructor(shared: Compilation, transports: References<TcpTransportConfig, TcpTransportPlan>) {
    const { defaultTcpTransport, defaultTcpServerTls } = shared.facts
    const path = 'tcpServersTransport.tls'
    const { tls, fault } = planInstalledTls(shared, path, defaultTcpServerTls)
    this.shared = shared
    this.transports = transports
    this.standard = { ...defaultTcpTransport, tls }
    this.standardFault = fault
    transports.plans.set('', this.standard)
  }

  plan(
    entry: Entry<TcpServiceConfig>,
    config: TcpServiceConfig,
    errors: string[],
    services: References<TcpServiceConfig, TcpServicePlan>,
  ): TcpServicePlan | null {
    const { loadBalancer, weighted } = config
    if ((loadBalancer === null) === (weighted === null)) {
      const message =
        loadBalancer === null
          ? 'says nothing: expected loadBalancer or weighted'
          : 'has more than one kind: loadBalancer, weighted'
      this.shared.fail(entry, [], 'CONFIG_SERVICE', message, errors)
      return null
    }
    if (loadBalancer !== null) return this.balancer(entry, loadBalancer, errors)
    return planWeighted(this.shared, entry, weighted!, errors, services)
  }

  private balancer(
    entry: Entry<TcpServiceConfig>,
    config: Balancer,
    errors: string[],
  ): TcpLoadBalancerPlan {
    const name = entry.qualified
    const serversTransport = this.transportName(entry, config, errors)
    const transport = this.transports.plans.get(serversTransport) ?? this.standard
    config.servers.forEach(({ address }, at) => {
      const fault = addressFault(address)
      const key = ['loadBalancer', 'servers', at, 'address']
      if (fault !== '') this.shared.fail(entry, key, 'CONFIG_SERVER', fault, errors)
    })
    return {
      kind: 'loadBalancer',
      name,
      servers: config.servers,
      serversTransport,
      proxyProtocol:
        config.proxyProtocol === null ? transport.proxyProtocol : versionOf(config.proxyProtocol),
      terminationDelayMs: config.terminationDelay ?? transport.terminationDelayMs,
      healthCheck: healthCheckOf(config.healthCheck),
    }
  }

  private transportName(
    entry: Entry<TcpServiceConfig>,
    config: Balancer,
    errors: string[],
  ): string {
    const key = ['loadBalancer', 'serversTransport']
    const name = config.serversTransport
    if (name !== '' && name !== 'default@internal') {
      return this.transports.refer(name, entry, key, errors)
    }
    if (this.standardFault !== '' && config.servers.some((server) => server.tls)) {
      const message = `the default TCP serversTransport is disabled: ${this.standardFault}`
      this.shared.fail(entry, key, 'CONFIG_REFERENCE', message, errors)
    }
    return ''
  }
}

function healthCheckOf(config: Balancer['healthCheck']): TcpHealthCheckPlan | null {
  if (config === null) return null
  return {
    port: config.port,
    send: config.send,
    expect: config.expect,
    intervalMs: config.interval,
    unhealthyIntervalMs: config.unhealthyInterval ?? config.interval,
    timeoutMs: config.timeout,
  }
}

export function planWeighted<Config, Planned>(
  shared: Compilation,
  entry: Entry<Config>,
  { services }: Pick<Weighted, 'services'>,
  errors: string[],
  references: References<Config, Planned>,
): { kind: 'weighted'; name: string; services: { name: string; weight: number }[] } {
  if (services.length === 0) {
    const key = ['weighted']
    shared.fail(entry, key, 'CONFIG_SERVICE', 'weighted: services must not be empty', errors)
  }
  const named = services.map(({ name, weight }, at) => {
    const key = ['weighted', 'services', at, 'name']
    return { name: references.refer(name, entry, key, errors), weight }
  })
  return { kind: 'weighted', name: entry.qualified, services: named }
}
