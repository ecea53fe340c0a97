// workers/tls/secure-stream.ts: the half of a SecureSocket that moves bytes: reading, writing, endings.
//
// Owner:  see secure-socket.ts, which is the handshake and the same object. Memory: what OpenSSL needs, some 20 KiB
//         while idle. Hot: yes, with TLS; the clear path never comes here.
//
// Three facts about Node's handle (tls_wrap in the version that package.json pins) shape this file:
// - A write while another is under way aborts the process. So there is one at a time, and others wait in `queue`.
// - A write is never complete at once, even if the kernel took it: it is told in the next check phase. `held` says
//   whether the kernel took it, so that a fast reader is not taken for a slow one.
// - Pausing does not stop what was read already, up to 64 KiB: that waits in `stash`. So own() is refused as well.

import { Buffer } from 'node:buffer'
import {
  END_OF_FILE,
  type Handle,
  type WriteRequest,
  WriteWrap,
  systemBinding,
} from '../handles.ts'
import { KEEP_ALIVE_SECONDS, Socket, failFor, newShutdown, tellDefect } from '../socket.ts'
import type { PeerCertificate } from './server-identity.ts'

export interface TlsHandle extends Handle {
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

export const { wrap } = systemBinding('tls_wrap') as {
  wrap(handle: Handle, context: unknown, isServer: boolean, isWriting: boolean): TlsHandle
}

export const SHAKING = 0
export const OPEN = 1
export const SHUT = 2 // close_notify is out

// Node gives the kernel ten buffers of 16 KiB at a time; with less waiting, all of it was offered.
const OFFERED_BYTES = 160 * 1024

export abstract class SecureStream extends Socket {
  protected readonly parent: Handle
  protected readonly tls: TlsHandle
  protected phase: typeof SHAKING | typeof OPEN | typeof SHUT = SHAKING
  protected onStack = false // below a callback of OpenSSL
  private writing = false // OpenSSL has a write of ours
  private giving = false // it is being given one
  private queue: (string | Uint8Array)[] = []
  private queuedBytes = 0
  private ending = false // end() waits for the write under way
  private closing = false // so does close()
  private inputEnded = false
  private stash: Buffer[] | null = null // bytes that came while nobody read
  private delivering = false // of the stash, is planned

  constructor(parent: Handle, tls: TlsHandle) {
    super(tls, null)
    this.parent = parent
    this.tls = tls
    parent.socket = this // keeps this object, and the wrap, as long as the handle is open
  }

  // The connection ended before the handshake did.
  protected abstract failHandshake(reason: string): void
  // Nobody waits for the handshake any more.
  protected abstract forgetHandshake(): void

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
    return this.given(this.tls.writeLatin1String(this.request(), text))
  }

  override writeBytes(bytes: Uint8Array): boolean {
    if (this.closed || this.writeEnded) return false
    if (this.writing) return this.wait(bytes)
    return this.given(this.tls.writeBuffer(this.request(), bytes))
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
    return this.given(this.tls.writev(this.request(), chunks, false))
  }

  private wait(piece: string | Uint8Array): false {
    this.queue.push(piece)
    this.queuedBytes += piece.length
    this.held++
    return false
  }

  // Knows its socket before it is given away: a write to a peer that has reset completes within the call.
  private request(): WriteRequest {
    const request = new WriteWrap()
    request.oncomplete = onSecureWritten
    request.socket = this
    this.writing = true
    this.giving = true
    return request
  }

  // True: the kernel has it, though its completion is told later.
  private given(fault: number): boolean {
    this.giving = false
    if (fault !== 0) {
      this.writing = false
      this.failLater(fault)
      return false
    }
    if (!this.writing) return this.held === 0 // complete, or failed, already
    const taken = this.isOffered()
    if (!taken) this.held++
    return taken
  }

  written(status: number): void {
    this.writing = false
    if (this.giving) {
      if (status < 0) this.failLater(status) // nobody is called back from a write of its own
      return
    }
    if (this.closed) return this.closing ? this.closeAfter(status) : undefined
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
    const chunks: unknown[] = []
    for (const piece of queue) chunks.push(piece, typeof piece === 'string' ? 'latin1' : 'buffer')
    this.given(this.tls.writev(this.request(), chunks, false))
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
    this.forgetHandshake()
    if (this.phase === OPEN && this.writing && this.isOffered()) this.closing = true
    else if (this.onStack) setImmediate(closeLater, this)
    else this.closeNow()
  }

  // The kernel has all that OpenSSL was given: its completion comes in the next check phase, whatever the peer does.
  private isOffered(): boolean {
    return this.parent.writeQueueSize === 0 && this.tls.writeQueueSize < OFFERED_BYTES
  }

  // What waited only for its turn goes out as well; what the kernel does not take is dropped, as with any close.
  private closeAfter(status: number): void {
    if (status >= 0 && this.queue.length > 0 && this.queuedBytes < OFFERED_BYTES) {
      this.writeQueued()
      if (this.writing && this.isOffered()) return
    }
    this.closeNow()
  }

  closeNow(): void {
    this.closing = false
    if (!this.writing) this.shut()
    this.parent.close(onParentClosed)
  }

  override reset(): void {
    if (this.closed) return
    if (this.parent.reset === undefined) return this.close()
    this.closed = true
    this.owner = null
    this.stash = null
    this.forgetHandshake()
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

  override settle(keepAliveSeconds = KEEP_ALIVE_SECONDS): void {
    if (this.settled || this.closed) return
    this.settled = true
    this.parent.setKeepAlive?.(true, keepAliveSeconds)
  }

  protected override askPeer(out: { address?: string; port?: number }): void {
    this.parent.getpeername?.(out)
  }

  protected override askLocal(out: { address?: string; port?: number }): void {
    this.parent.getsockname?.(out)
  }
}

// ---- callbacks, shared by all

function onParentClosed(this: Handle): void {
  const socket = this.socket as SecureStream | null
  socket?.parentClosed()
}

function onSecureWritten(this: WriteRequest, status: number): void {
  const socket = this.socket as SecureStream | null
  this.socket = null
  if (socket === null) return
  try {
    socket.written(status)
  } catch (defect) {
    tellDefect(defect)
    failFor(socket, 'DEFECT')
  }
}

function closeLater(socket: SecureStream): void {
  socket.closeNow()
}

function deliver(socket: SecureStream): void {
  try {
    socket.deliverStash()
  } catch (defect) {
    tellDefect(defect)
    failFor(socket, 'DEFECT')
  }
}
