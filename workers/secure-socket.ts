// workers/secure-socket.ts: a Socket whose bytes are encrypted: its handshake. With tls/secure-stream.ts, which moves
// the bytes, the only file that knows Node's TLS handles.
//
// Owner:  as of any Socket (socket.ts); while the handshake lasts there is none, and `done` is told its end.
// Hot:    no, once per connection.
//
//   secureServer(socket, first, options, done)   a client has sent `first`, the beginning of its hello
//   secureClient(socket, options, done)          an open connection to a server that speaks TLS
//
// Both take the raw socket over at once and answer with a SecureSocket, which may be closed at any time. `done` is
// called once, unless that was closed before: with 0 and the handshake verified, or with a code of core/errors.ts,
// and the socket closed. Inside done() the caller sets `owner` and calls resume(): until then nothing is read. As
// done() runs on OpenSSL's stack, it must not throw.

import { Buffer } from 'node:buffer'
import type { SecureContext } from 'node:tls'
import { TLS_CLIENT_CERTIFICATE, TLS_HANDSHAKE, TLS_TIMEOUT } from '../core/errors.ts'
import { UPSTREAM_CERTIFICATE, UPSTREAM_TLS } from '../core/errors.ts'
import { whenDue } from './due.ts'
import { type Handle, type Socket, failFor, tellDefect } from './socket.ts'
import { type ClientAuthMode, clientFault } from './tls/client-auth.ts'
import { OPEN, SHAKING, SecureStream, type TlsHandle, wrap } from './tls/secure-stream.ts'
import { type PeerCertificate, type ServerIdentity, serverFault } from './tls/server-identity.ts'

export interface ServerSecurity {
  readonly context: SecureContext
  readonly alpn: Uint8Array | null // as on the wire (alpnWire); null answers no ALPN
  readonly clientAuth: ClientAuthMode
  readonly ocsp: Uint8Array | null // stapled if the client asks; a copy is not made
  readonly timeoutMs: number // 0: the caller sees to it
}

export interface ClientSecurity {
  readonly context: SecureContext
  readonly serverName: string // sent as SNI; '' for none (an address)
  readonly identity: ServerIdentity // what the certificate must say
  readonly alpn: Uint8Array | null
  readonly session: SavedSession | null // of an earlier connection; not used unless context and identity are the same
  readonly onSession: ((session: SavedSession) => void) | null // may come later, and more than once
  readonly timeoutMs: number
}

// A resumed handshake shows no certificate (OpenSSL keeps it where Node can't see it), so a session carries what it
// was verified for, and is of no use for anything else.
export interface SavedSession {
  readonly bytes: Buffer // secret
  readonly context: SecureContext
  readonly identity: ServerIdentity // the same object
  readonly notAfter: number // of the certificate, milliseconds
}

// code 0: the socket is ready. Otherwise it is closed already, and `reason` is for the log.
export type Secured = (socket: SecureSocket, code: number, reason: string) => void

export class SecureSocket extends SecureStream {
  private timer: NodeJS.Timeout | null = null
  private done: Secured | null
  private readonly clientAuth: ClientAuthMode | null // null for a connection to a server
  private readonly client: ClientSecurity | null
  private notAfter = 0 // of the server's certificate
  private earlySession: Buffer | null = null

  constructor(
    parent: Handle,
    tls: TlsHandle,
    side: ServerSecurity | ClientSecurity,
    done: Secured,
  ) {
    super(parent, tls)
    this.done = done
    this.client = 'identity' in side ? side : null
    this.clientAuth = 'clientAuth' in side ? side.clientAuth : null
    this.toServer = this.client !== null
    tls.onhandshakestart = onHandshakeStart
    tls.onhandshakedone = onHandshakeDone
    tls.onerror = onTlsError
    if (side.timeoutMs > 0) this.timer = whenDue(side.timeoutMs, () => this.handshakeLate())
    this.reading = true
    const fault = tls.readStart()
    if (fault !== 0) this.failLater(fault)
  }

  // ---- facts; valid from done() on, as long as the socket is not closed

  get version(): string {
    return this.tls.getProtocol()
  }

  get cipher(): string {
    return this.tls.getCipher().standardName
  }

  get alpn(): string {
    return this.tls.getALPNNegotiatedProtocol() || ''
  }

  get resumed(): boolean {
    return this.tls.isSessionReused()
  }

  // Null when the peer has shown none.
  peerCertificate(withChain: boolean): PeerCertificate | null {
    const certificate = this.tls.getPeerCertificate(withChain)
    return certificate === undefined || certificate.raw === undefined ? null : certificate
  }

  get isVerified(): boolean {
    return !this.tls.verifyError()
  }

  // ---- the handshake

  settleHandshake(code: number, reason: string): void {
    const done = this.done
    if (done === null) return
    this.done = null
    this.stopTimer()
    if (code !== 0) this.close()
    try {
      done(this, code, reason)
    } catch (defect) {
      tellDefect(defect)
      this.close()
    }
  }

  protected override failHandshake(reason: string): void {
    this.settleHandshake(this.clientAuth === null ? UPSTREAM_TLS : TLS_HANDSHAKE, reason)
  }

  private handshakeLate(): void {
    this.settleHandshake(this.clientAuth === null ? UPSTREAM_TLS : TLS_TIMEOUT, 'TIMEOUT')
  }

  handshakeDone(): void {
    if (this.phase !== SHAKING || this.closed) return
    this.phase = OPEN
    this.pause()
    this.onStack = true
    const fault = this.peerFault()
    const code = this.clientAuth === null ? UPSTREAM_CERTIFICATE : TLS_CLIENT_CERTIFICATE
    this.settleHandshake(fault === '' ? 0 : code, fault)
    this.onStack = false
    if (this.earlySession !== null) this.newSession(this.earlySession)
    this.earlySession = null
  }

  // Node lets every handshake succeed; the verdict is ours, and it is asked for resumed ones too.
  private peerFault(): string {
    const { client, clientAuth } = this
    if (clientAuth === 'NoClientCert') return ''
    const fault = verifyFault(this.tls.verifyError())
    const withChain = client !== null && client.identity.trustDomains !== null
    const certificate = this.peerCertificate(withChain)
    if (client === null)
      return clientFault(clientAuth!, certificate, fault, this.resumed, Date.now())
    if (certificate === null && client.session !== null && this.resumed) {
      this.notAfter = client.session.notAfter
      return client.identity.insecure ? '' : fault
    }
    this.notAfter = certificate === null ? 0 : Date.parse(certificate.valid_to)
    return serverFault(client.identity, certificate, fault)
  }

  tlsError(fault: Error & { code?: string }): void {
    const reason = fault.code ?? fault.message
    if (this.phase === SHAKING) this.failHandshake(reason)
    else setImmediate(failFor, this, reason) // OpenSSL is still at it
  }

  // Renegotiation, which our contexts forbid; TLS 1.3 has none.
  handshakeStarted(): void {
    if (this.phase !== SHAKING) setImmediate(failFor, this, 'RENEGOTIATION')
  }

  // TLS 1.2 has its session before we have looked at the certificate.
  newSession(bytes: Buffer): void {
    const { client } = this
    if (this.closed || client === null || client.onSession === null) return
    if (this.phase === SHAKING) {
      this.earlySession = bytes
      return
    }
    const { context, identity } = client
    client.onSession({ bytes, context, identity, notAfter: this.notAfter })
  }

  protected override forgetHandshake(): void {
    this.done = null
    this.stopTimer()
  }

  private stopTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
  }
}

// ---- callbacks of the handles, shared by all

function onHandshakeStart(this: Handle): void {
  const socket = this.socket as SecureSocket | null
  socket?.handshakeStarted()
}

function onHandshakeDone(this: Handle): void {
  const socket = this.socket as SecureSocket | null
  try {
    socket?.handshakeDone()
  } catch (defect) {
    tellDefect(defect)
    socket?.close()
  }
}

function onTlsError(this: Handle, fault: Error & { code?: string }): void {
  const socket = this.socket as SecureSocket | null
  socket?.tlsError(fault)
}

function onNewSession(this: Handle, _id: Buffer, session: Buffer): void {
  const socket = this.socket as SecureSocket | null
  try {
    socket?.newSession(session)
  } catch (defect) {
    tellDefect(defect)
  }
}

function verifyFault(fault: (Error & { code?: string }) | null | undefined): string {
  return fault ? (fault.code ?? 'UNVERIFIED') : ''
}

// ---- the two ways in

export function secureServer(
  socket: Socket,
  first: Uint8Array | null,
  security: ServerSecurity,
  done: Secured,
): SecureSocket {
  const parent = socket.release()
  const tls = wrap(parent, security.context.context, true, false)
  const { clientAuth } = security
  const isRequired =
    clientAuth === 'RequireAnyClientCert' || clientAuth === 'RequireAndVerifyClientCert'
  tls.setVerifyMode(clientAuth !== 'NoClientCert', isRequired)
  if (security.alpn !== null) tls.setALPNProtocols(security.alpn)
  if (security.ocsp !== null) tls.setOCSPResponse(security.ocsp)
  const secured = new SecureSocket(parent, tls, security, done)
  secured.presented = socket.presented
  if (first !== null) tls.receive(first)
  return secured
}

export function secureClient(
  socket: Socket,
  security: ClientSecurity,
  done: Secured,
): SecureSocket {
  const parent = socket.release()
  const tls = wrap(parent, security.context.context, false, false)
  tls.setVerifyMode(true, !security.identity.insecure)
  if (security.serverName !== '') tls.setServername(security.serverName)
  if (security.alpn !== null) tls.setALPNProtocols(security.alpn)
  if (isUsable(security, Date.now())) tls.setSession(security.session!.bytes)
  if (security.onSession !== null) {
    tls.onnewsession = onNewSession
    tls.enableSessionCallbacks()
  }
  const secured = new SecureSocket(parent, tls, security, done)
  tls.start()
  return secured
}

function isUsable({ session, context, identity }: ClientSecurity, now: number): boolean {
  if (session === null || session.context !== context) return false
  return session.identity === identity && session.notAfter > now
}

// ['h2', 'http/1.1'] as TLS writes it: each name behind its length.
export function alpnWire(protocols: readonly string[]): Uint8Array | null {
  if (protocols.length === 0) return null
  return Buffer.concat(
    protocols.map((name) => Buffer.concat([Buffer.of(name.length), Buffer.from(name, 'latin1')])),
  )
}
