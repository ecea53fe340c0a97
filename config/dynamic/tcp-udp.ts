// config/dynamic/tcp-udp.ts: the tcp and udp sections, with Traefik's keys and defaults. Hot: no.

import { z } from 'zod'
import { duration, meta, signedDuration } from '../schema.ts'
import {
  block,
  extension,
  flag,
  list,
  named,
  noted,
  off,
  text,
  time,
  tlsDomains,
} from '../static/blocks.ts'
import { weight } from './services.ts'
import { certificatePairs, peerSans, spiffe } from './transports.ts'

export const tcpRouterSchema = z.object({
  entryPoints: list(),
  middlewares: list(),
  service: text(),
  rule: text(),
  ruleSyntax: meta(z.enum(['', 'v2', 'v3']).default(''), {
    status: 'partly',
    note: 'only v3; a router with v2 is disabled, since its rule could mean something else',
  }),
  priority: z.number().default(0),
  tls: off({
    passthrough: flag(false),
    options: noted(text(), 'refused beside passthrough, which leaves the handshake to the server'),
    certResolver: text(),
    domains: tlsDomains,
  }),
})

const weighted = off({
  services: z.array(z.object({ name: z.string().min(1), weight: weight() })).default([]),
  healthCheck: noted(off({}), 'always on: a child without a server that is up gets nothing'),
})

export const tcpServiceSchema = z.object({
  loadBalancer: off({
    servers: z.array(z.object({ address: z.string().min(1), tls: flag(false) })).default([]),
    serversTransport: text(),
    proxyProtocol: off({ version: z.int().min(1).max(2).default(2) }),
    terminationDelay: z.int().nullable().default(null),
    healthCheck: off({
      port: z.int().min(0).max(65_535).default(0),
      send: text(),
      expect: text(),
      interval: time(30_000),
      unhealthyInterval: duration.nullable().default(null),
      timeout: time(5000),
    }),
  }),
  weighted,
})

export const tcpMiddlewareSchema = z.object({
  inFlightConn: off({ amount: z.int().min(0).default(0) }),
  ipWhiteList: off({ sourceRange: list() }),
  ipAllowList: off({ sourceRange: list() }),
})

export const tcpTransportSchema = z.object({
  dialKeepAlive: signedDuration.default(15_000),
  dialTimeout: time(30_000),
  idleTimeout: extension(
    time(0),
    'a connection is closed on which nothing has passed for so long; 0 is never, as in Traefik',
  ),
  proxyProtocol: off({ version: z.int().min(1).max(2).default(2) }),
  terminationDelay: signedDuration.default(100),
  tls: off({
    serverName: text(),
    insecureSkipVerify: flag(false),
    rootCAs: list(),
    certificates: certificatePairs(),
    peerCertURI: text(),
    peerCertSANs: peerSans(),
    spiffe: spiffe(),
  }),
})

export const udpRouterSchema = z.object({ entryPoints: list(), service: text() })

export const udpServiceSchema = z.object({
  loadBalancer: off({
    servers: z.array(z.object({ address: z.string().min(1) })).default([]),
  }),
  weighted: off({
    services: z.array(z.object({ name: z.string().min(1), weight: weight() })).default([]),
  }),
})

export const tcpSchema = block({
  routers: named(tcpRouterSchema),
  services: named(tcpServiceSchema),
  middlewares: named(tcpMiddlewareSchema),
  serversTransports: named(tcpTransportSchema),
})

export const udpSchema = block({
  routers: noted(
    named(udpRouterSchema),
    'an entry point takes one router: of several none is served, while Traefik takes any',
  ),
  services: named(udpServiceSchema),
})

export type TcpRouterConfig = z.output<typeof tcpRouterSchema>
export type TcpServiceConfig = z.output<typeof tcpServiceSchema>
export type TcpMiddlewareConfig = z.output<typeof tcpMiddlewareSchema>
export type TcpTransportConfig = z.output<typeof tcpTransportSchema>
export type UdpRouterConfig = z.output<typeof udpRouterSchema>
export type UdpServiceConfig = z.output<typeof udpServiceSchema>
