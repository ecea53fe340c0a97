// workers/downstream/node/opening-tls.ts: who gets a connection that has begun with a TLS hello, and its handshake.
//
// Hot: no, once per connection. The hello was read whole before anybody chose: server name and protocols are those
// that OpenSSL will read too, out of the same bytes.
//
//   tls-alpn-01 challenge -> HTTPS of a named host -> TCP of a named host -> HTTPS of any host -> TCP of any host
//   -> HTTPS all the same, which answers 404
//
// With allowACMEByPass a passthrough router that would get the connection comes before the challenge.

import { Buffer } from 'node:buffer'
import type { TlsOptionsPlan } from '../../../config/protocol-plans.ts'
import { NONE, OPENING_INVALID, TLS_SERVER_NAME } from '../../../core/errors.ts'
import type { TlsFacts } from '../../../core/exchange.ts'
import type { ClientHello } from '../../../core/tls/client-hello.ts'
import { type SecureSocket, type ServerSecurity, secureServer } from '../../secure-socket.ts'
import { tellDefect } from '../../socket.ts'
import type { TcpConnectionFacts } from '../../tcp/facts.ts'
import type { LiveTcpRouter } from '../../tcp/router.ts'
import { clientCertificateOf } from '../../tls/client-certificate.ts'
import { policyOf } from '../../tls/policy.ts'
import { Connection } from './connection.ts'
import { serveH2 } from './h2/serve.ts'
import type { Opening } from './opening.ts'

const ACME_PROTOCOL = 'acme-tls/1'
const nothing = Buffer.alloc(0)

// A fatal alert: unrecognized_name (RFC 6066, section 3).
const UNKNOWN_NAME = Buffer.of(21, 3, 3, 0, 2, 2, 112)

export function dispatchTls(opening: Opening, hello: ClientHello, first: Buffer): void {
  const { entrance } = opening
  const facts = opening.facts(true, hello.serverName, hello.alpn)
  const { context, name, plan } = opening.point
  const isForAuthority = isChallenge(hello)
  if (isForAuthority && !plan.acmeByPass && answerChallenge(opening, hello, first)) return
  const tls = context.generation.tls!
  const isHttp = entrance.https && !opening.postgres
  const own = isHttp ? tls.optionsOfHost(name, hello.serverName) : null
  const router = own === null ? tcpRouterOf(opening, facts, isHttp) : null
  const passes = router?.tls === 'passthrough'
  if (isForAuthority && !passes && answerChallenge(opening, hello, first)) return
  if (own !== null) return terminateHttp(opening, hello, facts, first, own)
  if (router !== null) return toTcp(opening, hello, facts, first, router)
  if (opening.postgres) return opening.refuse(OPENING_INVALID)
  terminateHttp(opening, hello, facts, first, tls.optionsFor(name, hello.serverName))
}

function tcpRouterOf(
  opening: Opening,
  facts: TcpConnectionFacts,
  isHttp: boolean,
): LiveTcpRouter | null {
  const { tcpTls, httpsCatchAll } = opening.entrance
  const router = tcpTls ? opening.tcpRouter(facts) : null
  return router !== null && router.catchAll && isHttp && httpsCatchAll ? null : router
}

// RFC 8737, section 3: exactly this protocol.
function isChallenge({ alpn }: ClientHello): boolean {
  return alpn.length === 1 && alpn[0] === ACME_PROTOCOL
}

function answerChallenge(opening: Opening, hello: ClientHello, first: Buffer): boolean {
  const { generation } = opening.point.context
  const plan = generation.challenges.get(`tls-alpn-01 ${hello.serverName}`)
  if (plan === undefined || plan.kind !== 'tls-alpn-01') return false
  shake(opening, first, generation.tls!.challengeSecurity(plan), () => opening.close())
  return true
}

function toTcp(
  opening: Opening,
  hello: ClientHello,
  facts: TcpConnectionFacts,
  first: Buffer,
  router: LiveTcpRouter,
): void {
  if (router.tls === 'passthrough') return opening.passToTcp(opening.socket, router, facts, first)
  const tls = opening.point.context.generation.tls!
  const options = tls.optionsNamed(router.plan.tlsOptions || 'default')
  if (options === null) return opening.refuse(OPENING_INVALID)
  // What the two have in common is answered, and nothing where that is nothing: the server behind need not know.
  const common = options.alpn.filter((protocol) => hello.alpn.includes(protocol))
  const security = securityOf(opening, hello, facts, options, common)
  if (security === null) return
  shake(opening, first, security, (socket) => opening.passToTcp(socket, router, facts, nothing))
}

function terminateHttp(
  opening: Opening,
  hello: ClientHello,
  facts: TcpConnectionFacts,
  first: Buffer,
  options: TlsOptionsPlan,
): void {
  const security = securityOf(opening, hello, facts, options, null)
  if (security === null) return
  shake(opening, first, security, (socket) => {
    const { point } = opening
    const tls = factsOf(socket, hello.serverName, options, security)
    if (tls.alpn === 'h2') return opening.handOver(() => serveH2(socket, point, tls))
    opening.toHttp(new Connection(socket, point, tls, point.context.sweeper.now))
  })
}

function securityOf(
  opening: Opening,
  hello: ClientHello,
  { localAddress }: TcpConnectionFacts,
  options: TlsOptionsPlan,
  alpn: readonly string[] | null,
): ServerSecurity | null {
  const tls = opening.point.context.generation.tls!
  try {
    const security = tls.securityFor(options, hello, localAddress, alpn)
    if (security !== null) return security
    opening.socket.writeBytes(UNKNOWN_NAME)
    opening.socket.end()
  } catch (defect) {
    tellDefect(defect) // a pair that the supervisor has let pass and OpenSSL does not take
  }
  opening.refuse(TLS_SERVER_NAME)
  return null
}

// The opening stays the one that is counted and timed until the handshake is done.
function shake(
  opening: Opening,
  first: Buffer,
  security: ServerSecurity,
  done: (socket: SecureSocket) => void,
): void {
  opening.isShaking = true
  const secured = secureServer(opening.socket, first, security, (socket, code, reason) => {
    opening.socket = socket
    if (code === NONE) return done(socket)
    const { context, name } = opening.point
    if (context.plan.debug)
      context.say({ type: 'debug', message: `TLS handshake on ${name} failed: ${reason}` })
    opening.refuse(code)
  })
  opening.socket = secured
}

function factsOf(
  socket: SecureSocket,
  sni: string,
  options: TlsOptionsPlan,
  { clientAuth }: ServerSecurity,
): TlsFacts {
  const certificate = clientAuth === 'NoClientCert' ? null : socket.peerCertificate(false)
  return {
    version: socket.version,
    cipher: socket.cipher,
    sni,
    alpn: socket.alpn,
    options: options.name,
    policy: policyOf(options),
    resumed: socket.resumed,
    client: certificate === null ? null : clientCertificateOf(certificate, socket.isVerified),
  }
}
