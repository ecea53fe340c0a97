// config/generation.ts: the plain data that configuration hands to the workers.
//
// Owner:  the supervisor makes one per accepted configuration; nobody changes it afterwards. Everything in it
//         survives structuredClone (no functions, no classes), because it travels to workers by postMessage.
// Hot:    no. Workers build their own objects (matcher, middlewares, balancers) from it when they adopt it.
//
// Every name is qualified: 'strip@file', 'api@internal'. Routers, services, middlewares and transports that
// are disabled are absent, so a worker needs no checks: whatever is named here is here.

export interface RouterPlan {
  readonly name: string // 'shop@file'
  readonly entryPoints: readonly string[] // of a child: those of its roots
  readonly rule: string
  readonly priority: number // the length of the rule unless set; may be negative
  readonly rank: number // of its provider; the lower one wins a tie of priorities
  readonly middlewares: readonly string[] // the entry point's own first, chains flattened
  readonly service: string // '' for a parent, whose children are matched after its middlewares
  readonly tls: boolean // answers TLS only, or clear text only
  readonly parents: readonly string[] // [] for a root
  readonly accessLogs: boolean
  readonly metrics: boolean
  readonly internal: boolean // made by Sluice, not by a user; left out of counts unless addInternals
}

// A router on several entry points of which some have settings of their own (middlewares, TLS) is planned once
// more for each of those: 'web2-shop@file' beside 'shop@file', as in Traefik. Of a child, `tls` says nothing.

export interface ServerPlan {
  readonly url: string // 'http://10.0.0.7:8080', 'unix:///run/app.sock'
  readonly weight: number // 0 takes no new requests
  readonly preservePath: boolean // the path of url is put before the path of the request
}

export type BalancerStrategy = 'wrr' | 'p2c' | 'hrw' | 'leasttime'

export interface LoadBalancerPlan {
  readonly kind: 'loadBalancer'
  readonly name: string
  readonly servers: readonly ServerPlan[] // none: 503
  readonly strategy: BalancerStrategy
  readonly passHostHeader: boolean
  readonly serversTransport: string // '' for the default one
  readonly middlewares: readonly string[] // run after those of the router
  readonly flushIntervalMs: number // negative: after each write
}

export interface WeightedPlan {
  readonly kind: 'weighted'
  readonly name: string
  readonly services: readonly { readonly name: string; readonly weight: number }[]
  readonly middlewares: readonly string[]
}

export interface InternalPlan {
  readonly kind: 'internal'
  readonly name: string // one of internalServices
}

export type ServicePlan = LoadBalancerPlan | WeightedPlan | InternalPlan

export const internalServices = [
  'whoami@internal',
  'api@internal',
  'dashboard@internal',
  'ping@internal',
  'ready@internal',
  'prometheus@internal',
  'rest@internal',
  'noop@internal',
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
  readonly lifetimeMs: number // a connection older than this is not reused; 0: none
  readonly dnsRefreshMs: number
  readonly serverName: string // SNI and the name to verify; '' for the server's own
  readonly insecureSkipVerify: boolean
  readonly coalesce: CoalescePlan | null
}

export interface Generation {
  readonly number: number // 0 is the empty one; a published one begins at 1
  readonly routers: ReadonlyMap<string, RouterPlan>
  readonly services: ReadonlyMap<string, ServicePlan>
  readonly middlewares: ReadonlyMap<string, MiddlewarePlan>
  readonly transports: ReadonlyMap<string, TransportPlan>
}

export interface Changes<Plan> {
  readonly set: readonly Plan[] // new or changed
  readonly remove: readonly string[]
}

// What leads from one generation to a later one; base 0 leads there from nothing.
export interface Delta {
  readonly number: number
  readonly base: number
  readonly routers: Changes<RouterPlan>
  readonly services: Changes<ServicePlan>
  readonly middlewares: Changes<MiddlewarePlan>
  readonly transports: Changes<TransportPlan>
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

export interface RuntimeStatus {
  readonly routers: ReadonlyMap<string, ObjectStatus>
  readonly services: ReadonlyMap<string, ObjectStatus>
  readonly middlewares: ReadonlyMap<string, ObjectStatus>
}

export function emptyGeneration(): Generation {
  return {
    number: 0,
    routers: new Map(),
    services: new Map(),
    middlewares: new Map(),
    transports: new Map(),
  }
}
