// Facts of an install configuration for tests: web :80 and websecure :443 by default, admin :8080 not.

import {
  plainServerTls,
  serverSchemesBuilt,
  type EntryPointFacts,
  type StaticFacts,
} from '../../config/facts.ts'

export function testEntryPoint(name: string, port: number): EntryPointFacts {
  return {
    name,
    port,
    engine: 'node',
    takesDefault: true,
    middlewares: [],
    tls: false,
    tlsOptions: '',
    certResolver: '',
    domains: [],
    accessLogs: true,
    metrics: true,
    redirection: null,
    acmeByPass: false,
  }
}

export function testFacts(): StaticFacts {
  return {
    entryPoints: [
      testEntryPoint('web', 80),
      testEntryPoint('websecure', 443),
      { ...testEntryPoint('admin', 8080), takesDefault: false },
    ],
    precedence: ['docker', 'file', 'http'],
    internalServices: ['noop@internal', 'whoami@internal', 'ping@internal'],
    internalRouters: [],
    internalMiddlewares: [],
    defaultTransport: {
      name: '',
      maxIdleConnsPerHost: 200,
      dialTimeoutMs: 30_000,
      responseHeaderTimeoutMs: 0,
      idleConnTimeoutMs: 90_000,
      stallTimeoutMs: 60_000,
      maxConnections: 0,
      maxPending: 0,
      lifetimeMs: 0,
      dnsRefreshMs: 30_000,
      tls: plainServerTls,
      disableHttp2: false,
      readIdleTimeoutMs: 0,
      pingTimeoutMs: 15_000,
      coalesce: null,
    },
    workloadApi: '',
    defaultServerTls: { insecureSkipVerify: false, rootCAs: [], spiffe: null },
    defaultTcpTransport: {
      name: '',
      dialTimeoutMs: 30_000,
      dialKeepAliveMs: 15_000,
      idleTimeoutMs: 0,
      proxyProtocol: 0,
      terminationDelayMs: 100,
      tls: plainServerTls,
    },
    defaultTcpServerTls: { insecureSkipVerify: false, rootCAs: [], spiffe: null },
    udpEntryPoints: ['dns'],
    certificateResolvers: ['le'],
    serverSchemes: serverSchemesBuilt,
  }
}
