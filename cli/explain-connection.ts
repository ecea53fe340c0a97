// cli/explain-connection.ts: what becomes of a connection before any request is read: a TCP router, or TLS with
// which options and which certificate.
//
// The same order as in workers (workers/tls, workers/tcp), from plans instead of live objects. Keys stay in the plans.

import { coversHost } from '../config/certificate-facts.ts'
import type { Generation } from '../config/generation.ts'
import type { CertificatePlan, TcpRouterPlan, TlsOptionsPlan } from '../config/protocol-plans.ts'
import { HOST } from '../core/route/rule.ts'
import { parseRule } from '../core/route/parse.ts'
import { compileTcpRule, isCatchAll, TcpMatcher } from '../core/tcp/matcher.ts'
import { valuesOf } from '../config/compile/router-plan.ts'

export interface ShownTls {
  readonly serverName: string // '' when the client names none
  readonly options: string
  readonly because: string // what chose the options
  readonly minVersion: string
  readonly maxVersion: string
  readonly clientAuth: string
  readonly alpn: readonly string[]
  readonly certificate: {
    readonly id: string // '' for the one that each process makes
    readonly names: readonly string[]
    readonly notAfter: string
  } | null // null: the handshake is refused (sniStrict)
}

export interface ShownConnection {
  readonly tls: ShownTls | null // of clear text
  readonly tcpRouter: Pick<TcpRouterPlan, 'name' | 'rule' | 'tls' | 'service'> | null
}

export interface AskedConnection {
  readonly entryPoint: string
  readonly secure: boolean
  readonly serverName: string
  readonly clientAddress: string
}

export function connectionOf(generation: Generation, asked: AskedConnection): ShownConnection {
  const router = tcpRouterOf(generation, asked)
  if (router !== null) {
    const { name, rule, tls, service } = router
    const options = tls === 'terminate' ? generation.tlsOptions.get(router.tlsOptions) : undefined
    const shown = options && tlsOf(generation, asked, options, `the TCP router ${name}`)
    return { tls: shown ?? null, tcpRouter: { name, rule, tls, service } }
  }
  if (!asked.secure) return { tls: null, tcpRouter: null }
  const { options, because } = optionsOf(generation, asked.entryPoint, asked.serverName)
  return { tls: tlsOf(generation, asked, options, because), tcpRouter: null }
}

// Names of hosts of HTTPS come before routers of TCP, and those before whatever takes all.
function tcpRouterOf(generation: Generation, asked: AskedConnection): TcpRouterPlan | null {
  const { entryPoint, secure, serverName, clientAddress } = asked
  const plans = [...generation.tcpRouters.values()].filter(
    (plan) => plan.entryPoints.includes(entryPoint) && (plan.tls !== 'none') === secure,
  )
  const routes = plans.map((plan) => {
    const rule = parseRule(plan.rule, 'tcp')
    return { ...plan, rule, condition: compileTcpRule(rule), value: plan }
  })
  const alpn = ['h2', 'http/1.1']
  const facts = { isTls: secure, sni: secure ? serverName : '', alpn, clientAddress }
  const found = new TcpMatcher(routes).match(facts)
  if (found === null || !secure) return found
  if (hostOf(generation, entryPoint, serverName) !== null) return null
  return isCatchAll(parseRule(found.rule, 'tcp')) && hasHttpsForAll(generation, entryPoint)
    ? null
    : found
}

function hasHttpsForAll(generation: Generation, entryPoint: string): boolean {
  return [...generation.routers.values()].some(
    (plan) =>
      plan.tls &&
      plan.parents.length === 0 &&
      plan.entryPoints.includes(entryPoint) &&
      valuesOf(parseRule(plan.rule), HOST).every((host) => host === '*'),
  )
}

// The entry that has the name: itself, or its wildcard.
function hostOf(generation: Generation, entryPoint: string, name: string): string | null {
  const dot = name.indexOf('.')
  const names = dot > 0 ? [name, `*${name.slice(dot)}`] : [name]
  return names.find((host) => generation.tlsHosts.has(`${entryPoint} ${host}`)) ?? null
}

export function optionsOf(
  generation: Generation,
  entryPoint: string,
  name: string,
): { options: TlsOptionsPlan; because: string } {
  const { tlsHosts, tlsOptions } = generation
  const host = hostOf(generation, entryPoint, name) ?? '*'
  const chosen = tlsHosts.get(`${entryPoint} ${host}`)
  const options = tlsOptions.get(chosen?.options ?? 'default')!
  if (chosen === undefined) return { options, because: 'no router names the host' }
  const because = host === '*' ? 'what the entry point has for all others' : `the host ${host}`
  return { options, because }
}

function tlsOf(
  generation: Generation,
  { serverName }: AskedConnection,
  options: TlsOptionsPlan,
  because: string,
): ShownTls {
  const { name, minVersion, maxVersion, clientAuth, alpn } = options
  const found = certificateOf(generation, serverName)
  const standard = options.sniStrict && found === null ? null : defaultOf(generation)
  return {
    serverName,
    options: name,
    because,
    minVersion,
    maxVersion,
    clientAuth,
    alpn: alpn.filter((protocol) => protocol !== 'acme-tls/1'),
    certificate: found === null ? standard : shownCertificate(found),
  }
}

function shownCertificate({ id, names, notAfter }: CertificatePlan): ShownTls['certificate'] {
  return { id, names, notAfter: new Date(notAfter).toISOString() }
}

// An exact name before a wildcard; of several the one that is valid longest.
function certificateOf(generation: Generation, name: string): CertificatePlan | null {
  const all = [...generation.tlsCertificates.values()]
  const exact = all.filter((plan) => plan.names.includes(name))
  const fit = exact.length > 0 ? exact : all.filter((plan) => coversHost(plan.names, name))
  return fit.toSorted((one, other) => other.notAfter - one.notAfter)[0] ?? null
}

function defaultOf(generation: Generation): ShownTls['certificate'] {
  const id = generation.tlsDefaults.get('default')?.certificate ?? ''
  const plan = generation.tlsCertificates.get(id)
  return plan === undefined ? { id: '', names: [], notAfter: '' } : shownCertificate(plan)
}
