// workers/secure-socket.ts: a Socket whose bytes are encrypted. The only file that knows Node's TLS handles.
//
// Owner:  as of any Socket (socket.ts); while the handshake lasts there is none, and `done` is told its end.
// Memory: what OpenSSL needs, some 20 KiB while idle. Hot: yes, with TLS; the clear path never comes here.
//
//   secureServer(socket, first, options, done)   a client has sent `first`, the beginning of its hello
//   secureClient(socket, options, done)          an open connection to a server that speaks TLS
//
// Both take the raw socket over at once and answer with a SecureSocket, which may be closed at any time. `done` is
// called once, unless that was closed before: with 0 and the handshake verified, or with a code of core/errors.ts,
// and the socket closed. Inside done() the caller sets `owner` and calls resume(): until then nothing is read. As
// done() runs on OpenSSL's stack, it must not throw.
//
// Three facts about Node's handle (tls_wrap in the version that package.json pins) shape this file:
// - A write while another is under way aborts the process. So there is one at a time, and others wait in `queue`.
// - A write is never complete at once, even if the kernel took it: it is told in the next check phase. `held` says
//   whether the kernel took it, so that a fast reader is not taken for a slow one.
// - Pausing does not stop what was read already, up to 64 KiB: that waits in `stash`. So own() is refused as well.

import { Buffer } from 'node:buffer'
import type { SecureContext } from 'node:tls'
import { TLS_CLIENT_CERTIFICATE, TLS_HANDSHAKE, TLS_TIMEOUT } from '../core/errors.ts'
import { UPSTREAM_CERTIFICATE, UPSTREAM_TLS } from '../core/errors.ts'
import {
  END_OF_FILE,
  type Handle,
  Socket,
  type WriteRequest,
  WriteWrap,
  failFor,
  newShutdown,
  systemBinding,
  tellDefect,
} from './socket.ts'
import { type ClientAuthMode, clientFault } from './tls/client-auth.ts'
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

interface TlsHandle extends Handle {
  onhandshakestart: () => void
  onhandshakedone: () => void
  onerror: (fault: Error & { code?: string }) => void
  onnewsession: (id: Buffer, session: Buffer) => void
  start(): void
  receive(bytes: Uint8Array): void
  destroySSL(): void
  setVerifyMode(request: boolean, require: boolean): void
  setALPNProtocols(wire: Uint8Array): void
  setServername(name: string): void
  setSession(session: Buffer): void
  setOCSPResponse(answer: Uint8Array): void
  enableSessionCallbacks(): void
  verifyError(): (Error & { code?: string }) | null | undefined
  getPeerCertificate(withChain: boolean): PeerCertificate | undefined
  getProtocol(): string
  getCipher(): { name: string; standardName: string }
  getALPNNegotiatedProtocol(): string | false
  isSessionReused(): boolean
}

const { wrap } = systemBinding('tls_wrap') as {
  wrap(handle: Handle, context: unknown, isServer: boolean, isWriting: boolean): TlsHandle
}

const SHAKING = 0
const OPEN = 1
const SHUT = 2 // close_notify is out

// Node gives the kernel ten buffers of 16 KiB at a time; with less waiting, all of it was offered.
const OFFERED_BYTES = 160 * 1024

export class SecureSocket extends Socket {
  private readonly parent: Handle
  private readonly tls: TlsHandle
  private phase: typeof SHAKING | typeof OPEN | typeof SHUT = SHAKING
  private writing = false // OpenSSL has a write of ours
  private queue: (string | Uint8Array)[] = []
  private queuedBytes = 0
  private ending = false // end() waits for the write under way
  private closing = false // so does close()
  private inputEnded = false
  private stash: Buffer[] | null = null // bytes that came while nobody read
  private delivering = false // of the stash, is planned
  private onStack = false // below a callback of OpenSSL
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
    super(tls, null)
    this.parent = parent
    this.tls = tls
    this.done = done
    this.client = 'identity' in side ? side : null
    this.clientAuth = 'clientAuth' in side ? side.clientAuth : null
    parent.socket = this // keeps this object, and the wrap, as long as the handle is open
    tls.onhandshakestart = onHandshakeStart
    tls.onhandshakedone = onHandshakeDone
    tls.onerror = onTlsError
    if (side.timeoutMs > 0) this.timer = setTimeout(lateHandshake, side.timeoutMs, this)
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

  failHandshake(reason: string): void {
    this.settleHandshake(this.clientAuth === null ? UPSTREAM_TLS : TLS_HANDSHAKE, reason)
  }

  handshakeLate(): void {
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
    const certificate = this.peerCertificate(true)
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

  private stopTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
  }

  // ---- reading

  override onReadEvent(count: number): void {
    if (this.phase === SHAKING) {
      if (count < 0) this.failHandshake(count === END_OF_FILE ? 'EOF' : 'RESET')
      return
    }
    if (this.closed) return
    if (count > 0) {
      if (!this.reading || this.stash !== null || this.owner === null) this.keep(count)
      else super.onReadEvent(count)
      return
    }
    if (count === END_OF_FILE) {
      if (this.inputEnded) return // by close_notify, and again by FIN
      this.inputEnded = true
      if (this.stash !== null || this.owner === null) return
    }
    super.onReadEvent(count)
  }

  private keep(count: number): void {
    this.stash ??= []
    this.stash.push(Buffer.from(this.buffer.subarray(0, count)))
  }

  override resume(): void {
    super.resume()
    if (this.stash === null || this.delivering) return
    this.delivering = true
    process.nextTick(deliver, this)
  }

  deliverStash(): void {
    this.delivering = false
    const { stash } = this
    while (stash !== null && stash.length > 0) {
      const { owner } = this
      if (!this.reading || this.closed || owner === null) return
      const bytes = stash.shift()!
      owner.onBytes(bytes, bytes.length)
    }
    this.stash = null
    if (!this.inputEnded || this.closed) return
    this.reading = false
    this.owner?.onEnd()
  }

  override own(): boolean {
    return false
  }

  // ---- writing

  override get heldBytes(): number {
    if (this.held === 0 || this.closed) return 0
    const encrypted = this.tls.writeQueueSize
    const later = encrypted > OFFERED_BYTES ? encrypted - OFFERED_BYTES : 0
    return this.parent.writeQueueSize + later + this.queuedBytes
  }

  override writeText(text: string): boolean {
    if (this.closed || this.writeEnded) return false
    if (this.writing) return this.wait(text)
    const request = newRequest()
    return this.given(request, this.tls.writeLatin1String(request, text))
  }

  override writeBytes(bytes: Uint8Array): boolean {
    if (this.closed || this.writeEnded) return false
    if (this.writing) return this.wait(bytes)
    const request = newRequest()
    return this.given(request, this.tls.writeBuffer(request, bytes))
  }

  override writeParts(before: string, bytes: Uint8Array, after: string): boolean {
    if (this.closed || this.writeEnded) return false
    if (this.writing) {
      if (before !== '') this.wait(before)
      this.wait(bytes)
      return after === '' ? false : this.wait(after)
    }
    const chunks: unknown[] = []
    if (before !== '') chunks.push(before, 'latin1')
    chunks.push(bytes, 'buffer')
    if (after !== '') chunks.push(after, 'latin1')
    const request = newRequest()
    return this.given(request, this.tls.writev(request, chunks, false))
  }

  private wait(piece: string | Uint8Array): false {
    this.queue.push(piece)
    this.queuedBytes += piece.length
    this.held = 1
    return false
  }

  // True: the kernel has it, though its completion is told later.
  private given(request: WriteRequest, fault: number): boolean {
    if (fault !== 0) {
      this.failLater(fault)
      return false
    }
    request.socket = this
    this.writing = true
    const taken = this.parent.writeQueueSize === 0 && this.tls.writeQueueSize < OFFERED_BYTES
    if (!taken) this.held = 1
    return taken
  }

  written(status: number): void {
    this.writing = false
    if (this.closed) return this.closing ? this.closeNow() : undefined
    if (status < 0) return failFor(this, 'WRITE')
    if (this.queue.length > 0) this.writeQueued()
    if (
      this.writing &&
      (this.parent.writeQueueSize > 0 || this.tls.writeQueueSize >= OFFERED_BYTES)
    )
      return
    if (this.ending && !this.writing) this.shut()
    if (this.held === 0) return
    this.held = 0
    this.owner?.onWritable()
  }

  private writeQueued(): void {
    const { queue } = this
    this.queue = []
    this.queuedBytes = 0
    const request = newRequest()
    const { tls } = this
    const chunks: unknown[] = []
    for (const piece of queue) chunks.push(piece, typeof piece === 'string' ? 'latin1' : 'buffer')
    this.given(request, tls.writev(request, chunks, false))
  }

  // ---- endings

  override end(): void {
    if (this.closed || this.writeEnded) return
    this.writeEnded = true
    if (this.writing) this.ending = true
    else this.shut()
  }

  // close_notify, then FIN.
  private shut(): void {
    if (this.phase !== OPEN) return
    this.phase = SHUT
    const fault = this.tls.shutdown(newShutdown())
    if (fault !== 0 && !this.closed) this.failLater(fault)
  }

  // What the kernel took already is followed by close_notify; a peer that does not read gets none.
  override close(): void {
    if (this.closed) return
    this.closed = true
    this.owner = null
    this.stash = null
    this.done = null
    this.stopTimer()
    if (this.phase === OPEN && this.held === 0 && this.writing) this.closing = true
    else if (this.onStack) setImmediate(closeLater, this)
    else this.closeNow()
  }

  closeNow(): void {
    this.closing = false
    if (this.held === 0) this.shut()
    this.parent.close(onParentClosed)
  }

  override reset(): void {
    if (this.closed) return
    if (this.parent.reset === undefined) return this.close()
    this.closed = true
    this.owner = null
    this.stash = null
    this.done = null
    this.stopTimer()
    if (this.parent.reset(onParentClosed) !== 0) this.parent.close(onParentClosed)
  }

  // Pending writes refer to the wrap: without this they would never be collected.
  parentClosed(): void {
    this.tls.destroySSL()
    this.parent.socket = null
    this.tls.socket = null
  }

  // ---- what concerns the connection below

  override noDelay(): void {
    this.parent.setNoDelay?.(true)
  }

  override peer(out: { address?: string; port?: number }): void {
    this.parent.getpeername?.(out)
  }

  override local(out: { address?: string; port?: number }): void {
    this.parent.getsockname?.(out)
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

function onParentClosed(this: Handle): void {
  const socket = this.socket as SecureSocket | null
  socket?.parentClosed()
}

function onSecureWritten(this: WriteRequest, status: number): void {
  const socket = this.socket as SecureSocket | null
  this.socket = null
  if (socket === null) return
  try {
    socket.written(status)
  } catch (defect) {
    tellDefect(defect)
    failFor(socket, 'DEFECT')
  }
}

function verifyFault(fault: (Error & { code?: string }) | null | undefined): string {
  return fault ? (fault.code ?? 'UNVERIFIED') : ''
}

function newRequest(): WriteRequest {
  const request = new WriteWrap()
  request.oncomplete = onSecureWritten
  return request
}

function lateHandshake(socket: SecureSocket): void {
  socket.handshakeLate()
}

function closeLater(socket: SecureSocket): void {
  socket.closeNow()
}

function deliver(socket: SecureSocket): void {
  try {
    socket.deliverStash()
  } catch (defect) {
    tellDefect(defect)
    failFor(socket, 'DEFECT')
  }
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
