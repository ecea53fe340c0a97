// core/h1/response.test.ts: what the response parser reads, notes, drops and refuses.

import { describe, expect, test } from 'vitest'
import { errorTable } from '../errors.ts'
import {
  BODY_CHUNKED,
  BODY_CLOSE,
  BODY_LENGTH,
  BODY_NONE,
  Exchange,
  METHOD_GET,
  METHOD_HEAD,
} from '../exchange.ts'
import { DROPPED } from '../header-ids.ts'
import { ResponseParser } from './response.ts'

const LIMITS = { headBytesMax: 1024, headerCountMax: 8 }

interface Parsed {
  readonly result: number
  readonly exchange: Exchange
  readonly parser: ResponseParser
}

function parse(text: string, methodId = METHOD_GET): Parsed {
  const exchange = new Exchange()
  exchange.reset()
  exchange.methodId = methodId
  const parser = new ResponseParser()
  const bytes = Buffer.from(text, 'latin1')
  return { result: parser.parse(exchange, bytes, 0, bytes.length, LIMITS), exchange, parser }
}

function verdict(text: string): string {
  const { result } = parse(text)
  if (result === 0) return 'more'
  return result > 0 ? 'ok' : errorTable[-result]!.name
}

function withLines(...lines: string[]): string {
  return ['HTTP/1.1 200 OK', ...lines, '', ''].join('\r\n')
}

describe('illegal answers are UPSTREAM_MALFORMED', () => {
  test.each([
    'HTTP/2.0 200 OK\r\n\r\n',
    'HTTP/1.2 200 OK\r\n\r\n',
    'HTTP/0.9 200 OK\r\n\r\n',
    'http/1.1 200 OK\r\n\r\n',
    'ICE/1.0 200 OK\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    'HTTP/1.1 099 X\r\n\r\n',
    'HTTP/1.1 600 X\r\n\r\n',
    'HTTP/1.1  200 OK\r\n\r\n',
    'HTTP/1.1 200\tOK\r\n\r\n',
    'HTTP/1.1 200 O\0K\r\n\r\n',
    'HTTP/1.1 200 O\x7fK\r\n\r\n',
    'HTTP/1.1 200 OK\n\r\n',
    'HTTP/1.1 200 OK\r\r\n\r\n',
    '\r\nHTTP/1.1 200 OK\r\n\r\n',
    '\0',
    withLines('A: b\nC: d'),
    withLines('A: b', ' c'),
    withLines('A : b'),
    withLines(': b'),
    withLines('A: b\0'),
    withLines('Content-Length: 3', 'Transfer-Encoding: chunked'),
    withLines('Content-Length: 3', 'Content-Length: 3'),
    withLines('Content-Length: 3, 3'),
    withLines('Content-Length: +3'),
    withLines('Content-Length:'),
    withLines('Transfer-Encoding: gzip'),
    withLines('Transfer-Encoding: gzip, chunked'),
    withLines('Transfer-Encoding:'),
    withLines('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'),
    withLines('Connection: a b'),
    'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    'HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n',
    'HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n',
    'HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\n',
  ])('%j', (text) => expect(verdict(text)).toBe('UPSTREAM_MALFORMED'))
})

describe('unusual but legal answers are read', () => {
  test.each([
    ['HTTP/1.1 200\r\n\r\n', ''],
    ['HTTP/1.1 200 \r\n\r\n', ''],
    ['HTTP/1.1 200  OK\r\n\r\n', ' OK'],
    ['HTTP/1.1 200 Fine\r\n\r\n', 'Fine'],
    ['HTTP/1.1 200 OK\r\n\r\n', ''],
    ['HTTP/1.1 599 \xe9\r\n\r\n', '\xe9'],
  ])('%j has the reason %j', (text, reason) => {
    const { result, exchange } = parse(text)
    expect(result).toBe(text.length)
    expect(exchange.reason).toBe(reason)
  })

  test('a head that exceeds its bounds has its own code', () => {
    expect(verdict(withLines('A: ' + 'x'.repeat(1024)))).toBe('UPSTREAM_HEADERS_TOO_LARGE')
    expect(verdict(withLines(...Array.from({ length: 9 }, () => 'A: b')))).toBe(
      'UPSTREAM_HEADERS_TOO_LARGE',
    )
    expect(verdict('HTTP/1.1 200 ' + 'x'.repeat(1024))).toBe('UPSTREAM_HEADERS_TOO_LARGE')
  })
})

describe('the end of a body is where RFC 9112 section 6.3 puts it', () => {
  test.each([
    ['GET', withLines('Content-Length: 5'), BODY_LENGTH, 5, true],
    ['GET', withLines('Content-Length: 0'), BODY_LENGTH, 0, true],
    ['GET', withLines('Transfer-Encoding: chunked'), BODY_CHUNKED, 0, true],
    ['GET', withLines(), BODY_CLOSE, 0, false],
    ['GET', withLines('Content-Length: 5', 'Connection: close'), BODY_LENGTH, 5, false],
    ['GET', 'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n', BODY_LENGTH, 5, false],
    [
      'GET',
      'HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n',
      BODY_LENGTH,
      5,
      true,
    ],
    ['HEAD', withLines('Content-Length: 5'), BODY_NONE, 0, true],
    ['HEAD', withLines('Transfer-Encoding: chunked'), BODY_NONE, 0, true],
    ['HEAD', withLines(), BODY_NONE, 0, true],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', BODY_NONE, 0, true],
    ['GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n', BODY_NONE, 0, true],
    ['GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n', BODY_NONE, 0, false],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', BODY_NONE, 0, true],
    ['GET', 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n', BODY_NONE, 0, true],
  ])('%s %j', (method, text, kind, length, keepAlive) => {
    const { result, exchange, parser } = parse(text, method === 'HEAD' ? METHOD_HEAD : METHOD_GET)
    expect(result).toBe(text.length)
    expect([exchange.responseKind, exchange.responseLength]).toEqual([kind, length])
    expect(exchange.endsWithConnection).toBe(kind === BODY_CLOSE)
    expect(parser.keepAlive).toBe(keepAlive)
    expect(parser.contentLengthSeen).toBe(text.includes('Content-Length'))
  })
})

describe('hop-by-hop lines', () => {
  test('are dropped with those that Connection names, and nothing else is', () => {
    const { exchange } = parse(
      withLines(
        'Connection: X-Hop, keep-alive, Content-Length',
        'Keep-Alive: timeout=5',
        'X-Hop: 1',
        'Upgrade: h2c',
        'Content-Length: 5',
        'Trailer: X-Sum',
        'Set-Cookie: a',
      ),
    )
    const { ids, count } = exchange.response
    const kept = Array.from({ length: count }, (_, line) => line).filter(
      (line) => ids[line] !== DROPPED,
    )
    expect(kept.map((line) => exchange.response.spellingAt(line))).toEqual([
      'Content-Length',
      'Trailer',
      'Set-Cookie',
    ])
  })

  test('a switch of protocols counts with both headers only, and keeps its Upgrade line', () => {
    const switched = parse('HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    expect(switched.parser.upgrade).toBe(true)
    expect(switched.exchange.response.get('upgrade')).toBe('websocket')
    expect(switched.exchange.response.get('connection')).toBe(null)
    expect(parse('HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n').parser.upgrade).toBe(false)
    expect(parse('HTTP/1.1 101 X\r\nConnection: Upgrade\r\n\r\n').parser.upgrade).toBe(false)
    expect(parse(withLines('Connection: Upgrade', 'Upgrade: x')).parser.upgrade).toBe(false)
  })

  test('a second head on the same exchange forgets the first', () => {
    const { exchange, parser } = parse('HTTP/1.1 103 Early Hints\r\nLink: x\r\nA: b\r\n\r\n')
    const bytes = Buffer.from(withLines('Content-Length: 1'))
    parser.reset()
    expect(parser.parse(exchange, bytes, 0, bytes.length, LIMITS)).toBe(bytes.length)
    expect(exchange.response.count).toBe(1)
    expect(exchange.status).toBe(200)
  })

  test('a response with a length after one that ended with its connection does not end so', () => {
    const { exchange, parser } = parse(withLines())
    const bytes = Buffer.from(withLines('Content-Length: 1'))
    expect(exchange.endsWithConnection).toBe(true)
    parser.reset()
    parser.parse(exchange, bytes, 0, bytes.length, LIMITS)
    expect(exchange.endsWithConnection).toBe(false)
  })
})
