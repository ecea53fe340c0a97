// core/h1/chunked.ts: decodes the chunked transfer coding and its trailer section.
//
// Owner:  the connection that reads the body; reset for each one.
// Hot:    yes. Data is handed on as ranges of the bytes it arrived in; between two pieces the state is a few
//         integers. Only a trailer section copies bytes, because its lines must be one text.
//
//   SIZE --";"--> EXTENSION --CR--> SIZE_LF --LF--> DATA --> DATA_CR --> DATA_LF --> SIZE
//                                      '--- size 0 ---> TRAILER --> END
//
// RFC 9112 section 7.1 without its tolerances: "5 ;a", bare LF, "+5", "0x5" and an empty size line are read
// in two ways somewhere, so they end the connection. Extensions are checked, counted and not passed on.

import { CHUNK_DATA, CHUNK_EXTENSION, CHUNK_SIZE, HEADERS_TOO_MANY, NONE } from '../errors.ts'
import { TRAILER_INVALID, TRAILERS_TOO_LARGE } from '../errors.ts'
import type { Head } from '../headers.ts'
import { CHUNK_EXTENSION_BYTES_MAX, CHUNK_LINE_BYTES_MAX, trailerLimits } from '../limits.ts'
import type { HeadLimits } from '../limits.ts'
import { EXTENSION_START, nextExtensionState } from './chunk-extension.ts'
import { CR, LF, hexValue } from './text.ts'
import { TrailerSection } from './trailers.ts'

// Events of next(); negative ones are -code of core/errors.ts.
export const MORE = 0 // all bytes are used up
export const DATA = 1 // bytes[dataStart..dataEnd) belong to the body
export const END = 2 // the body ends before `pos`; `trailers` is set when it had any

const SIZE = 0
const EXTENSION = 1
const SIZE_LF = 2
const IN_DATA = 3
const DATA_CR = 4
const DATA_LF = 5
const TRAILER = 6
const DONE = 7

const SIZE_DIGITS_MAX = 13 // 2^52 - 1, which a number holds exactly
const SEMICOLON = 59

export class ChunkedDecoder {
  pos = 0 // where next() goes on
  dataStart = 0
  dataEnd = 0
  trailers: Head | null = null // valid after END, until the next reset()

  private state = SIZE
  private size = 0
  private left = 0 // bytes of this chunk that are still to come
  private digits = 0
  private lineBytes = 0 // of this size line
  private extensionBytes = 0 // of this body
  private extension = 0 // state inside an extension
  private limits: HeadLimits = trailerLimits
  private section: TrailerSection | null = null // made for the first body that has trailers

  reset(limits: HeadLimits = trailerLimits): void {
    this.pos = 0
    this.dataStart = 0
    this.dataEnd = 0
    this.trailers = null
    this.state = SIZE
    this.size = 0
    this.left = 0
    this.digits = 0
    this.lineBytes = 0
    this.extensionBytes = 0
    this.extension = EXTENSION_START
    this.limits = limits
    if (this.section !== null) this.section.reset(limits)
  }

  // Looks at bytes[from..to) until there is something to tell. After an error the decoder must be reset.
  next(bytes: Buffer, from: number, to: number): number {
    let p = from
    while (p < to) {
      if (this.state === IN_DATA) return this.takeData(p, to)
      if (this.state === TRAILER) return this.takeTrailers(bytes, p, to)
      const error = this.takeByte(bytes[p]!)
      if (error !== NONE) return -error
      p++
    }
    this.pos = p
    return MORE
  }

  private takeData(from: number, to: number): number {
    const available = to - from
    const taken = available < this.left ? available : this.left
    this.left -= taken
    if (this.left === 0) this.state = DATA_CR
    this.dataStart = from
    this.dataEnd = from + taken
    this.pos = from + taken
    return DATA
  }

  // One byte of a size line or of the CR LF behind data.
  private takeByte(c: number): number {
    switch (this.state) {
      case SIZE:
        return this.takeSizeByte(c)
      case EXTENSION:
        return this.takeExtensionByte(c)
      case SIZE_LF:
        return c === LF ? this.endSizeLine() : CHUNK_SIZE
      case DATA_CR:
        this.state = DATA_LF
        return c === CR ? NONE : CHUNK_DATA
      case DATA_LF:
        this.state = SIZE
        return c === LF ? NONE : CHUNK_DATA
      default:
        return CHUNK_SIZE // bytes after END; the caller has not reset
    }
  }

  private takeSizeByte(c: number): number {
    const value = hexValue[c]!
    if (value >= 0) {
      if (++this.digits > SIZE_DIGITS_MAX) return CHUNK_SIZE
      this.size = this.size * 16 + value
      this.lineBytes++
      return NONE
    }
    if (this.digits === 0) return CHUNK_SIZE
    if (c === CR) {
      this.state = SIZE_LF
      return NONE
    }
    if (c !== SEMICOLON) return CHUNK_SIZE
    this.state = EXTENSION
    this.extension = EXTENSION_START
    return this.countExtensionByte()
  }

  private takeExtensionByte(c: number): number {
    const state = nextExtensionState(this.extension, c)
    if (state < 0) return CHUNK_EXTENSION
    if (c === CR) {
      this.state = SIZE_LF
      return NONE
    }
    this.extension = state
    return this.countExtensionByte()
  }

  private countExtensionByte(): number {
    if (++this.lineBytes > CHUNK_LINE_BYTES_MAX) return CHUNK_SIZE
    return ++this.extensionBytes > CHUNK_EXTENSION_BYTES_MAX ? CHUNK_EXTENSION : NONE
  }

  private endSizeLine(): number {
    this.left = this.size
    this.state = this.size === 0 ? TRAILER : IN_DATA
    this.size = 0
    this.digits = 0
    this.lineBytes = 0
    return NONE
  }

  private takeTrailers(bytes: Buffer, from: number, to: number): number {
    this.section ??= new TrailerSection(this.limits)
    const section = this.section
    const done = section.take(bytes, from, to)
    if (done < 0) {
      const tooLarge = done === -HEADERS_TOO_MANY || done === -TRAILERS_TOO_LARGE
      return -(tooLarge ? TRAILERS_TOO_LARGE : TRAILER_INVALID)
    }
    this.pos = section.pos
    if (done === 0) return MORE
    this.state = DONE
    this.trailers = section.head.count > 0 ? section.head : null
    return END
  }
}
