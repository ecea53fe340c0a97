import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CONTROL, DATA, FAULT, FrameReader, MORE } from './frame-reader.ts'
import { FrameWriter } from './frame-writer.ts'
import { BINARY, CLOSE, CONTINUATION, PING, TEXT, isCloseCode } from './frames.ts'

interface Frame {
  readonly opcode: number
  readonly fin: boolean
  readonly payload: Uint8Array
}

// A frame as servers send it; the length in the shortest form unless told otherwise.
function bytesOf({ opcode, fin, payload }: Frame, form?: 2 | 8): Buffer {
  const { length } = payload
  const extra = form ?? (length < 126 ? 0 : length < 65_536 ? 2 : 8)
  const head = Buffer.alloc(2 + extra)
  head[0] = (fin ? 128 : 0) | opcode
  head[1] = extra === 0 ? length : extra === 2 ? 126 : 127
  if (extra === 2) head.writeUInt16BE(length, 2)
  if (extra === 8) head.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([head, payload])
}

const frame = (opcode: number, payload: string | Buffer = '', fin = true): Frame => ({
  opcode,
  fin,
  payload: Buffer.from(payload as string),
})

// What a stream of frames says, in whatever pieces it comes: messages and control frames in order, then the fault.
function read(stream: Uint8Array, cuts: readonly number[] = []): string[] {
  const reader = new FrameReader()
  const said: string[] = []
  let message: Uint8Array[] = []
  const bounds = [...new Set([...cuts.map((cut) => cut % (stream.length + 1)), stream.length])]
  let from = 0
  for (const to of bounds.sort((a, b) => a - b)) {
    const piece = stream.subarray(from, to)
    from = to
    for (let at = 0; ;) {
      const event = reader.next(piece, at, piece.length)
      at = reader.pos
      if (event === MORE) break
      if (event === FAULT) return [...said, `fault ${reader.fault}`]
      if (event === CONTROL) {
        const text = Buffer.from(reader.control.subarray(0, reader.controlLength)).toString('hex')
        said.push(`control ${reader.opcode} ${text}`)
      } else {
        expect(event).toBe(DATA)
        if (reader.isFirst) message = []
        message.push(Uint8Array.from(piece.subarray(reader.dataStart, reader.dataEnd)))
        if (reader.isLast)
          said.push(
            `${reader.isText ? 'text' : 'binary'} ${Buffer.concat(message).toString('hex')}`,
          )
      }
    }
  }
  return said
}

const hex = (text: string) => Buffer.from(text).toString('hex')
const payloads = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.integer({ min: 0, max: 70_000 }).map((length) => new Uint8Array(length).fill(length & 255)),
)

describe('frames of a server', () => {
  test('a message in fragments with a ping between is one message', () => {
    const stream = Buffer.concat(
      [frame(TEXT, 'one ', false), frame(PING, 'p'), frame(CONTINUATION, 'two')].map((one) =>
        bytesOf(one),
      ),
    )
    expect(read(stream)).toEqual([`control 9 ${hex('p')}`, `text ${hex('one two')}`])
  })

  test.each<readonly [string, Buffer, string]>([
    ['a mask', Buffer.from([0x81, 0x81, 1, 2, 3, 4, 5]), 'fault 1002'],
    ['a reserved bit', Buffer.from([0xc1, 0]), 'fault 1002'],
    ['an unknown data opcode', Buffer.from([0x83, 0]), 'fault 1002'],
    ['an unknown control opcode', Buffer.from([0x8b, 0]), 'fault 1002'],
    ['a control frame in fragments', bytesOf(frame(PING, '', false)), 'fault 1002'],
    ['a control frame of 126 bytes', bytesOf(frame(PING, 'x'.repeat(126))), 'fault 1002'],
    ['a continuation of nothing', bytesOf(frame(CONTINUATION, 'x')), 'fault 1002'],
    ['a length of two bytes that fits in one', bytesOf(frame(TEXT, 'x'), 2), 'fault 1002'],
    [
      'a length of eight bytes that fits in two',
      bytesOf(frame(TEXT, 'x'.repeat(200)), 8),
      'fault 1002',
    ],
    ['a length beyond 2^53', Buffer.from([0x82, 127, 0, 0x20, 0, 0, 0, 0, 0, 0]), 'fault 1002'],
    [
      'the highest bit of a length',
      Buffer.from([0x82, 127, 128, 0, 0, 0, 0, 0, 0, 0]),
      'fault 1002',
    ],
    ['a close frame of one byte', bytesOf(frame(CLOSE, 'x')), 'fault 1002'],
    [
      'a close code that may not be sent',
      bytesOf(frame(CLOSE, Buffer.from([0x03, 0xee]))),
      'fault 1002',
    ],
    [
      'a reason that is no UTF-8',
      bytesOf(frame(CLOSE, Buffer.from([0x03, 0xe8, 0xff]))),
      'fault 1007',
    ],
  ])('%s is a fault, also byte by byte', (_what, bytes, fault) => {
    expect(read(bytes)).toEqual([fault])
    expect(read(bytes, [...bytes.keys()])).toEqual([fault])
  })

  test('a new message within one that is not complete is a fault', () => {
    const stream = Buffer.concat([bytesOf(frame(TEXT, 'a', false)), bytesOf(frame(BINARY, 'b'))])
    expect(read(stream)).toEqual(['fault 1002'])
  })

  test('codes that a peer may send are those of the RFC and the registry', () => {
    const good = [
      1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999,
    ]
    for (const code of good) expect(isCloseCode(code)).toBe(true)
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000])
      expect(isCloseCode(code)).toBe(false)
  })

  test('any cut of a stream gives the same messages', () => {
    const messages = fc.array(
      fc.record({ text: fc.boolean(), parts: fc.array(payloads, { minLength: 1, maxLength: 3 }) }),
      {
        maxLength: 4,
      },
    )
    fc.assert(
      fc.property(messages, fc.array(fc.nat(), { maxLength: 12 }), (sent, cuts) => {
        const frames = sent.flatMap(({ text, parts }) =>
          parts.map((payload, i) => ({
            opcode: i > 0 ? CONTINUATION : text ? TEXT : BINARY,
            fin: i === parts.length - 1,
            payload,
          })),
        )
        const stream = Buffer.concat(frames.map((one) => bytesOf(one)))
        const wanted = sent.map(
          ({ text, parts }) =>
            `${text ? 'text' : 'binary'} ${Buffer.concat(parts).toString('hex')}`,
        )
        expect(read(stream, cuts)).toEqual(wanted)
      }),
      { numRuns: 300 },
    )
  })

  test('no bytes whatever throw, and a cut changes nothing', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        (bytes, cuts) => {
          expect(read(bytes, cuts)).toEqual(read(bytes))
        },
      ),
      { numRuns: 20_000 },
    )
  })
})

describe('frames of a client', () => {
  test('are masked, whole, and read back as what was written', () => {
    const writer = new FrameWriter()
    fc.assert(
      fc.property(payloads, fc.constantFrom(TEXT, BINARY), fc.integer(), (payload, opcode, key) => {
        writer.write(opcode, payload, key)
        const sent = Buffer.from(writer.bytes.subarray(writer.start, writer.end))
        expect(sent[0]).toBe(128 | opcode)
        expect(sent[1]! & 128).toBe(128)
        const short = sent[1]! & 127
        const at = short < 126 ? 2 : short === 126 ? 4 : 10
        const length =
          short < 126
            ? short
            : short === 126
              ? sent.readUInt16BE(2)
              : Number(sent.readBigUInt64BE(2))
        expect(at).toBe(length < 126 ? 2 : length < 65_536 ? 4 : 10)
        expect(sent.length).toBe(at + 4 + length)
        const mask = sent.subarray(at, at + 4)
        expect(mask.readInt32LE()).toBe(key | 0)
        const clear = sent.subarray(at + 4).map((byte, i) => byte ^ mask[i & 3]!)
        expect(Buffer.compare(clear, payload)).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  test('a close frame holds its code and at the most 123 bytes of reason', () => {
    const writer = new FrameWriter()
    writer.writeClose(1001, Buffer.alloc(200, 'r'), 0)
    const sent = writer.bytes.subarray(writer.start, writer.end)
    expect([sent[0], sent[1]! & 127, sent[6], sent[7]]).toEqual([0x88, 125, 0x03, 0xe9])
    writer.writeClose(0, new Uint8Array(0), 7)
    expect([...writer.bytes.subarray(writer.start, writer.end)]).toEqual([0x88, 0x80, 7, 0, 0, 0])
  })
})
