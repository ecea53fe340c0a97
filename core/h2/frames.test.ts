import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  DATA,
  FRAME,
  FRAME_SIZE_ERROR,
  FrameReader,
  HEADERS,
  MORE,
  NO_ERROR,
  PADDED,
  PING,
  PRIORITY,
  PROTOCOL_ERROR,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from './frames.ts'

function frame(type: number, flags: number, id: number, payload: readonly number[]): number[] {
  const { length } = payload
  return [length >> 16, (length >> 8) & 255, length & 255, type, flags, 0, 0, 0, id, ...payload]
}

// What was read, DATA joined per frame: "type flags id payload".
function read(bytes: readonly number[], cuts: readonly number[] = []): string[] {
  const reader = new FrameReader()
  const found: string[] = []
  let data = ''
  const ends = [...cuts, bytes.length].sort((a, b) => a - b)
  let from = 0
  for (const to of ends) {
    const piece = Buffer.from(bytes.slice(from, to))
    let at = 0
    while (at < piece.length) {
      const event = reader.next(piece, at, piece.length)
      at = reader.pos
      if (event === MORE) {
        if (reader.error !== NO_ERROR) return [...found, `error ${reader.error}`]
        continue
      }
      const text = reader.payload.toString('hex', reader.from, reader.to)
      const name = `${reader.type} ${reader.flags} ${reader.streamId}`
      if (event === FRAME) found.push(`${name} ${text}`)
      else {
        if (reader.takeBegun()) data = ''
        data += text
        if (reader.dataDone) found.push(`${name} ${data}`)
      }
    }
    from = to
  }
  return found
}

const stream = [
  ...frame(SETTINGS, 0, 0, []),
  ...frame(HEADERS, 4, 1, [1, 2, 3, 4]),
  ...frame(DATA, 0, 1, [5, 6, 7]),
  ...frame(DATA, PADDED, 1, [2, 8, 9, 0, 0]),
  ...frame(DATA, PADDED, 1, [3, 0, 0, 0]),
  ...frame(DATA, PADDED, 1, [0]),
  ...frame(DATA, 1, 1, []),
  ...frame(99, 0, 3, [1]),
  ...frame(PING, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8]),
]

test('frames are found, and padding is none of their data', () => {
  expect(read(stream)).toEqual([
    '4 0 0 ',
    '1 4 1 01020304',
    '0 0 1 050607',
    '0 8 1 0809',
    '0 8 1 ',
    '0 8 1 ',
    '0 1 1 ',
    '99 0 3 01',
    '6 0 0 0102030405060708',
  ])
})

test('frames read the same however they are cut', () => {
  const whole = read(stream)
  expect(
    read(
      stream,
      stream.map((_, i) => i),
    ),
  ).toEqual(whole)
  const cut = fc.integer({ min: 0, max: stream.length })
  fc.assert(
    fc.property(fc.array(cut), (cuts) => {
      expect(read(stream, cuts)).toEqual(whole)
    }),
  )
})

test('a frame that its type does not allow is an error before its payload has come', () => {
  const cases = [
    [DATA, 0, 0, [1], PROTOCOL_ERROR],
    [DATA, PADDED, 1, [], FRAME_SIZE_ERROR],
    [DATA, PADDED, 1, [2, 0], PROTOCOL_ERROR],
    [HEADERS, 0, 0, [1], PROTOCOL_ERROR],
    [PRIORITY, 0, 0, [0, 0, 0, 0, 0], PROTOCOL_ERROR],
    [RST_STREAM, 0, 1, [0, 0, 0], FRAME_SIZE_ERROR],
    [RST_STREAM, 0, 0, [0, 0, 0, 0], PROTOCOL_ERROR],
    [SETTINGS, 0, 1, [], PROTOCOL_ERROR],
    [SETTINGS, 0, 0, [0, 0, 0], FRAME_SIZE_ERROR],
    [SETTINGS, 1, 0, [0, 0, 0, 0, 0, 0], FRAME_SIZE_ERROR],
    [PUSH_PROMISE, 4, 1, [0, 0, 0, 2], PROTOCOL_ERROR],
    [PING, 0, 0, [1], FRAME_SIZE_ERROR],
    [PING, 0, 1, [1, 2, 3, 4, 5, 6, 7, 8], PROTOCOL_ERROR],
    [WINDOW_UPDATE, 0, 0, [1, 2, 3], FRAME_SIZE_ERROR],
  ] as const
  for (const [type, flags, id, payload, error] of cases)
    expect(read(frame(type, flags, id, payload)), `${type} ${flags} ${id}`).toEqual([
      `error ${error}`,
    ])
  expect(read([0, 64, 1, HEADERS, 4, 0, 0, 0, 1])).toEqual([`error ${FRAME_SIZE_ERROR}`])
})
