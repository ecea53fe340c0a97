// What the `uws` engine can't do, found in the configuration, with a sentence that says why.
//
// An entry point that asks for it is refused: a setting that is silently not kept is worse than none. A value
// that equals the default counts as not asked for. docs/engines.md lists what can't be seen here. Hot: no.

import type { Path } from './problem.ts'
import type { TlsOptionsPlan } from './protocol-plans.ts'
import { type EntryPoint, defaultEntryPoint } from './static/entry-points.ts'

export interface EngineRefusal {
  readonly path: Path // below the entry point
  readonly message: string
}

const HEADER_COUNT_MAX = 98
const READ_BYTES = 512 * 1024

const compiledIn =
  'uWebSockets.js has its timeouts compiled in: a connection on which nothing moves, a head that takes longer, ' +
  'a body slower than 16 KiB/s and a client that stops reading all end after 10 to 14 seconds'

const noConnections =
  'uWebSockets.js tells no connections apart, so what one connection has done cannot be counted'

// Empty when the entry point asks for nothing that its engine lacks.
export function uwsRefusals(point: EntryPoint): EngineRefusal[] {
  if (point.engine !== 'uws') return []
  return [...protocolRefusals(point), ...timeRefusals(point), ...limitRefusals(point)].map(
    ({ path, message }) => ({ path, message: `is not possible with engine uws: ${message}` }),
  )
}

function protocolRefusals(point: EntryPoint): EngineRefusal[] {
  const refusals: EngineRefusal[] = []
  const refuse = (path: Path, message: string) => refusals.push({ path, message })
  if (point.listen.protocol === 'udp') refuse(['address'], 'it serves HTTP over TCP only')
  if (point.proxyProtocol !== null) {
    refuse(
      ['proxyProtocol'],
      'it would believe a PROXY header of any client, not only of trusted ones',
    )
  }
  if (point.http3 !== null) refuse(['http3'], 'it has no HTTP/3 that is more than experimental')
  if (point.http.allowConnect) {
    refuse(['http', 'allowConnect'], 'it answers CONNECT with 505 before Sluice sees the request')
  }
  return refusals
}

type Times = EntryPoint['transport']['respondingTimeouts']

const defaults = defaultEntryPoint(':80')

function timeRefusals(point: EntryPoint): EngineRefusal[] {
  const given = point.transport.respondingTimeouts
  const usual = defaults.transport.respondingTimeouts
  const names = Object.keys(usual) as (keyof Times)[]
  return names
    .filter((name) => given[name] !== usual[name])
    .map((name) => ({
      path: ['transport', 'respondingTimeouts', name],
      message: compiledIn,
    }))
}

function limitRefusals(point: EntryPoint): EngineRefusal[] {
  const refusals: EngineRefusal[] = []
  const { transport } = point
  for (const name of ['keepAliveMaxRequests', 'keepAliveMaxTime'] as const) {
    if (transport[name] !== 0) refusals.push({ path: ['transport', name], message: noConnections })
  }
  const { headerCountMax, bufferedBytesMax } = transport.limits
  if (
    headerCountMax > HEADER_COUNT_MAX &&
    headerCountMax !== defaults.transport.limits.headerCountMax
  ) {
    refusals.push({
      path: ['transport', 'limits', 'headerCountMax'],
      message: `uWebSockets.js takes ${HEADER_COUNT_MAX} headers at the most, which is compiled in`,
    })
  }
  if (bufferedBytesMax < READ_BYTES) {
    refusals.push({
      path: ['transport', 'limits', 'bufferedBytesMax'],
      message: 'uWebSockets.js reads up to 512 KiB at once, whatever is asked for',
    })
  }
  return refusals
}

// ---- TLS: what its handshakes can't keep

const alpnKept = new Set(['h2', 'http/1.1', 'acme-tls/1'])

// A sentence for the first thing of these options that the engine would not do; '' when it keeps them all. Checked
// for every router of its entry points, so that nobody is served with less than what was asked for.
export function uwsTlsRefusal(options: TlsOptionsPlan): string {
  const { minVersion, maxVersion, ciphers, curves, clientAuth, sniStrict, alpn } = options
  if (clientAuth !== 'NoClientCert')
    return `clientAuth: uWebSockets.js asks for client certificates by one rule for all names, and can't require them`
  if (minVersion !== 'TLSv1.2' || maxVersion !== 'TLSv1.3')
    return 'minVersion, maxVersion: uWebSockets.js has TLS 1.2 and 1.3, which is compiled in'
  if (ciphers !== '') return 'cipherSuites: uWebSockets.js can not choose those of TLS 1.3'
  if (curves !== '') return 'curvePreferences: uWebSockets.js has its curves compiled in'
  if (sniStrict)
    return 'sniStrict: uWebSockets.js resumes the session of one name under any other, known or not'
  if (!options.sessionTickets)
    return 'disableSessionTickets: uWebSockets.js can not turn tickets off'
  if (!alpn.includes('http/1.1') || alpn.some((protocol) => !alpnKept.has(protocol)))
    return 'alpnProtocols: uWebSockets.js answers no ALPN and speaks HTTP/1.1 alone'
  return ''
}

interface ResolverChallenges {
  readonly acme: { readonly tlsChallenge: unknown } | null
}

const ACME_PORT = 443 // RFC 8737, section 3

// What the install configuration asks for that handshakes of this entry point would not do.
export function uwsTlsRefusals(
  point: EntryPoint,
  resolvers: Readonly<Record<string, ResolverChallenges>>,
  hasOcsp: boolean,
): EngineRefusal[] {
  const refusals: EngineRefusal[] = []
  const { tls } = point.http
  if (point.engine !== 'uws' || tls === null) return refusals
  const impossible = 'is not possible with engine uws: uWebSockets.js'
  if (hasOcsp)
    refusals.push({ path: ['engine'], message: `ocsp ${impossible} has no way to staple answers` })
  for (const [name, { acme }] of Object.entries(resolvers)) {
    if ((acme?.tlsChallenge ?? null) === null) continue
    if (name !== tls.certResolver && point.listen.port !== ACME_PORT) continue
    const message = `the tlsChallenge of certificatesResolvers.${name} ${impossible} answers no ALPN`
    refusals.push({ path: ['engine'], message })
  }
  return refusals
}
