// config/protocol-plans.ts: the parts of a generation that speak of TLS, TCP and UDP, as plain data.
//
// As in generation.ts: everything survives structuredClone, names are qualified ('strict@file'), and whatever is
// disabled is absent. Files were read when the plan was made: a worker opens none. Hot: no.

import type { SpiffeBundle } from './spiffe.ts'

// ---- TLS towards clients

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'

export type ClientAuthMode =
  | 'NoClientCert'
  | 'RequestClientCert'
  | 'RequireAnyClientCert'
  | 'VerifyClientCertIfGiven'
  | 'RequireAndVerifyClientCert'

export interface CertificatePlan {
  readonly name: string // the id: plans lie in maps by name
  readonly id: string // SHA-256 of the leaf, in hexadecimal
  readonly names: readonly string[] // of the leaf: lower case, '*.example.org', addresses too
  readonly certPem: string // leaf first, then the chain
  readonly keyPem: string // secret: never logged, never shown
  readonly notAfter: number // milliseconds since the epoch; of several for one name the later one is used
  readonly ocsp: Uint8Array | null // a stapled answer, DER
}

export interface TlsOptionsPlan {
  readonly name: string // 'default' or 'strict@file'
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
  readonly ciphers: string // OpenSSL's names; '' for ours
  readonly curves: string // OpenSSL's names; '' for ours
  readonly clientAuth: ClientAuthMode
  readonly clientCas: string // PEM
  readonly sniStrict: boolean
  readonly alpn: readonly string[] // in order of preference
  readonly sessionTickets: boolean
  readonly preferServerCiphers: boolean
}

// Which options a name has on an entry point: the exact name, then '*.' and all but its first label, then '*' (also
// for clients that send no name), then the options called 'default'. A pair that routers disagree on is absent:
// its routers are disabled. TCP routers have options of their own.
export interface TlsHostPlan {
  readonly name: string // '<entry point> <host>': the key; host in lower case, '*.example.org' and '*' too
  readonly entryPoint: string
  readonly host: string
  readonly options: string // name of a TlsOptionsPlan
}

export interface TlsDefaultPlan {
  readonly name: string // 'default': there is one
  readonly certificate: string // id of a CertificatePlan; '' for one that each process generates
}

// Answers for a certificate authority while it proves that a name is ours; they come and go between configurations.
export type ChallengePlan = HttpChallengePlan | TlsChallengePlan

// RFC 8555 8.3: GET /.well-known/acme-challenge/<token> on port 80 is answered 200 with `keyAuthorization`.
export interface HttpChallengePlan {
  readonly kind: 'http-01'
  readonly name: string // 'http-01 <token>': the key
  readonly entryPoint: string // answers there alone; '' for every one
  readonly token: string
  readonly keyAuthorization: string
}

// RFC 8737: a hello with exactly this host as SNI and exactly ALPN "acme-tls/1" gets this certificate and that ALPN,
// whatever other certificates there are, and the connection is closed after its handshake.
export interface TlsChallengePlan {
  readonly kind: 'tls-alpn-01'
  readonly name: string // 'tls-alpn-01 <host>': the key
  readonly host: string // lower case; of an address its name in in-addr.arpa or ip6.arpa (RFC 8738)
  readonly certPem: string
  readonly keyPem: string // secret
}

// ---- TLS towards servers (in TransportPlan and TcpTransportPlan)

export interface ServerTlsPlan {
  readonly serverName: string // '' for the server's own host
  readonly insecureSkipVerify: boolean
  readonly rootCas: string // PEM; '' for the system's
  readonly certPem: string // of a client certificate, with its chain; '' for none
  readonly keyPem: string // secret
  readonly ciphers: string
  readonly minVersion: TlsVersion | ''
  readonly maxVersion: TlsVersion | ''
  readonly peerSans: readonly { readonly type: 'dns' | 'uri'; readonly value: string }[] // one of them must be there
  readonly spiffeIds: readonly string[]
  readonly spiffeTrustDomain: string
  // By the Workload API: the authorities of each trust domain, which may speak for that one alone. null: not asked for.
  readonly spiffeBundles: readonly SpiffeBundle[] | null
  readonly lacking: string // why no server may be spoken to just now, as a reason in the log; '' when all is there
}

// ---- TCP

export interface TcpRouterPlan {
  readonly name: string
  readonly entryPoints: readonly string[]
  readonly rule: string
  readonly priority: number
  readonly rank: number
  readonly middlewares: readonly string[]
  readonly service: string
  readonly tls: 'none' | 'terminate' | 'passthrough'
  readonly tlsOptions: string // name of a TlsOptionsPlan; '' unless it terminates
}

export interface TcpServerPlan {
  readonly address: string // 'host:port'
  readonly tls: boolean
}

export interface TcpHealthCheckPlan {
  readonly port: number // 0: the server's own
  readonly send: string
  readonly expect: string
  readonly intervalMs: number
  readonly unhealthyIntervalMs: number
  readonly timeoutMs: number
}

export interface TcpLoadBalancerPlan {
  readonly kind: 'loadBalancer'
  readonly name: string
  readonly servers: readonly TcpServerPlan[]
  readonly serversTransport: string // '' for the default one
  readonly proxyProtocol: 0 | 1 | 2
  readonly terminationDelayMs: number // negative: waits without end
  readonly healthCheck: TcpHealthCheckPlan | null
}

export interface TcpWeightedPlan {
  readonly kind: 'weighted'
  readonly name: string
  readonly services: readonly { readonly name: string; readonly weight: number }[]
}

export type TcpServicePlan = TcpLoadBalancerPlan | TcpWeightedPlan

export interface TcpMiddlewarePlan {
  readonly name: string
  readonly kind: 'inFlightConn' | 'ipAllowList'
  readonly options: unknown // { amount } or { sourceRange }
}

export interface TcpTransportPlan {
  readonly name: string
  readonly dialTimeoutMs: number
  readonly dialKeepAliveMs: number // 0: the default of 15 s; negative: off
  readonly idleTimeoutMs: number // nothing has passed in either direction; 0: none
  readonly proxyProtocol: 0 | 1 | 2
  readonly terminationDelayMs: number
  readonly tls: ServerTlsPlan
}

// ---- UDP

export interface UdpRouterPlan {
  readonly name: string
  readonly entryPoints: readonly string[]
  readonly service: string
}

export interface UdpLoadBalancerPlan {
  readonly kind: 'loadBalancer'
  readonly name: string
  readonly servers: readonly { readonly address: string }[]
}

export interface UdpWeightedPlan {
  readonly kind: 'weighted'
  readonly name: string
  readonly services: readonly { readonly name: string; readonly weight: number }[]
}

export type UdpServicePlan = UdpLoadBalancerPlan | UdpWeightedPlan
