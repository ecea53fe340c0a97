// workers/health/secure.ts: TLS for the connection of a check, with the expectations that requests have of the server.
//
// Owner:  the supervisor's thread; nothing here runs in a worker. Hot: no.

import net from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ServerTlsPlan } from '../../config/protocol-plans.ts'
import { tlsModule } from '../builtins.ts'
import { serverFault } from '../tls/server-identity.ts'
import { contextOf, identityOf } from '../upstream/server-tls.ts'

// `done` is called once the handshake is over: with '' or what was wrong. Errors of the socket itself are whoever's who
// watches it; `watch` is called at once, for the socket within which it lies.
export function secureProbe(
  socket: net.Socket,
  plan: ServerTlsPlan,
  host: string,
  alpn: readonly string[],
  watch: (socket: net.Socket) => void,
  done: (secured: TLSSocket, fault: string) => void,
): void {
  const name = plan.serverName === '' ? host : plan.serverName
  const secured = tlsModule().connect({
    socket,
    secureContext: contextOf(plan),
    ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
    ...(net.isIP(name) === 0 ? { servername: name } : {}),
    // The verdict on names is serverFault's, as for the connections of clients.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  })
  watch(secured)
  secured.once('secureConnect', () => {
    const verified = secured.authorizationError as (Error & { code?: string }) | string | null
    const chainFault = verified ? String((verified as { code?: string }).code ?? verified) : ''
    const certificate = secured.getPeerCertificate(true)
    const shown = certificate.raw === undefined ? null : certificate
    done(secured, serverFault(identityOf(plan, name), shown, chainFault))
  })
}
