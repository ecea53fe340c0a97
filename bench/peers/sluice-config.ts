// bench/peers/sluice-config.ts: the configuration that the bench gives to Sluice, as text.
//
// Routes: of every ten, nine are Host + PathPrefix and one is Host + PathRegexp, each with a path of its own, so that
// a matcher that looks at one rule after the other would show in every figure.

import { type Certificate, benchCertificate } from '../certificate.ts'
import type { RequestShape } from '../load/contract.ts'
import type { PeerOptions } from './contract.ts'
import { IDLE_CONNECTIONS, speaksTls } from './contract.ts'

export interface SluicePorts {
  readonly web: number
  readonly admin: number
}

export function staticText(options: PeerOptions, ports: SluicePorts, dynamicFile: string): string {
  return `workers: ${options.workers}
entryPoints:
  web:
    address: "127.0.0.1:${ports.web}${options.protocol === 'udp' ? '/udp' : ''}"
    engine: ${options.engine}
${speaksTls(options.protocol) ? '    http: { tls: {} }\n' : ''}  traefik:
    address: "127.0.0.1:${ports.admin}"
api:
  insecure: true
ping: {}
log:
  level: ERROR
metrics:
  prometheus: {}
providers:
  providersThrottleDuration: 0s
  file:
    filename: "${dynamicFile}"
    watch: true
`
}

export function dynamicText(options: PeerOptions, edition = 0): string {
  if (options.protocol === 'tcp') return tcpText(options)
  if (options.protocol === 'udp') return udpText(options)
  const scheme = options.protocol === 'grpc' ? 'h2c' : 'http'
  const certificate = speaksTls(options.protocol) ? benchCertificate() : null
  const routers = options.routes === 0 ? [router('all', 'PathPrefix(`/`)', chainOf(options))] : []
  for (let i = 0; i < options.routes; i++) routers.push(router(`route-${i}`, ruleOf(i), ''))
  if (options.traffic === 'overload') routers.push(highRouter)
  if (options.traffic === 'five') routers.push(fiveRouter)
  // Routes that no request asks for differ from edition to edition, so that every reload has something to change.
  if (edition > 0) routers.push(router('edition', `Path(\`/edition/${edition}\`)`, ''))
  return `http:
  routers:
${routers.join('\n')}
  services:
    origin:
      loadBalancer:
        serversTransport: origin
        servers:
          - url: "${scheme}://127.0.0.1:${options.originPort}"
  serversTransports:
    origin:
      maxIdleConnsPerHost: ${IDLE_CONNECTIONS}
${options.isCoalescing ? '      coalesce: {}\n' : ''}${middlewaresOf(options)}${certificate === null ? '' : tlsText(certificate)}`
}

// Names of the middlewares of the one router.
function chainOf({ hasMiddlewares, traffic }: PeerOptions): string {
  if (traffic === 'cache') return 'cache'
  if (traffic === 'overload') return 'compress'
  return hasMiddlewares ? 'local, strip, mark, secure' : ''
}

function middlewaresOf({ hasMiddlewares, traffic }: PeerOptions): string {
  if (traffic === 'none' && !hasMiddlewares) return ''
  if (traffic === 'cache') return `  middlewares:\n${cacheText}`
  if (traffic === 'overload') return `  middlewares:\n${compressText}`
  return `  middlewares:\n${middlewareText}${traffic === 'five' ? trafficText : ''}`
}

function router(name: string, rule: string, chain: string): string {
  return `    ${name}:
      rule: '${rule}'
      entryPoints: [web]
      service: origin${chain === '' ? '' : `\n      middlewares: [${chain}]`}`
}

export const HIGH_HOST = 'high.bench.test'

// Beside the router without any, in one process.
const fiveRouter = router('five', 'PathPrefix(`/api`)', 'local, strip, mark, limit, compress')

const highRouter = `${router('high', `Host(\`${HIGH_HOST}\`)`, 'compress')}
      priorityClass: high`

function tcpText(options: PeerOptions): string {
  return `tcp:
  routers:
    all:
      rule: 'HostSNI(\`*\`)'
      entryPoints: [web]
      service: origin
  services:
    origin:
      loadBalancer:
        servers:
          - address: "127.0.0.1:${options.originPort}"
`
}

function udpText(options: PeerOptions): string {
  return `udp:
  routers:
    all:
      entryPoints: [web]
      service: origin
  services:
    origin:
      loadBalancer:
        servers:
          - address: "127.0.0.1:${options.originPort}"
`
}

function tlsText({ certFile, keyFile }: Certificate): string {
  return `tls:
  stores:
    default:
      defaultCertificate:
        certFile: "${certFile}"
        keyFile: "${keyFile}"
`
}

const compressText = `    compress:
      compress: {}
`

// A limit that no load here reaches, and a compression that the client does not ask for.
const trafficText = `    limit:
      rateLimit:
        average: 1000000
        burst: 100000000
${compressText}`

const cacheText = `    cache:
      httpCache: {}
`

const middlewareText = `    local:
      ipAllowList:
        sourceRange: ["127.0.0.0/8"]
    strip:
      stripPrefix:
        prefixes: ["/api"]
    mark:
      headers:
        customRequestHeaders:
          X-Bench-Request: one
        customResponseHeaders:
          X-Bench-Response: two
    secure:
      headers:
        frameDeny: true
        contentTypeNosniff: true
`

function isRegexp(route: number): boolean {
  return route % 10 === 9
}

export function ruleOf(route: number): string {
  const host = `Host(\`${hostOf(route)}\`)`
  if (isRegexp(route)) return `${host} && PathRegexp(\`^/items/[0-9]+/parts/${route}$\`)`
  return `${host} && PathPrefix(\`/teams/${route % 7}/services/${route}\`)`
}

// Ten routes share a host, as the services of one site do.
function hostOf(route: number): string {
  return `site-${Math.floor(route / 10)}.bench.test`
}

// Different requests, as many for a small table as for a large one, so that the size of the table is all that differs.
// They hit every kind of route and are spread evenly over the whole table.
export function routeRequests(routes: number, count: number): RequestShape[] {
  const decades = Math.max(1, Math.floor(routes / 10))
  return Array.from({ length: count }, (_, i) => {
    // The last digit moves with every request; a plain stride of routes/count would miss the regular expressions.
    const decade = Math.floor((i * decades) / count)
    const route = Math.min(routes - 1, decade * 10 + (i % 10))
    const path = isRegexp(route)
      ? `/items/${4000 + i}/parts/${route}`
      : `/teams/${route % 7}/services/${route}/items/${4000 + i}`
    return { method: 'GET', host: hostOf(route), path, bodyBytes: 0 }
  })
}
