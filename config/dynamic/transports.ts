// config/dynamic/transports.ts: http.serversTransports.<name>: how connections to servers are made. Hot: no.

import { z } from 'zod'
import { block, flag, list, text, time } from '../static/blocks.ts'
import { spiffe, transportExtensions } from '../static/transport.ts'

export { spiffe } from '../static/transport.ts'

export const certificatePairs = () =>
  z.array(z.object({ certFile: text(), keyFile: text() })).default([])

export const peerSans = () => z.array(z.object({ type: text(), value: text() })).default([])

export const transportSchema = z.object({
  serverName: text(),
  insecureSkipVerify: flag(false),
  rootCAs: list(),
  certificates: certificatePairs(),
  cipherSuites: list(),
  minVersion: text(),
  maxVersion: text(),
  maxIdleConnsPerHost: z.int().min(-1).default(200),
  forwardingTimeouts: block({
    dialTimeout: time(30_000),
    responseHeaderTimeout: time(0),
    idleConnTimeout: time(90_000),
    readIdleTimeout: time(0),
    pingTimeout: time(15_000),
  }),
  disableHTTP2: flag(false),
  peerCertURI: text(),
  peerCertSANs: peerSans(),
  spiffe: spiffe(),
  ...transportExtensions,
})

export type TransportConfig = z.output<typeof transportSchema>
