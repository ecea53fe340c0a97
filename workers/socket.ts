// workers/socket.ts: one TCP or unix socket, as thin as Node lets it be. dial-socket.ts makes those
// to servers, secure-socket.ts an encrypted one of it; handles.ts says who else works with handles.
//
// Owner:  a downstream or upstream connection, which implements SocketOwner.
// Memory: bytes are read into one buffer per worker; what a callback gets is valid until it returns. A
//         connection that moves a large body asks for a buffer of its own (own()), so that slices of it can
//         be written without a copy while reading is paused.
// Hot:    yes. Two reads and two writes per request.
//
// Why not net.Socket: measured with the same sketch on both, one pinned core, 64 connections: 10.8 against
// 12.1 microseconds of CPU per request, and 1.7 against 3.5 KiB per idle connection. The streams that cost
// that buy us nothing: we never buffer in them. test/behaviour/slow/slow-readers.test.ts and
// test/engine fail when an update of Node changes the handles.

import { Buffer } from 'node:buffer'
import { getSystemErrorName } from 'node:util'
import { OWNED_BUFFERS_MAX, OWNED_BUFFER_BYTES, READ_BUFFER_BYTES } from '../core/limits.ts'
import { Departures } from './departures.ts'
import type { Rounded } from './rounds.ts'
import {
  END_OF_FILE,
  type Handle,
  READ,
  ShutdownWrap,
  WAS_ASYNC,
  WriteWrap,
  type WriteRequest,
  state,
} from './handles.ts'

export type { Handle } from './handles.ts'

export interface SocketOwner {
  // bytes[0..length) is valid only during the call, unless the socket has a buffer of its own.
  onBytes(bytes: Buffer, length: number): void
  onEnd(): void // the peer will send no more; we may still write
  onGone(reason: string): void // the socket failed ('ECONNRESET') and is closed already
  onWritable(): void // all that was held has been written
}

const shared = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES)
const spareBuffers: Buffer[] = []
let buffersGiven = 0
const departures = new Departures()
let spareWrite: WriteRequest | null = null

export const KEEP_ALIVE_SECONDS = 15 // then a half-open peer is noticed within two and a half minutes

// Whom a PROXY header names in place of the two ends of the connection.
export interface Presented {
  readonly address: string
  readonly port: number
  readonly localAddress: string
  readonly localPort: number
}

export class Socket implements Rounded {
  owner: SocketOwner | null
  held = 0 // writes that the kernel has not taken whole
  closed = false
  reading = false // its owner wants to; see `resting`
  roundIndex = -1 // as `resting`: rounds.ts
  resting = false // not its turn to be read
  writeEnded = false
  ownsBuffer = false
  toServer = false // we have dialled it
  private endedWith = 0 // a code while its end is known and not told yet
  protected readonly handle: Handle
  presented: Presented | null = null // set before anybody asks for the peer
  protected settled = false // TCP keep-alive is on
  lent = false // a slice of our own buffer waits in somebody else's write
  protected buffer: Buffer = shared

  constructor(handle: Handle, owner: SocketOwner | null) {
    this.handle = handle
    this.owner = owner
    handle.socket = this
    handle.onread = onRead
    handle.useUserBuffer(shared)
  }

  // Bytes that wait for a slow reader; the kernel's own buffers not counted.
  get heldBytes(): number {
    return this.held === 0 ? 0 : this.handle.writeQueueSize
  }

  resume(): void {
    if (this.reading || this.closed) return
    this.reading = true
    if (!this.resting) this.startReading()
  }

  private startReading(): void {
    const fault = this.handle.readStart()
    if (fault !== 0) this.failLater(fault)
  }

  pause(): void {
    if (!this.reading || this.closed) return
    this.reading = false
    this.handle.readStop()
  }

  rest(): void {
    if (this.resting || this.closed) return
    this.resting = true
    if (this.reading) this.handle.readStop()
  }

  wake(): void {
    if (!this.resting) return
    this.resting = false
    if (this.reading && !this.closed) this.startReading()
  }

  noDelay(): void {
    this.handle.setNoDelay?.(true)
  }

  // Called when a connection has been quiet for a while: it gives its buffer back, and the kernel begins to
  // ask whether the peer is still there. Short connections never pay the four system calls of that.
  settle(keepAliveSeconds = KEEP_ALIVE_SECONDS): void {
    this.disown()
    if (this.settled || this.closed) return
    this.settled = true
    this.handle.setKeepAlive?.(true, keepAliveSeconds)
  }

  peer(out: { address?: string; port?: number }): void {
    if (this.presented === null) return this.askPeer(out)
    out.address = this.presented.address
    out.port = this.presented.port
  }

  local(out: { address?: string; port?: number }): void {
    if (this.presented === null) return this.askLocal(out)
    out.address = this.presented.localAddress
    out.port = this.presented.localPort
  }

  protected askPeer(out: { address?: string; port?: number }): void {
    this.handle.getpeername?.(out)
  }

  protected askLocal(out: { address?: string; port?: number }): void {
    this.handle.getsockname?.(out)
  }

  // latin1: one byte per character. Returns false when part of it had to wait: stop, and go on at onWritable.
  writeText(text: string): boolean {
    if (this.closed) return false
    const request = spareWrite ?? newWrite()
    spareWrite = null
    return this.sent(request, this.handle.writeLatin1String(request, text), null)
  }

  // The bytes must stay as they are until onWritable when false is returned.
  writeBytes(bytes: Uint8Array): boolean {
    if (this.closed) return false
    const request = spareWrite ?? newWrite()
    spareWrite = null
    return this.sent(request, this.handle.writeBuffer(request, bytes), bytes)
  }

  // Text, bytes, text in one system call; either text may be empty.
  writeParts(before: string, bytes: Uint8Array, after: string): boolean {
    if (this.closed) return false
    const chunks: unknown[] = []
    if (before !== '') chunks.push(before, 'latin1')
    chunks.push(bytes, 'buffer')
    if (after !== '') chunks.push(after, 'latin1')
    const request = spareWrite ?? newWrite()
    spareWrite = null
    return this.sent(request, this.handle.writev(request, chunks, false), bytes)
  }

  // A request object that completed at once was never given to libuv, so the next write wears it again.
  private sent(request: WriteRequest, fault: number, bytes: Uint8Array | null): boolean {
    if (fault !== 0) {
      spareWrite = request
      this.failLater(fault)
      return false
    }
    if (state[WAS_ASYNC] === 0) {
      spareWrite = request
      return this.held === 0
    }
    request.socket = this
    request.bytes = bytes
    this.held++
    return false
  }

  // Gives the handle away, with what it has not read yet; this object is of no use any more.
  release(): Handle {
    this.pause()
    this.giveBack()
    this.closed = true
    this.owner = null
    this.handle.socket = null
    return this.handle
  }

  // Half-close: what was written is still delivered.
  end(): void {
    if (this.closed || this.writeEnded) return
    this.writeEnded = true
    if (this.held === 0) this.shutDown()
  }

  // Not before all is written: while a shutdown waits behind writes libuv refuses to reset, and a peer that is given up
  // would take the part for the whole.
  shutDown(): void {
    const fault = this.handle.shutdown(newShutdown())
    if (fault !== 0) this.failLater(fault)
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.giveBack()
    this.owner = null
    this.handle.close()
  }

  // Closes with a reset: the peer can't take what it got for complete.
  reset(): void {
    if (this.closed) return
    if (this.handle.reset === undefined) return this.close()
    this.closed = true
    this.giveBack()
    this.owner = null
    if (this.handle.reset() !== 0) this.handle.close()
  }

  // Reads into a buffer of this connection's own from the next read on. False when none is to be had.
  own(): boolean {
    if (this.ownsBuffer) return true
    if (this.closed) return false
    let buffer = spareBuffers.pop()
    if (buffer === undefined) {
      if (buffersGiven >= OWNED_BUFFERS_MAX) return false
      buffersGiven++
      buffer = Buffer.allocUnsafeSlow(OWNED_BUFFER_BYTES)
    }
    this.buffer = buffer
    this.ownsBuffer = true
    this.handle.useUserBuffer(buffer)
    return true
  }

  // Whether `bytes`, of the current callback, lie in this connection's own buffer. Not true of the rest of a
  // callback that began in the shared one, whatever own() was asked for meanwhile.
  owns(bytes: Buffer): boolean {
    return this.ownsBuffer && bytes === this.buffer
  }

  disown(): void {
    if (!this.ownsBuffer) return
    this.giveBack()
    if (!this.closed) this.handle.useUserBuffer(shared)
  }

  protected giveBack(): void {
    if (!this.ownsBuffer) return
    if (this.lent) buffersGiven-- // left to the write that still reads it; memory is freed after that
    else spareBuffers.push(this.buffer)
    this.lent = false
    this.buffer = shared
    this.ownsBuffer = false
  }

  // Faults are told after the current callback, so that an owner is never called back from its own write.
  protected failLater(fault: number): void {
    process.nextTick(fail, this, fault)
  }

  onReadEvent(count: number): void {
    const { owner } = this
    if (owner === null) return
    if (count > 0) owner.onBytes(this.buffer, count)
    else if (count < 0 && this.endedWith === 0) {
      // An idle connection whose server has left is told at once: the next request would be sent on it.
      if (this.toServer || departures.admits(this)) this.tellEnd(count)
      else this.endedWith = count
    }
  }

  // Some turns after the kernel has told it; whoever was given the handle meanwhile has read it for himself.
  depart(): void {
    const count = this.endedWith
    this.endedWith = 0
    try {
      this.tellEnd(count)
    } catch (defect) {
      giveUp(this, defect)
    }
  }

  private tellEnd(count: number): void {
    if (this.owner === null) return
    if (count !== END_OF_FILE) return fail(this, count)
    this.reading = false
    this.owner.onEnd()
  }
}

function onRead(this: Handle): void {
  const count = state[READ]!
  const socket = this.socket
  if (socket === null) return
  try {
    socket.onReadEvent(count)
  } catch (defect) {
    giveUp(socket, defect)
  }
}

// This connection ends, the worker goes on.
function giveUp(socket: Socket, defect: unknown): void {
  reportDefect(defect)
  fail(socket, -71) // EPROTO
}

function fail(socket: Socket, fault: number): void {
  failFor(socket, getSystemErrorName(fault))
}

// Closes the socket and tells its owner why.
export function failFor(socket: Socket, reason: string): void {
  const owner = socket.owner
  if (socket.closed) return
  socket.close()
  try {
    owner?.onGone(reason)
  } catch (defect) {
    reportDefect(defect)
  }
}

function newWrite(): WriteRequest {
  const request = new WriteWrap()
  request.socket = null
  request.bytes = null
  request.oncomplete = onWritten
  return request
}

function onWritten(this: WriteRequest, status: number): void {
  const socket = this.socket
  this.socket = null
  this.bytes = null
  if (socket === null || socket.closed) return
  socket.held--
  if (status < 0) return fail(socket, status)
  if (socket.held > 0) return
  if (socket.writeEnded) socket.shutDown()
  if (socket.owner === null) return
  try {
    socket.owner.onWritable()
  } catch (defect) {
    giveUp(socket, defect)
  }
}

export function newShutdown(): object {
  const request = new ShutdownWrap()
  request.oncomplete = ignore
  return request
}

function ignore(): void {}

let reportDefect: (defect: unknown) => void = (defect) => {
  throw defect
}

// Where a throw in a callback is told; a worker installs its logger and counter here.
export function onDefect(report: (defect: unknown) => void): void {
  reportDefect = report
}

// For callbacks of an engine that has sockets of its own.
export function tellDefect(defect: unknown): void {
  reportDefect(defect)
}
