// workers/frames-out.ts: what goes out on one HTTP/2 connection: frames, gathered for one write.
//
// Owner:  the connection, of a client or to a server.
// Memory: a buffer from the worker's pool, only while something is in it. It goes back when its write was taken
//         whole; one that the kernel did not take is left to that write.
// Hot:    yes. Whatever all streams of a connection say in one turn of the event loop leaves in one write: the
//         answers of many servers arrive in one turn, and a write per answer was the dearest part of them.

import { Buffer } from 'node:buffer'
import { END_STREAM, HEADER_BYTES } from '../core/h2/frames.ts'
import { type Socket, tellDefect } from './socket.ts'

const OUT_BYTES = 64 * 1024
const POOL_MAX = 32
const COPY_MAX = 8 * 1024 // a write that has to wait takes a copy rather than the whole buffer

const pool: Buffer[] = []
const nothing = Buffer.alloc(0)
let waiting: Out[] = []
let spareList: Out[] = []

export class Out {
  serial = 0 // of the buffer: a place in it is valid as long as this is the same
  private bytes: Buffer = nothing
  private length = 0
  private scheduled = false
  private waited = false // the last write was not taken at once: a slow reader, or TLS
  private readonly socket: Socket

  constructor(socket: Socket) {
    this.socket = socket
  }

  // Writes the header of a frame and makes room for its payload, which the caller writes at the returned place
  // of `payload`. At most OUT_BYTES.
  begin(type: number, flags: number, streamId: number, length: number): number {
    if (this.length + HEADER_BYTES + length > this.bytes.length) this.renew()
    if (!this.scheduled) this.schedule()
    const { bytes } = this
    let at = this.length
    bytes[at++] = length >>> 16
    bytes[at++] = (length >>> 8) & 255
    bytes[at++] = length & 255
    bytes[at++] = type
    bytes[at++] = flags
    bytes[at++] = streamId >>> 24
    bytes[at++] = (streamId >>> 16) & 255
    bytes[at++] = (streamId >>> 8) & 255
    bytes[at++] = streamId & 255
    this.length = at + length
    return at
  }

  get payload(): Buffer {
    return this.bytes
  }

  // Whether the frame whose payload begins at `at`, in buffer `serial`, is still here; then it ends its stream.
  endWith(at: number, serial: number): boolean {
    if (serial !== this.serial || this.length === 0) return false
    const flags = at - 5
    this.bytes[flags] = this.bytes[flags]! | END_STREAM
    return true
  }

  private renew(): void {
    this.flush()
    if (this.bytes.length === 0) this.bytes = pool.pop() ?? Buffer.allocUnsafeSlow(OUT_BYTES)
  }

  private schedule(): void {
    this.scheduled = true
    if (waiting.length === 0) setImmediate(flushAll)
    waiting.push(this)
  }

  flushScheduled(): void {
    this.scheduled = false
    this.flush()
  }

  flush(): void {
    if (this.length === 0) return
    const { bytes, length, socket } = this
    const { held } = socket
    this.serial++
    this.length = 0
    if (this.waited && length <= COPY_MAX) {
      socket.writeBytes(Buffer.from(bytes.subarray(0, length)))
      this.waited = socket.held > held
      return
    }
    socket.writeBytes(bytes.subarray(0, length))
    this.waited = socket.held > held
    this.bytes = nothing
    if (!this.waited && pool.length < POOL_MAX) pool.push(bytes)
  }

  // What was not written is not wanted any more.
  drop(): void {
    this.serial++
    this.length = 0
    if (this.bytes.length > 0 && pool.length < POOL_MAX) pool.push(this.bytes)
    this.bytes = nothing
  }
}

function flushAll(): void {
  const list = waiting
  waiting = spareList
  spareList = list
  for (const out of list) {
    try {
      out.flushScheduled()
    } catch (defect) {
      tellDefect(defect)
    }
  }
  list.length = 0
}
