// workers/stored-body.ts: sends a long body that lies in memory, as fast as its client reads.
//
// Owner:  the exchange, whose "server" it is until the last byte: what a client that can take more resumes, and what is
//         left when it goes away. Hot: for bodies longer than one piece; shorter ones are sent at once.

import type { Buffer } from 'node:buffer'
import type { LiveExchange } from './live-exchange.ts'
import { SpentServer } from './spent-server.ts'

export const PIECE_BYTES = 256 * 1024

type Send = (exchange: LiveExchange, bytes: Buffer, from: number, to: number) => boolean

export class StoredBody extends SpentServer {
  private readonly bytes: Buffer
  private readonly send: Send // false: wait until resume
  private readonly ended: (exchange: LiveExchange) => void
  private at = 0
  private sending = false

  constructor(bytes: Buffer, send: Send, ended: (exchange: LiveExchange) => void) {
    super()
    this.bytes = bytes
    this.send = send
    this.ended = ended
  }

  resume(exchange: LiveExchange): void {
    if (this.sending || exchange.upstream !== this) return
    this.sending = true
    const { bytes } = this
    let takesMore = true
    while (takesMore && this.at < bytes.length) {
      const from = this.at
      this.at = Math.min(bytes.length, from + PIECE_BYTES)
      takesMore = this.send(exchange, bytes, from, this.at)
      if (exchange.upstream !== this) return // the client went away within the call
    }
    this.sending = false
    if (!takesMore && this.at < bytes.length) return exchange.downstream?.flush(exchange)
    exchange.upstream = null
    this.ended(exchange)
  }
}
