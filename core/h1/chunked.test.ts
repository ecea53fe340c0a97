// core/h1/chunked.test.ts: what the chunked decoder reads, bounds and refuses, whole and byte by byte.

import { describe, expect, test } from 'vitest'
import { errorTable } from '../errors.ts'
import { CHUNK_EXTENSION_BYTES_MAX, CHUNK_LINE_BYTES_MAX } from '../limits.ts'
import { ChunkedDecoder, DATA, END, MORE } from './chunked.ts'

interface Decoded {
  body: string
  outcome: string // 'end', 'more' or a code
  pos: number
  decoder: ChunkedDecoder
}

function decode(text: string, pieceBytes: number): Decoded {
  const bytes = Buffer.from(text, 'latin1')
  const decoder = new ChunkedDecoder()
  decoder.reset()
  let body = ''
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    const end = Math.min(bytes.length, start + pieceBytes)
    let at = start
    for (;;) {
      const event = decoder.next(bytes, at, end)
      if (event < 0) return { body, outcome: errorTable[-event]!.name, pos: -1, decoder }
      at = decoder.pos
      if (event === MORE) break
      if (event === END) return { body, outcome: 'end', pos: at, decoder }
      expect(event).toBe(DATA)
      body += bytes.latin1Slice(decoder.dataStart, decoder.dataEnd)
    }
  }
  return { body, outcome: 'more', pos: bytes.length, decoder }
}

function decodeBothWays(text: string): Decoded {
  const whole = decode(text, text.length)
  const bytewise = decode(text, 1)
  expect([bytewise.body, bytewise.outcome, bytewise.pos]).toEqual([
    whole.body,
    whole.outcome,
    whole.pos,
  ])
  return whole
}

describe('legal bodies', () => {
  test.each([
    ['0\r\n\r\n', ''],
    ['5\r\nhello\r\n0\r\n\r\n', 'hello'],
    ['A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n', '01234567890123456789'],
    ['5;a=b\r\nhello\r\n0;a\r\n\r\n', 'hello'],
    ['5;a="q;\\" x";b=c;d\r\nhello\r\n0\r\n\r\n', 'hello'],
    ['0000000000005\r\nhello\r\n0\r\n\r\n', 'hello'],
    ['5\r\n\r\n0\r\n\r\n0\r\n\r\n', '\r\n0\r\n'],
  ])('%j', (text, body) => {
    const decoded = decodeBothWays(text + 'GET')
    expect([decoded.outcome, decoded.body, decoded.pos]).toEqual(['end', body, text.length])
    expect(decoded.decoder.trailers).toBe(null)
  })
})

describe('illegal size lines and data', () => {
  test.each([
    ['g\r\n', 'CHUNK_SIZE'],
    [':\r\n', 'CHUNK_SIZE'],
    ['@\r\n', 'CHUNK_SIZE'],
    ['+5\r\nhello', 'CHUNK_SIZE'],
    ['-5\r\nhello', 'CHUNK_SIZE'],
    ['0x5\r\nhello', 'CHUNK_SIZE'],
    [' 5\r\nhello', 'CHUNK_SIZE'],
    ['5 \r\nhello', 'CHUNK_SIZE'],
    ['5\t\r\nhello', 'CHUNK_SIZE'],
    ['5 ;a\r\nhello', 'CHUNK_SIZE'],
    ['5 junk\r\nhello', 'CHUNK_SIZE'],
    ['5\nhello', 'CHUNK_SIZE'],
    ['5\r\rhello', 'CHUNK_SIZE'],
    ['\r\n', 'CHUNK_SIZE'],
    [';a\r\n', 'CHUNK_SIZE'],
    ['5\0\r\nhello', 'CHUNK_SIZE'],
    ['00000000000005\r\nhello', 'CHUNK_SIZE'],
    ['FFFFFFFFFFFFFFFF\r\n', 'CHUNK_SIZE'],
    ['10000000000000005\r\nhello', 'CHUNK_SIZE'],
    ['5;\r\nhello', 'CHUNK_EXTENSION'],
    ['5;;a\r\nhello', 'CHUNK_EXTENSION'],
    ['5; a\r\nhello', 'CHUNK_EXTENSION'],
    ['5;a=\r\nhello', 'CHUNK_EXTENSION'],
    ['5;a=b c\r\nhello', 'CHUNK_EXTENSION'],
    ['5;a\nb\r\nhello', 'CHUNK_EXTENSION'],
    ['5;a="b\r\n"\r\nhello', 'CHUNK_EXTENSION'],
    ['5;a="b"c\r\nhello', 'CHUNK_EXTENSION'],
    ['5;a\0\r\nhello', 'CHUNK_EXTENSION'],
    ['5;\xe9\r\nhello', 'CHUNK_EXTENSION'],
    ['5\r\nhello0\r\n\r\n', 'CHUNK_DATA'],
    ['5\r\nhello\n0\r\n\r\n', 'CHUNK_DATA'],
    ['5\r\nhello\r0\r\n\r\n', 'CHUNK_DATA'],
    ['5\r\nhelloworld\r\n', 'CHUNK_DATA'],
  ])('%j is %s', (text, code) => expect(decodeBothWays(text).outcome).toBe(code))

  test('a chunk of 2^52 - 1 bytes is read to its end without loss', () => {
    const decoded = decodeBothWays('FFFFFFFFFFFFF\r\nhello')
    expect([decoded.outcome, decoded.body]).toEqual(['more', 'hello'])
  })
})

describe('extensions are bounded', () => {
  test('per line', () => {
    const fits = '1;' + 'a'.repeat(CHUNK_LINE_BYTES_MAX - 2)
    expect(decodeBothWays(fits + '\r\nx\r\n0\r\n\r\n').outcome).toBe('end')
    expect(decodeBothWays(fits + 'a\r\nx\r\n0\r\n\r\n').outcome).toBe('CHUNK_SIZE')
  })

  test('per body', () => {
    const chunk = '1;' + 'a'.repeat(199) + '\r\nx\r\n'
    const fits = Math.floor(CHUNK_EXTENSION_BYTES_MAX / 200)
    expect(decode(chunk.repeat(fits) + '0\r\n\r\n', 7).outcome).toBe('end')
    expect(decode(chunk.repeat(fits + 1) + '0\r\n\r\n', 7).outcome).toBe('CHUNK_EXTENSION')
  })
})

describe('trailers', () => {
  test('are parsed, and bytes behind them are left alone', () => {
    const text = '1\r\nx\r\n0\r\nX-Sum: 1\r\nGrpc-Status:  0 \r\n\r\n'
    const decoded = decodeBothWays(text + 'GET / HTTP/1.1\r\n')
    expect([decoded.outcome, decoded.pos]).toEqual(['end', text.length])
    expect(decoded.decoder.trailers!.get('x-sum')).toBe('1')
    expect(decoded.decoder.trailers!.get('grpc-status')).toBe('0')
  })

  test.each([
    'Host: x',
    'Content-Length: 1',
    'content_length: 1',
    'Transfer-Encoding: chunked',
    'Transfer.Encoding: x',
    'Connection: x',
    'Trailer: x',
    'TE: x',
    'Expect: x',
    'Upgrade: x',
    'Authorization: x',
    'Cookie: x',
    'Set-Cookie: x',
    'Content-Type: x',
    'Content-Encoding: x',
    'Cache-Control: x',
    'Proxy-Authorization: x',
    'X-Forwarded-For: x',
    'X_Forwarded_New: x',
    'Forwarded: x',
    'X-Real-Ip: x',
    'Range: x',
    'If-Match: x',
    'Location: x',
  ])('%s may not be one', (line) => {
    expect(decodeBothWays(`0\r\nA: b\r\n${line}\r\n\r\n`).outcome).toBe('TRAILER_INVALID')
  })

  test.each(['A : b', ' A: b', ': b', 'A', 'A: \0', 'A: b\nC: d', 'A: b\rC: d'])(
    '%j is malformed',
    (line) => {
      expect(decodeBothWays(`0\r\n${line}\r\n\r\n`).outcome).toBe('TRAILER_INVALID')
    },
  )

  test('a last chunk is not followed by a bare LF or a stray CR', () => {
    expect(decodeBothWays('0\r\n\n').outcome).toBe('TRAILER_INVALID')
    expect(decodeBothWays('0\r\n\rX').outcome).toBe('TRAILER_INVALID')
    expect(decodeBothWays('0\n\n').outcome).toBe('CHUNK_SIZE')
  })

  test('are bounded in bytes and count', () => {
    expect(decode('0\r\nA: ' + 'x'.repeat(17_000), 1000).outcome).toBe('TRAILERS_TOO_LARGE')
    expect(decode('0\r\n' + 'A: b\r\n'.repeat(64) + '\r\n', 9).outcome).toBe('end')
    expect(decode('0\r\n' + 'A: b\r\n'.repeat(65) + '\r\n', 9).outcome).toBe('TRAILERS_TOO_LARGE')
  })

  test('of one body are gone for the next', () => {
    const bytes = Buffer.from('0\r\nA: b\r\n\r\n0\r\n\r\n0\r\nC: d\r\n\r\n')
    const decoder = new ChunkedDecoder()
    let at = 0
    const seen: (string | null)[] = []
    for (let i = 0; i < 3; i++) {
      decoder.reset()
      expect(decoder.next(bytes, at, bytes.length)).toBe(END)
      at = decoder.pos
      seen.push(decoder.trailers === null ? null : decoder.trailers.text)
    }
    expect(seen).toEqual(['A: b\r\n\r\n', null, 'C: d\r\n\r\n'])
  })
})
