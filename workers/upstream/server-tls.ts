// workers/upstream/server-tls.ts: TLS towards one server: what is offered, what is expected, sessions to resume.
//
// Owner:  its Server, and with it keyed by the URL and all that the transport says: a session is only ever resumed
//         with the same expectations. Cold: once per connection.
//
// The chain and the names are checked in workers/secure-socket.ts, for resumed sessions too.

import { tlsModule } from '../builtins.ts'
import { isIP } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { TransportPlan } from '../../config/generation.ts'
import type { ServerTlsPlan } from '../../config/protocol-plans.ts'
import { UPSTREAM_TLS } from '../../core/errors.ts'
import { type SavedSession, type Secured, alpnWire, secureClient } from '../secure-socket.ts'
import type { Socket } from '../socket.ts'
import type { ServerIdentity } from '../tls/server-identity.ts'

const SESSIONS_MAX = 8 // TLS 1.3 servers give several, each good for one connection

export const OFFER_HTTP1 = alpnWire(['http/1.1'])
export const OFFER_BOTH = alpnWire(['h2', 'http/1.1'])

// code 0: secured.
export type SecuredServer = (
  socket: Parameters<Secured>[0] | null,
  code: number,
  reason: string,
) => void

// TCP's transports have both as well.
export type ServerTlsTransport = Pick<TransportPlan, 'tls' | 'dialTimeoutMs'>

export class ServerTls {
  private readonly transport: ServerTlsTransport
  private readonly serverName: string // SNI; '' for none
  private readonly identity: ServerIdentity
  private sessions: SavedSession[] = []
  private readonly keepSession = (session: SavedSession): void => this.keep(session)

  constructor(host: string, transport: ServerTlsTransport) {
    const { tls } = transport
    this.transport = transport
    const name = tls.serverName !== '' ? tls.serverName : host
    this.serverName = isIP(name) === 0 ? name : '' // RFC 6066, section 3
    this.identity = identityOf(tls, name)
  }

  // Takes the socket over. `done` is called once, unless what is returned is closed before: the socket that shakes hands,
  // null when it could not begin.
  secure(socket: Socket, alpn: Uint8Array | null, done: SecuredServer): Socket | null {
    const { lacking } = this.transport.tls
    if (lacking !== '') {
      socket.close()
      done(null, UPSTREAM_TLS, lacking)
      return null
    }
    let context: SecureContext
    try {
      context = contextOf(this.transport.tls)
    } catch (fault) {
      socket.close()
      done(null, UPSTREAM_TLS, (fault as NodeJS.ErrnoException).code ?? 'CONTEXT')
      return null
    }
    const mayResume = this.identity.trustDomains === null // a resumed session has no chain to look at
    const session = mayResume ? this.takeSession() : null
    const security = {
      context,
      serverName: this.serverName,
      identity: this.identity,
      alpn,
      session,
      onSession: mayResume ? this.keepSession : null,
      timeoutMs: this.transport.dialTimeoutMs,
    }
    return secureClient(socket, security, (secured, code, reason) => {
      if (code !== 0) this.sessions = [] // whatever was wrong, the next handshake is a full one
      done(code === 0 ? secured : null, code, reason)
    })
  }

  // The last one stays: TLS 1.2 servers may never send another.
  private takeSession(): SavedSession | null {
    const { sessions } = this
    return sessions.length > 1 ? sessions.pop()! : (sessions[0] ?? null)
  }

  private keep(session: SavedSession): void {
    if (this.sessions.length >= SESSIONS_MAX) this.sessions.shift()
    this.sessions.push(session)
  }
}

// Names in the certificate that are pinned take the place of the host when insecureSkipVerify leaves that out; then
// the chain is verified all the same, as in Traefik. SPIFFE ids always take its place.
export function identityOf(tls: ServerTlsPlan, host: string): ServerIdentity {
  const { spiffeBundles: bundles } = tls
  const isSpiffe = bundles !== null || tls.spiffeIds.length > 0 || tls.spiffeTrustDomain !== ''
  const isPinned = isSpiffe || tls.peerSans.length > 0
  return {
    host: tls.insecureSkipVerify || isSpiffe ? '' : host,
    insecure: tls.insecureSkipVerify && !isPinned,
    sans: tls.peerSans,
    spiffeIds: tls.spiffeIds,
    spiffeTrustDomain: tls.spiffeTrustDomain,
    trustDomains:
      bundles?.map(({ trustDomain, rootsPem }) => ({ name: trustDomain, rootsPem })) ?? null,
  }
}

// By plan: the servers of a transport share one, and so do all that have the default transport.
const contexts = new WeakMap<ServerTlsPlan, SecureContext>()

export function contextOf(tls: ServerTlsPlan): SecureContext {
  let context = contexts.get(tls)
  if (context === undefined) {
    context = tlsModule().createSecureContext({
      ca: tls.rootCas !== '' ? tls.rootCas : systemRoots(),
      ...(tls.certPem === '' ? {} : { cert: tls.certPem, key: tls.keyPem }),
      ...(tls.ciphers === '' ? {} : { ciphers: tls.ciphers }),
      minVersion: tls.minVersion !== '' ? tls.minVersion : 'TLSv1.2',
      ...(tls.maxVersion === '' ? {} : { maxVersion: tls.maxVersion }),
    })
    contexts.set(tls, context)
  }
  return context
}

let roots: string[] | null = null

// A machine without a store of its own (a bare container) gets the roots that Node brings.
function systemRoots(): string[] {
  if (roots === null) {
    const { getCACertificates } = tlsModule()
    const own = getCACertificates('system')
    const known = own.length > 0 ? own : getCACertificates('bundled')
    roots = [...new Set([...known, ...getCACertificates('extra')])]
  }
  return roots
}
