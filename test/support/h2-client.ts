// test/support/h2-client.ts: an HTTP/2 client that sends exact frames, legal or not, and sees exact frames.
//
// The frames are built here, byte by byte. Header blocks that come back are read by core/h2, which its own tests
// hold against another implementation.

import type { Buffer as Bytes } from 'node:buffer'
import { Field, FieldName } from '../../core/h2/hpack-table.ts'
import { HpackDecoder } from '../../core/h2/hpack-decoder.ts'
import { PREFACE } from '../../core/h2/frames.ts'
import { type RawClient, connectRaw } from './raw-client.ts'

export const types = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const

export const END_STREAM = 1
export const END_HEADERS = 4
export const PADDED = 8
export const PRIORITY_FLAG = 32

export type Fields = readonly (readonly [name: string, value: string])[]

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly id: number
  readonly payload: Bytes
}

export interface Answer {
  readonly status: number
  readonly informational: readonly number[]
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
  readonly trailers: ReadonlyMap<string, string> | null
  readonly reset: number // -1: it ended as it should
}

export function frame(
  type: number,
  flags: number,
  id: number,
  payload: Bytes | string = '',
): Bytes {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload
  const head = Buffer.alloc(9)
  head.writeUIntBE(body.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, body])
}

export function uint32(...values: number[]): Bytes {
  const bytes = Buffer.alloc(values.length * 4)
  values.forEach((value, i) => bytes.writeUInt32BE(value >>> 0, i * 4))
  return bytes
}

function integer(first: number, bits: number, value: number): number[] {
  const mask = (1 << bits) - 1
  if (value < mask) return [first | value]
  const out = [first | mask]
  let rest = value - mask
  for (; rest >= 128; rest >>>= 7) out.push(128 | (rest & 127))
  return [...out, rest]
}

export function string(text: string): number[] {
  return [...integer(0, 7, text.length), ...Buffer.from(text, 'latin1')]
}

// Literal fields without indexing: every byte of them is as it is given.
export function block(fields: Fields): Bytes {
  return Buffer.from(fields.flatMap(([name, value]) => [0, ...string(name), ...string(value)]))
}

// One field that goes into the table of the server.
export function indexed(name: string, value: string): Bytes {
  return Buffer.from([0x40, ...string(name), ...string(value)])
}

export function requestFields(method = 'GET', path = '/', more: Fields = []): Fields {
  return [
    [':method', method],
    [':scheme', 'http'],
    [':authority', 'a.test'],
    [':path', path],
    ...more,
  ]
}

export function headers(id: number, fields: Fields, flags = END_HEADERS | END_STREAM): Bytes {
  return frame(types.HEADERS, flags, id, block(fields))
}

export function settings(pairs: readonly (readonly [number, number])[] = []): Bytes {
  const payload = Buffer.alloc(pairs.length * 6)
  pairs.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, i * 6)
    payload.writeUInt32BE(value, i * 6 + 2)
  })
  return frame(types.SETTINGS, 0, 0, payload)
}

export function windowUpdate(id: number, increment: number): Bytes {
  return frame(types.WINDOW_UPDATE, 0, id, uint32(increment))
}

export function reset(id: number, code = 8): Bytes {
  return frame(types.RST_STREAM, 0, id, uint32(code))
}

export function data(id: number, bytes: Bytes | string, flags = 0): Bytes {
  return frame(types.DATA, flags, id, bytes)
}

export class H2Client {
  readonly frames: Frame[] = []
  readonly raw: RawClient
  private read = 0 // frames that answers() has looked at
  private readonly decoder = new HpackDecoder(4096)
  private readonly blocks = new Map<Frame, Map<string, string>>()
  private partial: Bytes[] = []

  constructor(raw: RawClient) {
    this.raw = raw
  }

  send(...pieces: Bytes[]): this {
    this.raw.send(Buffer.concat(pieces))
    return this
  }

  // Looks at what has come, as a client would: in order, every header block decoded once.
  take(): readonly Frame[] {
    const text = this.raw.received
    let at = 0
    const bytes = Buffer.from(text, 'latin1')
    while (bytes.length - at >= 9) {
      const length = bytes.readUIntBE(at, 3)
      if (bytes.length - at < 9 + length) break
      this.frames.push({
        type: bytes[at + 3]!,
        flags: bytes[at + 4]!,
        id: bytes.readUInt32BE(at + 5),
        payload: bytes.subarray(at + 9, at + 9 + length),
      })
      at += 9 + length
    }
    this.raw.take(at)
    for (; this.read < this.frames.length; this.read++) this.decode(this.frames[this.read]!)
    return this.frames
  }

  private decode(one: Frame): void {
    if (one.type !== types.HEADERS && one.type !== types.CONTINUATION) return
    this.partial.push(one.payload)
    if ((one.flags & END_HEADERS) === 0) return
    const fields = new Map<string, string>()
    const whole = Buffer.concat(this.partial)
    this.partial = []
    const field = (found: Field): void => {
      const before = fields.get(found.name.text)
      fields.set(found.name.text, before === undefined ? found.value : `${before}, ${found.value}`)
    }
    if (!this.decoder.decode(whole, 0, whole.length, { field }))
      throw new Error('a header block of the gateway can not be decoded')
    this.blocks.set(one, fields)
  }

  async until(what: string, isThere: (frames: readonly Frame[]) => boolean): Promise<void> {
    await this.raw.until(what, () => isThere(this.take()))
  }

  find(type: number, id = 0): Frame | undefined {
    return this.take().find((one) => one.type === type && one.id === id)
  }

  // The code of GOAWAY, once one has come that is no NO_ERROR.
  async goaway(): Promise<number> {
    const isIt = (one: Frame): boolean =>
      one.type === types.GOAWAY && one.payload.readUInt32BE(4) !== 0
    await this.until('GOAWAY', (frames) => frames.some(isIt) || this.raw.closed)
    const found = this.frames.find(isIt)
    if (found === undefined) throw new Error('the connection was closed without GOAWAY')
    return found.payload.readUInt32BE(4)
  }

  // The whole answer to the request of stream `id`.
  async answer(id: number): Promise<Answer> {
    const isEnd = (one: Frame): boolean =>
      one.id === id &&
      (one.type === types.RST_STREAM ||
        ((one.flags & END_STREAM) !== 0 && (one.type === types.DATA || one.type === types.HEADERS)))
    await this.until(`the answer of stream ${id}`, (frames) => frames.some(isEnd))
    return this.gather(id)
  }

  // What has come so far of the answer.
  gather(id: number): Answer {
    const mine = this.take().filter((one) => one.id === id)
    const heads = mine.map((one) => this.blocks.get(one)).filter((fields) => fields !== undefined)
    const finals = heads.filter((fields) => Number(fields.get(':status') ?? 999) >= 200)
    const first = finals[0] ?? new Map<string, string>()
    const last = mine.find((one) => one.type === types.RST_STREAM)
    return {
      status: Number(first.get(':status') ?? 0),
      informational: heads
        .map((fields) => Number(fields.get(':status') ?? 999))
        .filter((status) => status < 200),
      headers: first,
      body: mine
        .filter((one) => one.type === types.DATA)
        .map((one) => one.payload.toString('latin1'))
        .join(''),
      trailers: finals[1] ?? null,
      reset: last === undefined ? -1 : last.payload.readUInt32BE(0),
    }
  }

  destroy(): void {
    this.raw.destroy()
  }
}

export async function connectH2(
  port: number,
  pairs: readonly (readonly [number, number])[] = [],
): Promise<H2Client> {
  const client = new H2Client(await connectRaw(port))
  client.send(Buffer.from(PREFACE, 'latin1'), settings(pairs))
  await client.until('SETTINGS of the gateway', (frames) =>
    frames.some((one) => one.type === types.SETTINGS),
  )
  client.send(frame(types.SETTINGS, 1, 0))
  return client
}

export function fieldOf(name: string, value: string): Field {
  return new Field(new FieldName(name), value)
}
