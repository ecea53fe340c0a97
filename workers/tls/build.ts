// workers/tls/build.ts: the TLS of a generation, and which entry points have to look at first bytes. Not hot.

import type { WorkerContext } from '../context.ts'
import type { LiveGeneration } from '../live-generation.ts'
import { LiveTls } from './live-tls.ts'

// What has to be told apart before a connection of an entry point is anybody's.
export interface Entrance {
  readonly proxy: boolean // some clients begin with a PROXY header
  readonly https: boolean // there are HTTPS routers
  readonly httpsCatchAll: boolean // one of them names no host
  readonly tcpClear: boolean
  readonly tcpTls: boolean
}

// Throws when a plan names what is not there: the generation is refused then.
export function buildLiveTls(
  next: LiveGeneration,
  before: LiveGeneration,
  context: WorkerContext,
): void {
  const same =
    before.tls !== null &&
    next.tlsCertificates === before.tlsCertificates &&
    next.tlsOptions === before.tlsOptions &&
    next.tlsHosts === before.tlsHosts &&
    next.tlsDefaults === before.tlsDefaults
  next.tls = same ? before.tls : new LiveTls(next, context.tls)
  if (!same) for (const keeper of context.certificateKeepers) keeper.prepare(next.tls!)
  next.entrances = context.plan.entryPoints.map((_, index) => entranceOf(next, context, index))
}

// Null: every connection speaks HTTP in clear text, and nothing is looked at.
function entranceOf(next: LiveGeneration, context: WorkerContext, index: number): Entrance | null {
  const { name, proxyProtocol } = context.plan.entryPoints[index]!
  const table = next.tcp[index]
  const tcpClear = table?.hasClear ?? false
  const tcpTls = table?.hasTls ?? false
  const https = (next.secureMatchers[index]?.routes.size ?? 0) > 0
  if (proxyProtocol === null && !https && !tcpClear && !tcpTls) return null
  const httpsCatchAll = https && tcpTls && hasCatchAll(next, name)
  return { proxy: proxyProtocol !== null, https, httpsCatchAll, tcpClear, tcpTls }
}

const namesHost = /\bHost\s*\(/

// As in Traefik: a router whose rule has no Host is asked for every name.
function hasCatchAll(next: LiveGeneration, entryPoint: string): boolean {
  for (const { plan } of next.routers.values()) {
    if (plan.tls && plan.parents.length === 0 && plan.entryPoints.includes(entryPoint))
      if (!namesHost.test(plan.rule)) return true
  }
  return false
}
