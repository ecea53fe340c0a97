// config/compile/balancer-plan.ts: what a load balancer says beside its servers: what it hashes, its cookie, how servers are
// checked. What passes here never fails in a worker. Hot: no.

import { createHash } from 'node:crypto'
import type { HashOn } from '../../core/balance/hash-key.ts'
import { MAGLEV_SERVERS_MAX } from '../../core/balance/maglev.ts'
import type { StickyOptions } from '../../core/balance/sticky.ts'
import { isHostPort } from '../../core/h1/host.ts'
import { isFieldValue, isToken } from '../../core/h1/text.ts'
import { isFraming } from '../../core/middleware/header-line.ts'
import type {
  HealthCheckConfig,
  LoadBalancerConfig,
  ServiceConfig,
  StickyConfig,
  WeightedConfig,
} from '../dynamic/services.ts'
import type { StaticFacts } from '../facts.ts'
import type {
  HttpHealthCheckPlan,
  InternalPlan,
  LoadBalancerPlan,
  ServicePlan,
} from '../generation.ts'
import type { Fault } from './middleware-words.ts'
import { planOutlier } from './outlier-plan.ts'
import { planServers } from './service-plan.ts'

type Planned = Omit<LoadBalancerPlan, 'serversTransport' | 'middlewares'>

// `name`: of the service, qualified. Faults name keys of the service.
export function planLoadBalancer(
  name: string,
  config: LoadBalancerConfig,
  { serverSchemes }: Pick<StaticFacts, 'serverSchemes'>,
): { plan: Planned; faults: readonly Fault[] } {
  const { plans: servers, faults } = planServers(config.servers, serverSchemes)
  const own: Fault[] = []
  const urls = config.servers.map(({ url }) => url)
  if (config.strategy === 'maglev' && urls.length > MAGLEV_SERVERS_MAX)
    own.push(fault(['strategy'], `maglev takes at most ${MAGLEV_SERVERS_MAX} servers`))
  const plan: Planned = {
    kind: 'loadBalancer',
    name,
    servers,
    strategy: config.strategy,
    hashOn: planHashOn(config, own),
    sticky: planSticky(name, config.sticky, urls, own),
    slowStartMs: config.slowStart,
    healthCheck: config.healthCheck === null ? null : planHealthCheck(config.healthCheck, own),
    passive: planPassive(config),
    outlier: planOutlier(config.outlierDetection, own),
    passHostHeader: config.passHostHeader,
  }
  return { plan, faults: [...faults, ...within('loadBalancer', own)] }
}

export function planWeightedSticky(
  name: string,
  config: { services: WeightedConfig['services']; sticky?: StickyConfig },
): { sticky: StickyOptions | null; faults: readonly Fault[] } {
  const own: Fault[] = []
  const names = config.services.map((child) => child.name)
  const sticky = planSticky(name, config.sticky ?? null, names, own)
  return { sticky, faults: within('weighted', own) }
}

function within(kind: string, faults: readonly Fault[]): Fault[] {
  return faults.map(({ key, message }) => ({ key: [kind, ...key], message }))
}

function fault(key: Fault['key'], what: string): Fault {
  return { key, message: `${key.join('.')}: ${what}` }
}

function planHashOn({ hashOn, strategy }: LoadBalancerConfig, faults: Fault[]): HashOn {
  if (hashOn === null) return { from: 'ip' }
  const { header, cookie, query, ip } = hashOn
  const given = [header, cookie, query, ip ? 'ip' : ''].filter((one) => one !== '')
  if (given.length !== 1)
    faults.push(fault(['hashOn'], 'expected exactly one of header, cookie, query, ip'))
  if (strategy !== 'hrw' && strategy !== 'maglev')
    faults.push(fault(['hashOn'], `means nothing to strategy ${strategy}: expected hrw or maglev`))
  if (header !== '' && !isToken(header))
    faults.push(fault(['hashOn', 'header'], 'is not the name of a header'))
  if (cookie !== '' && !isToken(cookie))
    faults.push(fault(['hashOn', 'cookie'], 'is not the name of a cookie'))
  if (header !== '') return { from: 'header', name: header.toLowerCase() }
  if (cookie !== '') return { from: 'cookie', name: cookie }
  return query !== '' ? { from: 'query', name: query } : { from: 'ip' }
}

// ---- sticky

const sameSites = new Map([
  ['', ''],
  ['none', '; SameSite=None'],
  ['lax', '; SameSite=Lax'],
  ['strict', '; SameSite=Strict'],
])

// `names`: URLs of servers, or children as they are written. Traefik's names and values, see core/balance/sticky.ts.
export function planSticky(
  service: string,
  config: StickyConfig,
  names: readonly string[],
  faults: Fault[],
): StickyOptions | null {
  const cookie = config?.cookie ?? null
  if (cookie === null) return null
  const key = (name: string) => ['sticky', 'cookie', name]
  const sameSite = sameSites.get(cookie.sameSite.toLowerCase())
  if (sameSite === undefined)
    faults.push(fault(key('sameSite'), 'expected one of none, lax, strict'))
  for (const name of ['path', 'domain'] as const) {
    if (/^[\x21-\x3a\x3c-\x7e]*$/.test(cookie[name])) continue
    faults.push(fault(key(name), 'holds a byte that ends it: white space, ";" or a control'))
  }
  return {
    cookie: cookie.name === '' ? ownCookieName(service) : tokenOf(cookie.name),
    attributes: attributesOf(cookie) + (sameSite ?? ''),
    values: names.map((name) => createHash('sha256').update(name).digest('hex').slice(0, 16)),
    names,
  }
}

function ownCookieName(service: string): string {
  const digest = createHash('sha1').update(`_TRAEFIK_BACKEND_${service}`).digest('hex')
  return `_${digest.slice(0, 5)}`
}

// As Traefik does with names of users; a cookie that both of them set must have one name.
function tokenOf(name: string): string {
  return [...name].map((c) => (isToken(c) ? c : '_')).join('')
}

type Cookie = NonNullable<NonNullable<StickyConfig>['cookie']>

// In the order in which Go writes them.
function attributesOf({ path, domain, maxAge, httpOnly, secure }: Cookie): string {
  let text = path === '' ? '' : `; Path=${path}`
  if (domain !== '') text += `; Domain=${domain.replace(/^\./, '')}`
  if (maxAge !== 0) text += `; Max-Age=${Math.max(0, maxAge)}`
  if (httpOnly) text += '; HttpOnly'
  return secure ? `${text}; Secure` : text
}

// ---- health

const INTERVAL_MS = 30_000
const TIMEOUT_MS = 5000
const schemes = ['', 'http', 'https', 'h2c']

function planHealthCheck(config: HealthCheckConfig, faults: Fault[]): HttpHealthCheckPlan {
  const { scheme, path, port, status, headers } = config
  const add = (key: string, message: string) => faults.push(fault(['healthCheck', key], message))
  if (!schemes.includes(scheme)) add('scheme', 'expected http, https or h2c')
  if (URL.parse(path, 'http://server/') === null || /[^\x21-\x7e]/.test(path))
    add('path', 'cannot be the path of a request')
  if (port < 0 || port > 65_535) add('port', 'is not a port')
  if (status !== 0 && (status < 100 || status > 599)) add('status', 'is not a status')
  if (!isToken(config.method)) add('method', 'is not a method')
  if (config.method.toUpperCase() === 'CONNECT') add('method', 'CONNECT asks for a tunnel')
  if (config.hostname !== '' && !isHostPort(config.hostname))
    add('hostname', 'is not a host that may be sent')
  for (const [name, value] of Object.entries(headers)) {
    const message = unsendable(name, value)
    if (message !== '') faults.push(fault(['healthCheck', 'headers', name.slice(0, 50)], message))
  }
  // As Traefik: nothing and less than nothing are the default.
  const intervalMs = config.interval || INTERVAL_MS
  return {
    mode: config.mode === 'grpc' ? 'grpc' : 'http',
    scheme,
    path,
    method: config.method,
    status,
    port,
    hostname: config.hostname,
    headers,
    followRedirects: config.followRedirects,
    intervalMs,
    unhealthyIntervalMs: (config.unhealthyInterval ?? intervalMs) || INTERVAL_MS,
    timeoutMs: config.timeout || TIMEOUT_MS,
  }
}

// Node's clients throw for most of these instead of sending them. The value may be a secret and stays out of the message.
function unsendable(name: string, value: string): string {
  if (/^connection$/i.test(name) && /^close$/i.test(value)) return '' // as every check has it
  if (!isToken(name) || !isFieldValue(value)) return 'cannot be sent'
  return isFraming(name) ? 'belongs to the gateway itself' : ''
}

function planPassive(config: LoadBalancerConfig): LoadBalancerPlan['passive'] {
  const { passiveHealthCheck, healthCheck } = config
  if (passiveHealthCheck === null) return null
  return {
    windowMs: passiveHealthCheck.failureWindow,
    maxFailed: passiveHealthCheck.maxFailedAttempts,
    untilChecked: healthCheck !== null,
  }
}

// healthCheck of a composite service: as in Traefik, nothing follows what nobody looks at.
export function healthFaults(
  config: ServiceConfig,
  plan: ServicePlan,
  services: ReadonlyMap<string, ServicePlan>,
): Fault[] {
  const kind = compositeKinds.find((one) => (config[one]?.healthCheck ?? null) !== null)
  if (kind === undefined) return []
  const unchecked = firstUnchecked(childrenOf(plan), services)
  if (unchecked === '') return []
  const keys = 'healthCheck, passiveHealthCheck or outlierDetection'
  const message = `healthCheck: nobody looks after ${unchecked}: expected ${keys} there`
  return [{ key: [kind, 'healthCheck'], message }]
}

const compositeKinds = ['weighted', 'highestRandomWeight', 'mirroring', 'failover'] as const

// Circles have been refused, and a child that is missing has its own error. '': all are checked.
function firstUnchecked(
  names: readonly string[],
  services: ReadonlyMap<string, ServicePlan>,
): string {
  for (const name of names) {
    const plan = services.get(name)
    if (plan === undefined) continue
    const unchecked = isLeaf(plan)
      ? isChecked(plan)
        ? ''
        : name
      : firstUnchecked(childrenOf(plan), services)
    if (unchecked !== '') return unchecked
  }
  return ''
}

function isLeaf(plan: ServicePlan): plan is LoadBalancerPlan | InternalPlan {
  return plan.kind === 'loadBalancer' || plan.kind === 'internal'
}

function isChecked(plan: LoadBalancerPlan | InternalPlan): boolean {
  if (plan.kind === 'internal') return false
  return plan.healthCheck !== null || plan.passive !== null || plan.outlier !== null
}

function childrenOf(plan: ServicePlan): readonly string[] {
  if (plan.kind === 'weighted') return plan.services.map(({ name }) => name)
  if (plan.kind === 'mirroring') return [plan.service]
  return plan.kind === 'failover' ? [plan.service, plan.fallback] : []
}
