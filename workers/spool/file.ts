// workers/spool/file.ts: one body in a file that has no name: written as it comes, then read as often as it is sent.
//
// Owner:  the exchange (workers/spooling.ts, workers/response-file.ts), which closes it however it ends; nothing is told
//         after that.
// Hot:    for bodies that are longer than memory may hold. One fs call at a time, so positions are never in doubt, and
//         the descriptor is closed when the one under way has come back: closed before, its number could be another file's.

import { Buffer } from 'node:buffer'
import { close, read, writev } from 'node:fs'
import { INTERNAL, NONE, SPOOL_FAILED, SPOOL_FULL } from '../../core/errors.ts'
import { SPOOL_BLOCK } from '../../core/shared/spool-budget.ts'
import { tellDefect } from '../socket.ts'
import { openUnnamed } from './open.ts'

export const SPOOL_PIECE = 64 * 1024
const WAITING_MAX = 256 * 1024 // bytes that wait for the disk; who sends them is paused then
const PIECES_MAX = 1024 // as many pieces likewise: each costs more than the byte that it may be

// What a file asks of its folder (spool.ts).
export interface SpoolPlace {
  readonly directory: string
  readonly budget: { take(): boolean; giveBack(blocks: number): void }
  takesDescriptor(descriptor: number): boolean
  refused(code: number, error: NodeJS.ErrnoException | null): void
}

// Whose body it is. Never called within append, end or pull.
export interface SpoolOwner {
  writable(): void // append may go on
  written(): void // after end: all of it is in the file
  piece(bytes: Buffer, length: number): void // valid during the call
  failed(code: number): void
}

export class SpoolFile {
  fault = NONE
  bytes = 0 // that were appended
  private readonly place: SpoolPlace
  private readonly owner: SpoolOwner
  private descriptor = -1
  private busy = true // an fs call is under way
  private closed = false
  private blocks = 0
  private waiting: Uint8Array[] = []
  private waitingBytes = 0
  private writtenBytes = 0
  private paused = false
  private ended = false
  private told = false
  private buffer: Buffer | null = null
  private readAt = 0
  private wanted = false // a piece
  private turn = 0 // changes when reading begins anew

  constructor(place: SpoolPlace, owner: SpoolOwner) {
    this.place = place
    this.owner = owner
    openUnnamed(place.directory, this.onOpen)
  }

  // Keeps `piece`. A code: the body can't be held, and the file is of no use any more.
  append(piece: Uint8Array): number {
    if (this.fault !== NONE) return this.fault
    this.bytes += piece.length
    while (this.blocks * SPOOL_BLOCK < this.bytes) {
      if (!this.place.budget.take()) return this.give(SPOOL_FULL, null)
      this.blocks++
    }
    this.waiting.push(piece)
    this.waitingBytes += piece.length
    this.goOn()
    return NONE
  }

  // False: no more until owner.writable.
  takesMore(): boolean {
    this.paused = this.isFull
    return !this.paused
  }

  private get isFull(): boolean {
    return this.waitingBytes >= WAITING_MAX || this.waiting.length >= PIECES_MAX
  }

  // Nothing more comes. The owner is told when the last of it is written, if it is not yet.
  end(): void {
    this.ended = true
    this.told = this.waitingBytes === 0
  }

  // Whether all of it is in the file, after end.
  get isWritten(): boolean {
    return this.told
  }

  // The next piece is the first one; one that is being read for somebody else is thrown away.
  rewind(): void {
    this.turn++
    this.readAt = 0
    this.wanted = false
  }

  get isAtEnd(): boolean {
    return this.readAt >= this.bytes
  }

  pull(): void {
    this.wanted = true
    this.goOn()
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.waiting = []
    if (!this.busy) this.release()
  }

  private goOn(): void {
    if (this.busy || this.closed || this.fault !== NONE) return
    if (this.waiting.length > 0) return this.write()
    if (this.wanted && !this.isAtEnd) this.read()
  }

  private write(): void {
    this.busy = true
    writev(this.descriptor, this.waiting, this.writtenBytes, this.onWritten)
  }

  private read(): void {
    this.busy = true
    this.wanted = false
    this.buffer ??= Buffer.allocUnsafeSlow(SPOOL_PIECE)
    const { turn } = this
    // One closure per piece: a read that comes back late has to know for whom it was.
    read(this.descriptor, this.buffer, 0, SPOOL_PIECE, this.readAt, (error, length) => {
      if (this.comeBack(error)) this.attempt(() => this.took(turn, length))
    })
  }

  private took(turn: number, length: number): void {
    if (turn !== this.turn) return this.goOn()
    if (length === 0) return this.fail(SPOOL_FAILED, null) // somebody has cut it
    this.readAt += length
    this.owner.piece(this.buffer!, length)
  }

  private readonly onOpen = (error: NodeJS.ErrnoException | null, descriptor: number): void => {
    this.descriptor = descriptor
    if (!this.comeBack(error)) return
    if (this.place.takesDescriptor(descriptor)) this.attempt(() => this.goOn())
    else this.fail(SPOOL_FULL, null)
  }

  private readonly onWritten = (error: NodeJS.ErrnoException | null, length: number): void => {
    if (this.comeBack(error)) this.attempt(() => this.wrote(length))
  }

  // A disk that is nearly full takes a part; the next write tells the rest.
  private wrote(length: number): void {
    this.writtenBytes += length
    this.waitingBytes -= length
    let left = length
    let whole = 0
    while (whole < this.waiting.length && left >= this.waiting[whole]!.length) {
      left -= this.waiting[whole]!.length
      whole++
    }
    this.waiting.splice(0, whole)
    if (left > 0) this.waiting[0] = this.waiting[0]!.subarray(left)
    this.goOn()
    this.tellWritten()
  }

  private tellWritten(): void {
    if (this.ended && !this.told && this.waitingBytes === 0) {
      this.told = true
      this.owner.written()
    } else if (this.paused && !this.isFull) {
      this.paused = false
      this.owner.writable()
    }
  }

  // An fs call is through. False: nobody wants to know more.
  private comeBack(error: NodeJS.ErrnoException | null): boolean {
    this.busy = false
    if (this.closed) this.release()
    else if (error !== null) this.fail(codeOf(error), error)
    else return this.fault === NONE
    return false
  }

  private attempt(step: () => void): void {
    try {
      step()
    } catch (defect) {
      tellDefect(defect)
      if (!this.closed) this.fail(INTERNAL, null)
    }
  }

  private give(code: number, error: NodeJS.ErrnoException | null): number {
    this.fault = code
    this.waiting = []
    this.place.refused(code, error)
    return code
  }

  private fail(code: number, error: NodeJS.ErrnoException | null): void {
    if (this.fault !== NONE) return
    this.give(code, error)
    this.owner.failed(code)
  }

  private release(): void {
    this.place.budget.giveBack(this.blocks)
    this.blocks = 0
    if (this.descriptor >= 0) close(this.descriptor, ignore)
    this.descriptor = -1
    this.buffer = null
  }
}

const ignore = (): void => {}

function codeOf({ code }: NodeJS.ErrnoException): number {
  const isFull = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EMFILE' || code === 'ENFILE'
  return isFull ? SPOOL_FULL : SPOOL_FAILED
}
