// The whole static (install) configuration: what is read once, at start.
//
// One zod schema with Traefik's keys and defaults and Sluice's own keys beside them; each key's metadata
// says whether it works. docs/compatibility.md is generated from here. Hot: no.

import { z } from 'zod'
import { buffering } from './static/buffering.ts'
import { block, extension, flag, noted, notYet, off, partly, text, whole } from './static/blocks.ts'
import { certificatesResolvers, ocsp, spiffe } from './static/certificates.ts'
import { entryPoints } from './static/entry-points.ts'
import { experimental } from './static/experimental.ts'
import { hub } from './static/hub.ts'
import { accessLog, log, metrics, tracing } from './static/observability.ts'
import { overload } from './static/overload.ts'
import { providers } from './static/providers.ts'
import { serversTransport, tcpServersTransport } from './static/transport.ts'

// More threads than this have never been tried, and the shared counters are sized by it.
const workersMax = 256

const api = off({
  insecure: flag(false),
  dashboard: noted(flag(true), 'read-only; a first version'),
  dashboardName: notYet(text(), 'the dashboard'),
  debug: notYet(flag(false), 'profiles over HTTP'),
  basePath: z
    .string()
    .regex(/^\/[\w./~-]*$/, { error: 'is not a path such as /gateway' })
    .default('/'),
  disableDashboardAd: noted(flag(false), 'accepted: there is no advertisement'),
  entryPoint: extension(text('traefik'), 'where api.insecure publishes the API'),
  writable: extension(
    flag(false),
    'whoever reaches the API may also purge caches and steer rollouts; it changes nothing otherwise',
  ),
})

const ping = off({
  entryPoint: text('traefik'),
  manualRouting: flag(false),
  terminatingStatusCode: z.int().min(100).max(599).default(503),
})

const neverCalls = 'accepted: Sluice never calls home'

const global = block({
  checkNewVersion: noted(flag(true), neverCalls),
  sendAnonymousUsage: noted(flag(false), neverCalls),
  notAppendXForwardedFor: flag(false),
})

const core = block({
  defaultRuleSyntax: partly(z.enum(['v3', 'v2']).default('v3'), 'only v3'),
  strictTLSOptions: noted(flag(false), 'accepted: conflicts of TLS options are always refused'),
})

const hostResolver = notYet(
  off({
    cnameFlattening: flag(false),
    resolvConfig: text('/etc/resolv.conf'),
    resolvDepth: whole(5),
  }),
  'CNAME flattening',
)

export const staticSchema = z.object({
  workers: extension(
    z.int().min(1).max(workersMax).nullable().default(null),
    'worker threads; the default is the number of cores',
  ),
  fips: extension(
    flag(false),
    'starts with a FIPS provider of OpenSSL or not at all; TLS by engine node only',
  ),
  upgrade: block({
    pidFile: extension(
      text(),
      'a new process takes over from the one named in this file, then writes itself there',
    ),
  }),
  global,
  core,
  entryPoints,
  providers,
  api,
  ping,
  log,
  accessLog,
  metrics,
  tracing,
  serversTransport,
  tcpServersTransport,
  overload,
  buffering,
  hostResolver,
  certificatesResolvers,
  experimental,
  ocsp,
  spiffe,
  hub,
})

// With the defaults that depend on the machine filled in; durations are milliseconds, sizes bytes.
export type StaticConfig = Omit<z.output<typeof staticSchema>, 'workers'> & { workers: number }
export type { EntryPoint } from './static/entry-points.ts'
export type { ListenAddress } from './static/address.ts'
