// serversTransport and tcpServersTransport: how connections to servers are made and kept.
//
// These are the defaults for services that name no transport of their own. Hot: no.

import { z } from 'zod'
import { signedDuration } from '../schema.ts'
import { block, extension, flag, list, off, text, time, whole } from './blocks.ts'

export const spiffe = () => off({ ids: list(), trustDomain: text() })

// Sluice's own keys of a transport; the routing schema uses the same for http.serversTransports.
export const transportExtensions = {
  maxConnections: extension(
    z.int().min(0).default(4096),
    'connections of HTTP/1.1 to one server, per worker; 0 is no limit',
  ),
  maxPending: extension(
    z.int().min(0).max(100_000).default(1024),
    'requests that wait for one of them, at the most for dialTimeout; the next gets 503 or another server',
  ),
  lifetime: extension(
    time(0),
    'an upstream connection is not reused after this time; 0 is no limit',
  ),
  stallTimeout: extension(
    time(60_000),
    'the longest time without progress of an upstream transfer',
  ),
  dnsRefresh: extension(time(30_000), 'names of servers are looked up again after this time'),
  coalesce: extension(
    off({
      connections: extension(z.int().min(1).max(64).default(2), 'shared connections per server'),
      depth: extension(z.int().min(1).max(256).default(64), 'requests in flight on each of them'),
      slowAfter: extension(
        time(250),
        'a server that answers later than this is never coalesced again',
      ),
    }),
    'safe requests without a body share writes on pipelined connections; one slow answer delays those behind it',
  ),
}

export const serversTransport = block({
  insecureSkipVerify: flag(false),
  rootCAs: list(),
  maxIdleConnsPerHost: whole(200),
  forwardingTimeouts: block({
    dialTimeout: time(30_000),
    responseHeaderTimeout: time(0),
    idleConnTimeout: time(90_000),
  }),
  spiffe: spiffe(),
  ...transportExtensions,
})

export const tcpServersTransport = block({
  dialTimeout: time(30_000),
  dialKeepAlive: signedDuration.default(15_000),
  idleTimeout: extension(
    time(0),
    'a connection is closed on which nothing has passed for so long; 0 is never, as in Traefik',
  ),
  terminationDelay: signedDuration.default(100),
  tls: off({ insecureSkipVerify: flag(false), rootCAs: list(), spiffe: spiffe() }),
})
