// config/dynamic/transports.ts: http.serversTransports.<name>: how connections to servers are made. Hot: no.

import { z } from 'zod'
import { block, flag, list, notYet, off, text, time } from '../static/blocks.ts'
import { transportExtensions } from '../static/transport.ts'

const tlsOfServers = 'TLS to servers'

export const certificatePairs = () =>
  z.array(z.object({ certFile: text(), keyFile: text() })).default([])

export const peerSans = () => z.array(z.object({ type: text(), value: text() })).default([])

export const spiffe = () => notYet(off({ ids: list(), trustDomain: text() }), 'SPIFFE')

export const transportSchema = z.object({
  serverName: notYet(text(), tlsOfServers),
  insecureSkipVerify: notYet(flag(false), tlsOfServers),
  rootCAs: notYet(list(), tlsOfServers),
  certificates: notYet(certificatePairs(), tlsOfServers),
  cipherSuites: notYet(list(), tlsOfServers),
  minVersion: notYet(text(), tlsOfServers),
  maxVersion: notYet(text(), tlsOfServers),
  maxIdleConnsPerHost: z.int().min(-1).default(200),
  forwardingTimeouts: block({
    dialTimeout: time(30_000),
    responseHeaderTimeout: time(0),
    idleConnTimeout: time(90_000),
    readIdleTimeout: notYet(time(0), 'HTTP/2 to servers'),
    pingTimeout: notYet(time(15_000), 'HTTP/2 to servers'),
  }),
  disableHTTP2: notYet(flag(false), 'HTTP/2 to servers'),
  peerCertURI: notYet(text(), tlsOfServers),
  peerCertSANs: notYet(peerSans(), tlsOfServers),
  spiffe: spiffe(),
  ...transportExtensions,
})

export type TransportConfig = z.output<typeof transportSchema>
