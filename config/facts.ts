// config/facts.ts: what the compiler of routes needs to know of the install configuration.
//
// Small and plain, so that compile() can be tested, and later run, without a whole install configuration.
// Hot: no.

import type { MiddlewarePlan, TransportPlan } from './generation.ts'
import type { ServerTlsPlan, TcpTransportPlan } from './protocol-plans.ts'
import type { EntryPoint, StaticConfig } from './static.ts'

export interface EntryPointFacts {
  readonly name: string
  readonly port: number
  readonly engine: 'node' | 'uws'
  readonly takesDefault: boolean // routers that name no entry point listen here
  readonly middlewares: readonly string[] // qualified; before those of the router
  readonly tls: boolean // all its routers answer TLS
  readonly tlsOptions: string // of those that name none: '', 'strict@file'
  readonly certResolver: string // of those that name none
  readonly domains: readonly Domain[]
  readonly accessLogs: boolean
  readonly metrics: boolean
  readonly redirection: Redirection | null
  readonly acmeByPass: boolean // challenges may be for somebody behind
}

export interface Domain {
  readonly main: string
  readonly sans: readonly string[]
}

// TLS to servers as the install configuration has it; files are read when a generation is compiled.
export interface InstalledServerTls {
  readonly insecureSkipVerify: boolean
  readonly rootCAs: readonly string[]
  readonly spiffe: { readonly ids: readonly string[]; readonly trustDomain: string } | null
}

export interface Redirection {
  readonly to: string // an entry point, or ':port'
  readonly scheme: string
  readonly permanent: boolean
  readonly priority: number
}

export interface InternalRouter {
  readonly name: string // 'ping@internal'
  readonly entryPoint: string
  readonly rule: string
  readonly service: string
  readonly yields: boolean // to routers of users, by the length of its rule
}

export interface StaticFacts {
  readonly entryPoints: readonly EntryPointFacts[]
  readonly precedence: readonly string[] // providers; the first wins a tie
  readonly internalServices: readonly string[] // those that users' routers may name
  readonly internalRouters: readonly InternalRouter[]
  readonly internalMiddlewares: readonly MiddlewarePlan[]
  readonly defaultTransport: TransportPlan
  readonly defaultServerTls: InstalledServerTls
  readonly defaultTcpTransport: TcpTransportPlan
  readonly defaultTcpServerTls: InstalledServerTls
  readonly udpEntryPoints: readonly string[]
  readonly certificateResolvers: readonly string[]
  readonly workloadApi: string // address of SPIFFE's; '' for none: certificates come from files
  readonly serverSchemes: readonly string[] // what the upstream side can speak
}

export const serverSchemesBuilt = ['http', 'https', 'h2c', 'unix']

export function factsOf(config: StaticConfig): StaticFacts {
  return {
    entryPoints: entryPointFacts(config),
    precedence: config.providers.precedence,
    internalServices: internalServicesOf(config),
    internalRouters: internalRoutersOf(config),
    internalMiddlewares: [],
    defaultTransport: defaultTransportOf(config),
    defaultServerTls: installedTls(config.serversTransport),
    defaultTcpTransport: defaultTcpTransportOf(config),
    defaultTcpServerTls: installedTls(config.tcpServersTransport.tls),
    udpEntryPoints: Object.entries(config.entryPoints)
      .filter(([, at]) => at.listen.protocol === 'udp')
      .map(([name]) => name),
    certificateResolvers: Object.keys(config.certificatesResolvers),
    workloadApi: config.spiffe.workloadAPIAddr,
    serverSchemes: serverSchemesBuilt,
  }
}

// As in Traefik: those flagged asDefault; if none is, all but the one called traefik and that of the API.
function entryPointFacts(config: StaticConfig): EntryPointFacts[] {
  const all = Object.entries(config.entryPoints).filter(([, at]) => at.listen.protocol === 'tcp')
  const flagged = all.some(([, at]) => at.asDefault)
  const api = config.api?.insecure === true ? config.api.entryPoint : ''
  return all.map(([name, at]) => ({
    name,
    port: at.listen.port,
    engine: at.engine,
    takesDefault: flagged ? at.asDefault : name !== 'traefik' && name !== api,
    middlewares: at.http.middlewares,
    tls: at.http.tls !== null,
    tlsOptions: at.http.tls?.options ?? '',
    certResolver: at.http.tls?.certResolver ?? '',
    domains: at.http.tls?.domains ?? [],
    accessLogs: at.observability.accessLogs,
    metrics: at.observability.metrics,
    redirection: redirectionOf(at),
    acmeByPass: at.allowACMEByPass,
  }))
}

function redirectionOf(at: EntryPoint): Redirection | null {
  const redirection = at.http.redirections.entryPoint
  return redirection === null ? null : { ...redirection }
}

function internalServicesOf(config: StaticConfig): string[] {
  const services = ['noop@internal', 'whoami@internal']
  if (config.api !== null) services.push('api@internal')
  if (config.api?.dashboard === true) services.push('dashboard@internal')
  if (challengePoints(config).length > 0) services.push('acme-http@internal')
  if (config.ping !== null) services.push('ping@internal', 'ready@internal')
  if ((config.metrics?.prometheus ?? null) !== null) services.push('prometheus@internal')
  return services
}

function internalRoutersOf(config: StaticConfig): InternalRouter[] {
  const routers: InternalRouter[] = []
  const add = (name: string, entryPoint: string, path: string): void => {
    const service = `${name}@internal`
    const rule = `PathPrefix(\`${path}\`)`
    routers.push({ name: service, entryPoint, rule, service, yields: false })
  }
  const { api, ping } = config
  const prometheus = config.metrics?.prometheus ?? null
  if (api?.insecure === true) add('api', api.entryPoint, `${api.basePath.replace(/\/+$/, '')}/api`)
  if (api?.insecure === true && api.dashboard) {
    add('dashboard', api.entryPoint, `${api.basePath.replace(/\/+$/, '')}/dashboard`)
  }
  if (ping !== null && !ping.manualRouting) {
    add('ping', ping.entryPoint, '/ping')
    add('ready', ping.entryPoint, '/ready')
  }
  if (prometheus !== null && !prometheus.manualRouting) {
    add('prometheus', prometheus.entryPoint, '/metrics')
  }
  return [...routers, ...challengeRouters(config)]
}

// RFC 8555 8.3: authorities ask in clear text on port 80, whatever else is there.
export const challengeRule = 'PathPrefix(`/.well-known/acme-challenge/`)'

function challengeRouters(config: StaticConfig): InternalRouter[] {
  const service = 'acme-http@internal'
  return challengePoints(config).map((entryPoint, at) => ({
    name: at === 0 ? service : `acme-http-${entryPoint}@internal`,
    entryPoint,
    rule: challengeRule,
    service,
    yields: config.entryPoints[entryPoint]?.allowACMEByPass === true,
  }))
}

// Where http-01 is answered; a resolver that names no entry point means all of them.
function challengePoints(config: StaticConfig): string[] {
  const named = Object.values(config.certificatesResolvers).flatMap(({ acme }) =>
    acme === null || acme.httpChallenge === null ? [] : [acme.httpChallenge.entryPoint],
  )
  const { entryPoints } = config
  const all = Object.keys(entryPoints).filter(
    (name) => entryPoints[name]!.listen.protocol === 'tcp',
  )
  return [...new Set(named.flatMap((name) => (name === '' ? all : [name])))]
}

function defaultTransportOf(config: StaticConfig): TransportPlan {
  const transport = config.serversTransport
  return {
    ...timesOf(transport),
    name: '',
    tls: plainServerTls,
    disableHttp2: false,
    readIdleTimeoutMs: 0,
    pingTimeoutMs: 15_000,
  }
}

function defaultTcpTransportOf(config: StaticConfig): TcpTransportPlan {
  const { dialTimeout, dialKeepAlive, idleTimeout, terminationDelay } = config.tcpServersTransport
  return {
    name: '',
    dialTimeoutMs: dialTimeout,
    dialKeepAliveMs: dialKeepAlive,
    idleTimeoutMs: idleTimeout,
    proxyProtocol: 0,
    terminationDelayMs: terminationDelay,
    tls: plainServerTls,
  }
}

function installedTls(given: InstalledServerTls | null): InstalledServerTls {
  return {
    insecureSkipVerify: given?.insecureSkipVerify ?? false,
    rootCAs: given?.rootCAs ?? [],
    spiffe: given?.spiffe ?? null,
  }
}

// TLS to servers of whom nothing is said: verified against the system's authorities.
export const plainServerTls: ServerTlsPlan = {
  serverName: '',
  insecureSkipVerify: false,
  rootCas: '',
  certPem: '',
  keyPem: '',
  ciphers: '',
  minVersion: '',
  maxVersion: '',
  peerSans: [],
  spiffeIds: [],
  spiffeTrustDomain: '',
  spiffeBundles: null,
  lacking: '',
}

type TransportTimes = Pick<
  StaticConfig['serversTransport'],
  | 'maxIdleConnsPerHost'
  | 'maxConnections'
  | 'maxPending'
  | 'lifetime'
  | 'stallTimeout'
  | 'dnsRefresh'
  | 'coalesce'
> & {
  forwardingTimeouts: {
    dialTimeout: number
    responseHeaderTimeout: number
    idleConnTimeout: number
  }
}

// Go keeps 2 idle connections where 0 is written, and none for -1.
export function timesOf(
  transport: TransportTimes,
): Omit<TransportPlan, 'name' | 'tls' | 'disableHttp2' | 'readIdleTimeoutMs' | 'pingTimeoutMs'> {
  const { maxIdleConnsPerHost: idle, forwardingTimeouts: timeouts, coalesce } = transport
  return {
    maxIdleConnsPerHost: idle === 0 ? 2 : Math.max(0, idle),
    dialTimeoutMs: timeouts.dialTimeout,
    responseHeaderTimeoutMs: timeouts.responseHeaderTimeout,
    idleConnTimeoutMs: timeouts.idleConnTimeout,
    stallTimeoutMs: transport.stallTimeout,
    maxConnections: transport.maxConnections,
    maxPending: transport.maxPending,
    lifetimeMs: transport.lifetime,
    dnsRefreshMs: transport.dnsRefresh,
    coalesce: coalesce && {
      connections: coalesce.connections,
      depth: coalesce.depth,
      slowAfterMs: coalesce.slowAfter,
    },
  }
}
