// entryPoints.<name>: what listens where, how it treats HTTP, and its limits and timeouts.
//
// Traefik's keys with Traefik's defaults, except two that are written down as differences: readTimeout is 0
// (a total time for a request punishes slow uploads; headerTimeout, bodyStallTimeout and bodyRateMin stop
// slow attackers instead), and heads are limited to 64 KiB instead of 1 MiB. Hot: no.

import { z } from 'zod'
import { bytes, duration } from '../schema.ts'
import {
  block,
  extension,
  flag,
  list,
  named,
  networks,
  noted,
  notYet,
  off,
  partly,
  routerTlsKeys,
  text,
  time,
  whole,
} from './blocks.ts'
import { parseAddress } from './address.ts'

const headBytesDefault = 64 * 1024
// Each connection costs some 6 KiB when idle: 16,384 are 100 MiB, and below the usual 65,536 descriptors
// even with one upstream connection each.
const connectionsDefault = 16_384
const bufferedBytesDefault = 1024 * 1024
const bodyAheadDefault = 16 * 1024
// Traefik's is MaxInt64 - 1, which no double holds; this is the next one, and still above the highest that
// users may give (MaxInt64 - 1000, 2 ** 63 - 1024 as a double).
const redirectPriority = 2 ** 63

function bytesBetween(min: number, max: number) {
  return bytes.refine((count) => count >= min && count <= max, {
    error: `must be between ${min} and ${max} bytes`,
  })
}

// A browser's request has 1 KiB; above 16 MiB a limit protects nothing.
const headBytes = () =>
  bytesBetween(1024, 16 * 1024 * 1024)
    .nullable()
    .default(null)

const forwardedHeaders = block({
  insecure: flag(false),
  trustedIPs: networks(),
  connection: noted(list(), 'let through to rules and middlewares; servers never get them'),
  notAppendXForwardedFor: flag(false),
  addXForwardedSchemeHeaders: flag(false),
})

const redirection = z
  .object({
    to: z.string().min(1),
    scheme: text('https'),
    permanent: flag(true),
    priority: z.number().default(redirectPriority),
  })
  .nullable()
  .default(null)

const encodedCharacters = block({
  allowEncodedSlash: flag(true),
  allowEncodedBackSlash: flag(true),
  allowEncodedNullCharacter: flag(true),
  allowEncodedSemicolon: flag(true),
  allowEncodedPercent: flag(true),
  allowEncodedQuestionMark: flag(true),
  allowEncodedHash: flag(true),
})

const http = block({
  redirections: block({ entryPoint: redirection }),
  middlewares: list(),
  tls: noted(
    off(routerTlsKeys()),
    'its options hold for every host on it that no router names, too',
  ),
  encodedCharacters,
  encodeQuerySemicolons: flag(false),
  sanitizePath: flag(true),
  underscoreHeadersStrategy: z.enum(['keep', 'delete', 'reject']).default('keep'),
  maxHeaderBytes: noted(
    headBytes(),
    "Traefik's default is 1048576; Sluice's is transport.limits.headBytesMax (64 KiB)",
  ),
  allowConnect: notYet(
    extension(flag(false), 'would serve CONNECT; it is answered 501'),
    'CONNECT',
  ),
  via: extension(flag(false), 'adds a Via header in both directions'),
  errorPages: extension(
    flag(true),
    'the gateway refuses in the form that Accept asks for: HTML, JSON, text; false: always text',
  ),
})

const http2 = block({
  maxConcurrentStreams: whole(250),
  maxDecoderHeaderTableSize: whole(4096),
  maxEncoderHeaderTableSize: whole(4096),
})

// '[host]:port', '[host]' or ':port': what can stand in an Alt-Svc header without quotes of its own.
const alternative = /^(?:(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])?(?::\d{1,5})?)$/

const http3 = off({
  advertisedPort: whole(0),
  frontedBy: extension(
    z.string().regex(alternative, { error: 'is not a host, :port or host:port' }).default(''),
    'a QUIC terminator in front: responses on TLS name it in an Alt-Svc header',
  ),
})

const respondingTimeouts = block({
  readTimeout: noted(
    time(0),
    'total time for a request with its body; 0 (Traefik: 60s), see bodyStallTimeout',
  ),
  writeTimeout: time(0),
  idleTimeout: time(180_000),
  headerTimeout: extension(time(10_000), 'from the first byte of a request to the end of its head'),
  bodyStallTimeout: extension(time(30_000), 'the longest pause within a request body'),
  bodyRateMin: extension(
    bytes.default(0),
    'least average bytes per second of a request body once bodyRateGrace is over; 0 is off',
  ),
  bodyRateGrace: extension(time(10_000), 'time before bodyRateMin counts'),
  writeStallTimeout: extension(time(60_000), 'the longest time without progress of a response'),
})

const limits = block({
  headBytesMax: extension(
    headBytes(),
    'request line and headers together; http.maxHeaderBytes sets it too',
  ),
  headerCountMax: extension(z.int().min(1).max(10_000).default(128), 'headers of one request'),
  connectionsMax: extension(
    z.int().min(1).max(10_000_000).default(connectionsDefault),
    'open connections per worker; a new one beyond it is answered 503 and closed',
  ),
  bufferedBytesMax: extension(
    bytesBetween(16 * 1024, 1024 ** 3).default(bufferedBytesDefault),
    'bytes held for one connection before its peer is paused; of responses node holds 128 KiB at the most',
  ),
  bodyAheadBytes: extension(
    bytesBetween(0, 1024 ** 2).default(bodyAheadDefault),
    'of a body with a length, so much is here before a server that is half full is asked; 0: asked at once',
  ),
})

const transport = block({
  respondingTimeouts,
  lifeCycle: block({ requestAcceptGraceTimeout: time(0), graceTimeOut: time(10_000) }),
  keepAliveMaxRequests: whole(0),
  keepAliveMaxTime: time(0),
  limits,
})

const observability = block({
  accessLogs: flag(true),
  metrics: flag(true),
  tracing: notYet(flag(true), 'tracing'),
  traceVerbosity: notYet(z.enum(['minimal', 'detailed']).default('minimal'), 'tracing'),
})

const entryPointKeys = z.object({
  address: z.string().refine((address) => parseAddress(address) !== null, {
    error: 'is not an address such as :80, 127.0.0.1:8080, [::1]:443/tcp or :53/udp',
  }),
  asDefault: flag(false),
  allowACMEByPass: flag(false),
  reusePort: noted(flag(false), 'always on: every worker listens on every entry point'),
  engine: extension(
    z.enum(['node', 'uws']).default('node'),
    'what accepts connections; uws is for trusted clients, see the documentation',
  ),
  trustChunkedRequests: extension(
    flag(false),
    'engine uws takes requests with a Transfer-Encoding, which it reads laxly; without it they are answered 411',
  ),
  forwardedHeaders,
  proxyProtocol: off({ insecure: flag(false), trustedIPs: networks() }),
  http,
  http2,
  http3: partly(http3, 'QUIC is not spoken; frontedBy names who does'),
  observability,
  transport,
  udp: block({ timeout: duration.default(3000) }),
})

// What the keys mean together, so that no consumer has to work it out again.
const entryPoint = entryPointKeys.transform((keys) => ({
  ...keys,
  listen: parseAddress(keys.address)!,
  transport: {
    ...keys.transport,
    limits: {
      ...keys.transport.limits,
      headBytesMax:
        keys.transport.limits.headBytesMax ?? keys.http.maxHeaderBytes ?? headBytesDefault,
    },
  },
}))

export type EntryPoint = z.output<typeof entryPoint>

export const entryPoints = named(entryPoint)

export function defaultEntryPoint(address: string): EntryPoint {
  return entryPoint.parse({ address })
}
