// bench/load/echo.ts: one message in flight that is expected back as it was sent. A number in it tells the echo of
// this message from one that comes late. Pure.

export const ECHO_BYTES = 100

export type Echo = 'answer' | 'late' | 'wrong'

export class EchoExchange {
  readonly message = Buffer.alloc(ECHO_BYTES, 'x')
  sequence = 0
  startedAt = 0 // latency counts from the first try
  sentAt = 0 // of the last try; 0: nothing in flight

  next(now: number): Buffer {
    this.sequence = (this.sequence + 1) >>> 0
    this.message.writeUInt32BE(this.sequence, 0)
    this.startedAt = now
    this.sentAt = now
    return this.message
  }

  again(now: number): Buffer {
    this.sentAt = now
    return this.message
  }

  isOverdue(now: number, afterMs: number): boolean {
    return this.sentAt !== 0 && now - this.sentAt >= afterMs
  }

  // Another number is the echo of a message that was given up or sent twice; anything else is nobody's.
  take(bytes: Buffer): Echo {
    if (bytes.length !== ECHO_BYTES) return 'wrong'
    if (this.message.compare(bytes, 4, ECHO_BYTES, 4) !== 0) return 'wrong'
    if (this.sentAt === 0 || bytes.readUInt32BE(0) !== this.sequence) return 'late'
    this.sentAt = 0
    return 'answer'
  }
}
