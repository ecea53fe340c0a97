// workers/tcp/side.ts: one of the two sockets of a relayed connection, and what passes from it to the other.
//
// Owner:  its relay. Bytes pass as they come and are never looked at.
// Memory: short pieces are copied as text. A socket that brings much gets a buffer of its own (socket.ts), whose
//         slices are written without a copy; it is not read on before they are written. At the most
//         heldBytesMax of copies wait for a slow reader, and then its peer is paused.
// Hot:    yes. One read and one write per piece.

import { Buffer } from 'node:buffer'
import type { SeriesTable } from '../../core/shared/series.ts'
import { REQUESTS } from '../../core/shared/series.ts'
import type { Socket, SocketOwner } from '../socket.ts'

const TEXT_MAX = 8 * 1024
const OWN_FROM_BYTES = 16 * 1024 // a piece as long as this is hardly the only one

// What a side tells its relay.
export interface Relaying {
  activeAt: number
  readonly open: boolean // bytes pass
  readonly heldBytesMax: number
  now(): number
  early(side: RelaySide, bytes: Buffer, length: number): void // somebody spoke before bytes pass
  ended(): void // a side will send no more
  gone(side: RelaySide, reason: string): void
  wrote(): void // a side has written all that was held
}

export class RelaySide implements SocketOwner {
  socket: Socket | null = null // null until it is open
  other: RelaySide = this // set once, by the relay
  hasEnded = false // the peer will send no more
  bytes = 0 // that came from the peer
  heldBefore = 0 // bytes that waited for the peer at the last look
  progressAt = 0 // when they were last others
  private readonly relay: Relaying
  private readonly series: SeriesTable
  block = 0 // of `series`: counts bytes

  constructor(relay: Relaying, series: SeriesTable) {
    this.relay = relay
    this.series = series
  }

  onBytes(bytes: Buffer, length: number): void {
    const { relay } = this
    if (!relay.open) return relay.early(this, bytes, length)
    relay.activeAt = relay.now()
    this.count(length)
    const from = this.socket!
    const to = this.other.socket!
    if (from.owns(bytes)) {
      if (to.writeBytes(bytes.subarray(0, length))) return
      from.lent = true
      return from.pause()
    }
    if (length >= OWN_FROM_BYTES) from.own()
    if (copyTo(to, bytes, length) || to.heldBytes < relay.heldBytesMax) return
    from.pause()
  }

  count(length: number): void {
    this.bytes += length
    this.series.add(this.block, REQUESTS, length)
  }

  onWritable(): void {
    const { other, relay } = this
    relay.activeAt = relay.now()
    if (other.socket !== null) {
      other.socket.lent = false
      if (relay.open && !other.hasEnded) other.socket.resume()
    }
    relay.wrote()
  }

  // Half-close: what was written to the other side is still delivered, and it may still answer.
  onEnd(): void {
    this.hasEnded = true
    this.relay.activeAt = this.relay.now()
    this.other.socket?.end()
    this.relay.ended()
  }

  onGone(reason: string): void {
    this.relay.gone(this, reason)
  }

  get held(): boolean {
    return this.socket !== null && this.socket.held > 0
  }

  // Bytes wait for the peer, and it has taken none of them for `limitMs` (0: no limit).
  isStalled(now: number, limitMs: number): boolean {
    const waiting = this.socket === null ? 0 : this.socket.heldBytes
    if (waiting === 0 || waiting !== this.heldBefore) {
      this.heldBefore = waiting
      this.progressAt = now
      return false
    }
    return limitMs > 0 && now - this.progressAt > limitMs
  }
}

function copyTo(to: Socket, bytes: Buffer, length: number): boolean {
  if (length <= TEXT_MAX) return to.writeText(bytes.latin1Slice(0, length))
  return to.writeBytes(Buffer.from(bytes.subarray(0, length)))
}
