// workers/cache/entry-codec.ts: stored responses, and marks of Vary, as bytes for Redis and back.
//
// What comes from Redis are bytes of a peer: whatever is not exactly what we would have written is null, and so is what was
// written for another key, by another version, or with lines that this cache would not keep. Heads are read line by line and
// made anew: where lines lie and what their ids are is this process's own business.
// Hot: no; once per response that goes to Redis or comes from it.
//
//   magic and version, 4 | whole length, 4 | CRC-32 of the rest, 4 | kind, 1 | key | ...
//   ENTRY  times, 5 x 8, of Redis's clock | status, 2 | flags, 1 | texts | lists | lines | body
//   MARK   names
// Numbers are little-endian; a text is its length (4) and its bytes in latin1, as heads are; a list begins with its length (2).

import { Buffer } from 'node:buffer'
import type { CacheEntry } from '../../core/cache/entry.ts'
import { sharedBytes } from '../../core/cache/recorder.ts'
import { isOfUrl } from '../../core/cache/storing.ts'
import { type Line, isNeverKept, linesOfStored, storeHead } from '../../core/cache/stored-head.ts'
import { TAGS_MAX } from '../../core/cache/tags.ts'
import type { TierPolicy } from '../../core/cache/tier.ts'
import { VARY_NAMES_MAX } from '../../core/cache/vary.ts'
import { isFieldValue, isToken } from '../../core/h1/text.ts'
import { zlibModule } from '../builtins.ts'

export const VERSION = 1
const MAGIC = 0x0043_4c53 + VERSION * 0x0100_0000 // "SLC", version
const HEAD = 12
const ENTRY = 1
const MARK = 2
const LINES_MAX = 1000
const FLAGS_MAX = 7

export interface Mark {
  readonly vary: readonly string[]
}

// What must be told to read an entry.
export interface Reading {
  readonly key: string // that was asked for
  readonly url: string
  readonly shift: number // is added to Redis's time, for this thread's clock
  readonly now: number
  readonly date: string // for heads without one
  readonly policy: TierPolicy
}

// ---- writing

// `shift` is added to this thread's time, for Redis's clock. null: more than `bytesMax`, or no bytes.
export function encodeEntry(entry: CacheEntry, shift: number, bytesMax: number): Buffer | null {
  const { head, body } = entry
  const lines = linesOfStored(head).filter(([name]) => name.toLowerCase() !== 'content-length')
  const texts = [entry.url, entry.reason, entry.etag, entry.lastModified]
  const out = new Writer(ENTRY, entry.key)
  for (const time of timesOf(entry)) out.float(time + shift)
  out.short(entry.status)
  out.byte(entry.flags)
  for (const text of texts) out.text(text)
  out.list(entry.vary)
  out.list(entry.tags)
  out.list(lines.flat())
  return out.end(body, bytesMax)
}

export function encodeMark(key: string, names: readonly string[]): Buffer | null {
  const out = new Writer(MARK, key)
  out.list(names)
  return out.end(null, Infinity)
}

function timesOf(entry: CacheEntry): number[] {
  const { askedAt, bornAt, freshUntil, refreshUntil, errorUntil } = entry
  return [askedAt, bornAt, freshUntil, refreshUntil, errorUntil]
}

class Writer {
  private readonly parts: Buffer[] = [] // each small, but for the body
  private isPlain = true

  constructor(kind: number, key: string) {
    this.byte(kind)
    this.text(key)
  }

  private number(bytes: number, write: (to: Buffer) => void): void {
    const part = Buffer.allocUnsafe(bytes)
    write(part)
    this.parts.push(part)
  }

  byte(value: number): void {
    this.number(1, (to) => to.writeUInt8(value))
  }

  short(value: number): void {
    this.number(2, (to) => to.writeUInt16LE(value))
  }

  long(value: number): void {
    this.number(4, (to) => to.writeUInt32LE(value))
  }

  float(value: number): void {
    this.number(8, (to) => to.writeDoubleLE(value))
  }

  text(value: string): void {
    for (let i = 0; i < value.length; i++) if (value.charCodeAt(i) > 255) this.isPlain = false
    this.long(value.length)
    this.parts.push(Buffer.from(value, 'latin1'))
  }

  list(values: readonly string[]): void {
    if (values.length > 65_535) this.isPlain = false
    this.short(values.length & 65_535)
    for (const value of values) this.text(value)
  }

  end(body: Uint8Array | null, bytesMax: number): Buffer | null {
    if (body !== null) this.long(body.length)
    const head = Buffer.alloc(HEAD)
    const parts = [head, ...this.parts, ...(body === null ? [] : [body])]
    const length = parts.reduce((sum, part) => sum + part.length, 0)
    if (!this.isPlain || length > bytesMax) return null
    const whole = Buffer.concat(parts, length)
    whole.writeUInt32LE(MAGIC, 0)
    whole.writeUInt32LE(length, 4)
    whole.writeUInt32LE(zlibModule().crc32(whole.subarray(HEAD)), 8)
    return whole
  }
}

// ---- reading

export function decode(bytes: Buffer, reading: Reading): CacheEntry | Mark | null {
  if (bytes.length < HEAD || bytes.readUInt32LE(0) !== MAGIC) return null
  if (bytes.readUInt32LE(4) !== bytes.length) return null
  if (bytes.readUInt32LE(8) !== zlibModule().crc32(bytes.subarray(HEAD))) return null
  const from = new Reader(bytes)
  const kind = from.byte()
  if (from.text() !== reading.key || from.failed) return null
  if (kind === MARK) return markFrom(from)
  return kind === ENTRY ? entryFrom(from, reading) : null
}

function markFrom(from: Reader): Mark | null {
  const vary = from.list(VARY_NAMES_MAX)
  return from.isAtEnd && vary.length > 0 && vary.every(isVaryName) ? { vary } : null
}

const isVaryName = (name: string): boolean => isToken(name) && name === name.toLowerCase()

function entryFrom(from: Reader, reading: Reading): CacheEntry | null {
  const times = [from.float(), from.float(), from.float(), from.float(), from.float()]
  const status = from.short()
  const flags = from.byte()
  const [url, reason, etag, lastModified] = [from.text(), from.text(), from.text(), from.text()]
  const vary = from.list(VARY_NAMES_MAX)
  const tags = from.list(TAGS_MAX)
  const lines = linesFrom(from.list(LINES_MAX * 2))
  const body = from.body()
  if (!from.isAtEnd || lines === null || url !== reading.url) return null
  if (!times.every(Number.isFinite) || flags > FLAGS_MAX || !isOfUrl(status)) return null
  if (![reason, etag, lastModified].every(isFieldValue) || !vary.every(isVaryName)) return null
  if (!lines.every((line) => isKept(line, reading.policy))) return null
  const head = storeHead(status, reason, lines, status === 204 ? -1 : body.length, reading.date)
  const { key } = reading
  const plain = { key, url, vary, status, reason, flags, etag, lastModified, tags }
  return { ...plain, head, body, ...clocked(times, reading) }
}

function linesFrom(words: readonly string[]): Line[] | null {
  if (words.length % 2 !== 0) return null
  return Array.from({ length: words.length / 2 }, (_, i) => [words[i * 2]!, words[i * 2 + 1]!])
}

function isKept([name, value]: Line, { storesCookies }: TierPolicy): boolean {
  const lower = name.toLowerCase()
  if (!isToken(name) || !isFieldValue(value) || isNeverKept(lower)) return false
  return storesCookies || lower !== 'set-cookie'
}

// Nothing is fresh for longer than maxTtl allows here, and nothing was asked for after it was read.
function clocked(times: readonly number[], { shift, now, policy }: Reading) {
  const [askedAt = 0, bornAt = 0, freshUntil = 0, refreshUntil = 0, errorUntil = 0] = times
  const fresh = Math.min(freshUntil + shift, now + policy.maxTtlMs)
  return {
    askedAt: Math.min(askedAt + shift, now),
    bornAt: Math.min(bornAt + shift, now),
    freshUntil: fresh,
    refreshUntil: Math.max(fresh, refreshUntil + shift),
    errorUntil: Math.max(fresh, errorUntil + shift),
  }
}

// Past the end everything is empty, and `failed`.
class Reader {
  failed = false
  private readonly bytes: Buffer
  private at = HEAD

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  get isAtEnd(): boolean {
    return !this.failed && this.at === this.bytes.length
  }

  // Where the next `length` bytes are; -1 where there are less.
  private take(length: number): number {
    const from = this.at
    if (this.failed || length > this.bytes.length - from) {
      this.failed = true
      return -1
    }
    this.at += length
    return from
  }

  byte(): number {
    const from = this.take(1)
    return from < 0 ? 0 : this.bytes.readUInt8(from)
  }

  short(): number {
    const from = this.take(2)
    return from < 0 ? 0 : this.bytes.readUInt16LE(from)
  }

  private long(): number {
    const from = this.take(4)
    return from < 0 ? 0 : this.bytes.readUInt32LE(from)
  }

  float(): number {
    const from = this.take(8)
    return from < 0 ? NaN : this.bytes.readDoubleLE(from)
  }

  text(): string {
    const length = this.long()
    const from = this.take(length)
    return from < 0 ? '' : this.bytes.latin1Slice(from, from + length)
  }

  list(most: number): string[] {
    const length = this.short()
    if (length > most) this.failed = true
    const values: string[] = []
    for (let i = 0; i < length && !this.failed; i++) values.push(this.text())
    return values
  }

  // In memory that all workers share.
  body(): Uint8Array {
    const length = this.long()
    const from = this.take(length)
    const body = sharedBytes(from < 0 ? 0 : length)
    if (from >= 0) body.set(this.bytes.subarray(from, from + length))
    return body
  }
}
