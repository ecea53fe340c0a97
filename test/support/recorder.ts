// test/support/recorder.ts: an owner of a Socket that remembers what it was told, and can wait for it.

import type { Socket, SocketOwner } from '../../workers/socket.ts'

export class Recorder implements SocketOwner {
  received = ''
  ended = false
  gone = ''
  writable = 0
  onWrite: (() => void) | null = null
  readonly socket: Socket
  private wake: (() => void) | null = null

  constructor(socket: Socket) {
    this.socket = socket
    socket.owner = this
    socket.resume()
  }

  onBytes(bytes: Buffer, length: number): void {
    this.received += bytes.latin1Slice(0, length)
    this.wake?.()
  }

  onEnd(): void {
    this.ended = true
    this.wake?.()
  }

  onGone(reason: string): void {
    this.gone = reason
    this.wake?.()
  }

  onWritable(): void {
    this.writable++
    this.onWrite?.()
    this.wake?.()
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }
}
