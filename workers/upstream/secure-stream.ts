// workers/upstream/secure-stream.ts: an encrypted connection as the stream that node:http2 wants.
//
// Owner:  the H2Session that is laid upon it. Hot: yes, once per read and write of the connection.
//
// node:http2 takes over the handle of a net.Socket or a TLSSocket. Ours is neither, so its bytes go through a
// Duplex: one copy more per read, shared by all the streams that the read serves.

import { Buffer } from 'node:buffer'
import { Duplex } from 'node:stream'
import type { SecureSocket } from '../secure-socket.ts'
import type { SocketOwner } from '../socket.ts'

type Written = (fault?: Error | null) => void

export class SecureStream extends Duplex implements SocketOwner {
  bytesRead = 0
  private readonly socket: SecureSocket
  private written: Written | null = null // of the write that the kernel has not taken whole

  constructor(socket: SecureSocket) {
    super({ allowHalfOpen: false })
    this.socket = socket
    socket.owner = this
    socket.noDelay()
  }

  override _read(): void {
    this.socket.resume()
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: Written): void {
    if (this.socket.closed) return done(new Error('the connection is closed'))
    if (this.socket.writeBytes(bytes)) return done()
    this.written = done
  }

  override _final(done: Written): void {
    this.socket.end()
    done()
  }

  override _destroy(fault: Error | null, done: Written): void {
    this.socket.close()
    done(fault)
  }

  onBytes(bytes: Buffer, length: number): void {
    this.bytesRead += length
    if (!this.push(Buffer.from(bytes.subarray(0, length)))) this.socket.pause()
  }

  onEnd(): void {
    this.push(null)
  }

  onGone(reason: string): void {
    this.destroy(new Error(reason))
  }

  onWritable(): void {
    const done = this.written
    this.written = null
    done?.()
  }
}
