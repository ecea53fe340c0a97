// config/dynamic/tcp-udp.ts: the tcp and udp sections. They are accepted and checked as they stand in
// Traefik; nothing of them is served yet. Hot: no.

import { z } from 'zod'
import { duration } from '../schema.ts'
import { block, flag, list, named, notYet, off, text, time, tlsDomains } from '../static/blocks.ts'
import { weight } from './services.ts'
import { certificatePairs, peerSans, spiffe } from './transports.ts'

const tcpRouter = z.object({
  entryPoints: list(),
  middlewares: list(),
  service: text(),
  rule: text(),
  ruleSyntax: text(),
  priority: z.number().default(0),
  tls: off({
    passthrough: flag(false),
    options: text(),
    certResolver: text(),
    domains: tlsDomains,
  }),
})

const weighted = off({
  services: z.array(z.object({ name: z.string().min(1), weight: weight() })).default([]),
  healthCheck: off({}),
})

const tcpService = z.object({
  loadBalancer: off({
    servers: z.array(z.object({ address: z.string().min(1), tls: flag(false) })).default([]),
    serversTransport: text(),
    proxyProtocol: off({ version: z.int().min(1).max(2).default(2) }),
    terminationDelay: z.int().nullable().default(null),
    healthCheck: off({
      port: z.int().default(0),
      send: text(),
      expect: text(),
      interval: time(30_000),
      unhealthyInterval: duration.nullable().default(null),
      timeout: time(5000),
    }),
  }),
  weighted,
})

const tcpMiddleware = z.object({
  inFlightConn: off({ amount: z.int().min(0).default(0) }),
  ipWhiteList: off({ sourceRange: list() }),
  ipAllowList: off({ sourceRange: list() }),
})

const tcpTransport = z.object({
  dialKeepAlive: time(15_000),
  dialTimeout: time(30_000),
  proxyProtocol: off({ version: z.int().min(1).max(2).default(2) }),
  terminationDelay: time(100),
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

export const tcpSchema = block({
  routers: notYet(named(tcpRouter), 'TCP'),
  services: notYet(named(tcpService), 'TCP'),
  middlewares: notYet(named(tcpMiddleware), 'TCP'),
  serversTransports: notYet(named(tcpTransport), 'TCP'),
})

const udpServer = z.object({ address: z.string().min(1) })

export const udpSchema = block({
  routers: notYet(named(z.object({ entryPoints: list(), service: text() })), 'UDP'),
  services: notYet(
    named(
      z.object({
        loadBalancer: off({ servers: z.array(udpServer).default([]) }),
        weighted: off({
          services: z.array(z.object({ name: z.string().min(1), weight: weight() })).default([]),
        }),
      }),
    ),
    'UDP',
  ),
})
