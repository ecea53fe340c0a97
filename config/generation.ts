// config/generation.ts: the plain data that configuration hands to the workers.
//
// Owner:  the supervisor makes one per accepted configuration; nobody changes it afterwards. Everything in it
//         survives structuredClone (no functions, no classes), because it travels to workers by postMessage.
// Hot:    no. Workers build their own objects (matcher, middlewares, balancers) from it when they adopt it.
//
// Every name is qualified: 'strip@file', 'api@internal'. Routers, services, middlewares and transports that
// are disabled are absent, so a worker needs no checks: whatever is named here is here. TLS, TCP and UDP have
// their plans in protocol-plans.ts.

import type { Strategy } from '../core/balance/build.ts'
import type { HashOn } from '../core/balance/hash-key.ts'
import type { OutlierOptions, PassiveOptions } from '../core/balance/standing.ts'
import type { StickyOptions } from '../core/balance/sticky.ts'
import type { RolloutPlan } from '../core/rollout/plan.ts'
import type { PriorityClass } from '../core/overload/stages.ts'
import type {
  CertificatePlan,
  ChallengePlan,
  ServerTlsPlan,
  TcpMiddlewarePlan,
  TcpRouterPlan,
  TcpServicePlan,
  TcpTransportPlan,
  TlsDefaultPlan,
  TlsHostPlan,
  TlsOptionsPlan,
  UdpRouterPlan,
  UdpServicePlan,
} from './protocol-plans.ts'

export interface RouterPlan {
  readonly name: string // 'shop@file'
  readonly entryPoints: readonly string[] // of a child: those of its roots
  readonly rule: string
  readonly priority: number // the length of the rule unless set; may be negative
  readonly rank: number // of its provider; the lower one wins a tie of priorities
  readonly middlewares: readonly string[] // the entry point's own first, chains flattened
  readonly service: string // '' for a parent, whose children are matched after its middlewares
  readonly tls: boolean // answers TLS only, or clear text only
  readonly tlsOptions: string // what its connections must have been made with, else 421; '' for any
  readonly parents: readonly string[] // [] for a root
  readonly accessLogs: boolean
  readonly metrics: boolean
  readonly priorityClass: PriorityClass // who is shed first under overload
  readonly internal: boolean // made by Sluice, not by a user; left out of counts unless addInternals
}

// A router on several entry points of which some have settings of their own (middlewares, TLS) is planned once
// more for each of those: 'web2-shop@file' beside 'shop@file', as in Traefik. Of a child, `tls` says nothing.

export interface ServerPlan {
  readonly url: string // 'http://10.0.0.7:8080', 'unix:///run/app.sock'
  readonly weight: number // 0 takes no new requests
  readonly preservePath: boolean // the path of url is put before the path of the request
  readonly fenced: boolean // only sticky clients reach it
  readonly terminating: boolean // taken when nothing else is up
}

export interface LoadBalancerPlan {
  readonly kind: 'loadBalancer'
  readonly name: string
  readonly servers: readonly ServerPlan[] // none: 503
  readonly strategy: Strategy
  readonly hashOn: HashOn
  readonly sticky: StickyOptions | null
  readonly slowStartMs: number // 0: off
  readonly healthCheck: HttpHealthCheckPlan | null
  readonly passive: PassiveOptions | null
  readonly outlier: OutlierOptions | null
  readonly passHostHeader: boolean
  readonly serversTransport: string // '' for the default one
  readonly middlewares: readonly string[] // run after those of the router
}

export interface HttpHealthCheckPlan {
  readonly mode: 'http' | 'grpc'
  readonly scheme: string // '' for that of the server
  readonly path: string // resolved against the server's URL
  readonly method: string
  readonly status: number // 0: any of 200 to 399
  readonly port: number // 0: that of the server
  readonly hostname: string // the Host header; '' for that of the server
  readonly headers: Readonly<Record<string, string>>
  readonly followRedirects: boolean
  readonly intervalMs: number
  readonly unhealthyIntervalMs: number
  readonly timeoutMs: number
}

export interface WeightedPlan {
  readonly kind: 'weighted'
  readonly name: string
  readonly services: readonly WeightedChild[]
  readonly strategy: 'wrr' | 'hrw' // hrw: it is a highestRandomWeight
  readonly sticky: StickyOptions | null
  // The second of two services takes the place of the first, step by step; weights are not looked at then.
  readonly rollout: RolloutPlan | null
  readonly middlewares: readonly string[]
}

export interface WeightedChild {
  readonly name: string
  readonly written: string // as the configuration names it: cookies and hashes are made of that
  readonly weight: number
}

// One service whose requests are copied to others, whose answers nobody sees.
export interface MirroringPlan {
  readonly kind: 'mirroring'
  readonly name: string
  readonly service: string
  readonly mirrors: readonly MirrorPlan[]
  readonly middlewares: readonly string[]
}

// The options of core/middleware/http/mirror.ts.
export interface MirrorPlan {
  readonly service: string
  readonly percent: number
  readonly mirrorBody: boolean
  readonly maxBodySize: number // negative: a bound of ours
  readonly when: 'after' | 'during'
}

// The second service takes what the first one can't: because it is down, or has answered one of `statuses`.
export interface FailoverPlan {
  readonly kind: 'failover'
  readonly name: string
  readonly service: string
  readonly fallback: string
  readonly statuses: readonly (readonly [from: number, to: number])[] // [] looks at health alone
  readonly bodyMax: number // of a request that can be asked again; more is 413. Negative: more is asked once
  readonly middlewares: readonly string[]
}

export interface InternalPlan {
  readonly kind: 'internal'
  readonly name: string // one of internalServices
}

export type ServicePlan =
  | LoadBalancerPlan
  | WeightedPlan
  | MirroringPlan
  | FailoverPlan
  | InternalPlan

export const internalServices = [
  'whoami@internal',
  'api@internal',
  'dashboard@internal',
  'ping@internal',
  'ready@internal',
  'prometheus@internal',
  'rest@internal',
  'noop@internal',
  'acme-http@internal',
] as const

export interface MiddlewarePlan {
  readonly name: string
  readonly kind: string // 'stripPrefix'; 'chain' never arrives here, it is flattened
  readonly options: unknown // of the kind's type in config/dynamic/middlewares.ts; defaults are filled in
}

export interface CoalescePlan {
  readonly connections: number // pipelined connections per server and worker
  readonly depth: number // requests in flight on one of them
  readonly slowAfterMs: number // a slower answer ends coalescing for that server
}

export interface TransportPlan {
  readonly name: string // '' for the default one
  readonly maxIdleConnsPerHost: number // 0 keeps none
  readonly dialTimeoutMs: number
  readonly responseHeaderTimeoutMs: number // 0: none
  readonly idleConnTimeoutMs: number
  readonly stallTimeoutMs: number // no byte in either direction during a body; 0: none
  readonly maxConnections: number // of HTTP/1.1, per server and worker; 0: no limit
  readonly maxPending: number // exchanges that wait for one
  readonly lifetimeMs: number // a connection older than this is not reused; 0: none
  readonly dnsRefreshMs: number
  readonly tls: ServerTlsPlan
  readonly disableHttp2: boolean // https:// servers are not offered h2; h2c:// ones speak nothing else
  readonly readIdleTimeoutMs: number // a ping after this time without a frame of HTTP/2; 0: none
  readonly pingTimeoutMs: number // the answer to it
  readonly coalesce: CoalescePlan | null
}

// Every family of plans. A family is added here, in `families` and in emptyGeneration(); diff, slices and the
// workers' maps follow from it.
export interface Plans {
  readonly tlsCertificates: CertificatePlan // by name: the id
  readonly tlsOptions: TlsOptionsPlan
  readonly tlsHosts: TlsHostPlan
  readonly tlsDefaults: TlsDefaultPlan
  readonly challenges: ChallengePlan
  readonly tcpTransports: TcpTransportPlan
  readonly tcpMiddlewares: TcpMiddlewarePlan
  readonly tcpServices: TcpServicePlan
  readonly tcpRouters: TcpRouterPlan
  readonly udpServices: UdpServicePlan
  readonly udpRouters: UdpRouterPlan
  readonly transports: TransportPlan
  readonly middlewares: MiddlewarePlan
  readonly services: ServicePlan
  readonly routers: RouterPlan
}

export type Family = keyof Plans

// What is used comes before what uses it: the order in which they travel; they are removed in reverse.
export const families = [
  'tlsCertificates',
  'tlsOptions',
  'tlsHosts',
  'tlsDefaults',
  'challenges',
  'tcpTransports',
  'tcpMiddlewares',
  'tcpServices',
  'tcpRouters',
  'udpServices',
  'udpRouters',
  'transports',
  'middlewares',
  'services',
  'routers',
] as const satisfies readonly Family[]

// By name, each family by itself.
export type PlanMaps = { readonly [F in Family]: ReadonlyMap<string, Plans[F]> }

export interface Generation extends PlanMaps {
  readonly number: number // 0 is the empty one; a published one begins at 1
}

export interface Changes<Plan> {
  readonly set: readonly Plan[] // new or changed
  readonly remove: readonly string[]
}

// What leads from one generation to a later one; base 0 leads there from nothing.
export interface Delta {
  readonly number: number
  readonly base: number
  readonly changes: { readonly [F in Family]: Changes<Plans[F]> }
}

// For the API and the dashboard; stays in the supervisor.
export interface ObjectStatus {
  readonly name: string
  readonly provider: string
  readonly status: 'enabled' | 'warning' | 'disabled'
  readonly error: readonly string[]
  readonly using: readonly string[] // entry points of a router; empty otherwise
  readonly usedBy: readonly string[] // routers that lead here
  readonly definition: unknown // as it was written, without secrets; null for internal objects
}

export interface ObjectMaps {
  readonly routers: ReadonlyMap<string, ObjectStatus>
  readonly services: ReadonlyMap<string, ObjectStatus>
  readonly middlewares: ReadonlyMap<string, ObjectStatus>
}

// Of a certificate in use, without its key.
export interface CertificateStatus {
  readonly id: string // SHA-256 of the leaf, in hexadecimal
  readonly certPem: string
  readonly isDefault: boolean
  readonly issued: boolean // a resolver has got it
}

// HTTP's own objects, and those of the other protocols.
export interface RuntimeStatus extends ObjectMaps {
  readonly tcp: ObjectMaps
  readonly udp: ObjectMaps // without middlewares
  readonly certificates: readonly CertificateStatus[]
}

export const noObjects: ObjectMaps = {
  routers: new Map(),
  services: new Map(),
  middlewares: new Map(),
}

export const noStatus: RuntimeStatus = {
  ...noObjects,
  tcp: noObjects,
  udp: noObjects,
  certificates: [],
}

export function emptyPlans(): PlanMaps {
  return Object.fromEntries(families.map((family) => [family, new Map()])) as unknown as PlanMaps
}

export function emptyGeneration(): Generation {
  return { number: 0, ...emptyPlans() }
}
