// core/h2/upstream.test.ts: heads of requests to HTTP/2 servers, and what their responses become.

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NONE, errorTable } from '../errors.ts'
import {
  BODY_CHUNKED,
  BODY_LENGTH,
  BODY_NONE,
  Exchange,
  METHOD_GET,
  METHOD_HEAD,
} from '../exchange.ts'
import { Head, linesOf } from '../headers.ts'
import { ResponseParser } from '../h1/response.ts'
import { responseHead } from '../h1/write.ts'
import { HpackDecoder } from './hpack-decoder.ts'
import type { Field } from './hpack-table.ts'
import { RequestBlock } from './upstream-request.ts'
import { readResponse, readTrailers } from './upstream-response.ts'

const block = new RequestBlock()

function decoded(): string[] {
  const list: string[] = []
  const sink = { field: ({ name, value }: Field) => list.push(name.text, value) }
  expect(new HpackDecoder(0).decode(block.bytes, 0, block.length, sink)).toBe(true)
  return list
}

function fields(line: string, ...lines: string[]): string[] {
  block.write([line, 'Host: a.test', ...lines, '', ''].join('\r\n'), 'https', 'own.test', '')
  return decoded()
}

const POST = 'POST /a?b HTTP/1.1'

describe('fields of a request', () => {
  test('pseudo fields come first, names are lower case, values are trimmed', () => {
    expect(fields(POST, 'X-Mixed: \t v w \t', 'Accept:*/*', 'X-Empty:')).toEqual([
      ':method',
      'POST',
      ':scheme',
      'https',
      ':path',
      '/a?b',
      ':authority',
      'a.test',
      'x-mixed',
      'v w',
      'accept',
      '*/*',
      'x-empty',
      '',
    ])
    expect(fields('PATCH / HTTP/1.1').slice(0, 6)).toEqual([
      ':method',
      'PATCH',
      ':scheme',
      'https',
      ':path',
      '/',
    ])
  })

  test('framing and connection headers of HTTP/1 stay behind', () => {
    const gone = ['Transfer-Encoding: chunked', 'Connection: Upgrade', 'Upgrade: x']
    expect(fields(POST, ...gone, 'TE: trailers').slice(8)).toEqual(['te', 'trailers'])
  })

  test('a WebSocket is asked for by an extended CONNECT, without its key', () => {
    const head =
      'GET /chat HTTP/1.1\r\nHost: a.test\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n'
    block.write(head, 'http', 'own.test', 'websocket')
    expect(decoded()).toEqual([
      ':method',
      'CONNECT',
      ':protocol',
      'websocket',
      ':scheme',
      'http',
      ':path',
      '/chat',
      ':authority',
      'a.test',
      'sec-websocket-version',
      '13',
    ])
  })

  test('a request without Host gets the authority of the server', () => {
    block.write('GET / HTTP/1.1\r\nHost: \r\n\r\n', 'http', 'own.test', '')
    expect(decoded().slice(6)).toEqual([':authority', 'own.test'])
  })

  test('credentials are never to be kept in a table', () => {
    fields(POST, 'Authorization: Bearer x')
    const name = block.bytes.subarray(0, block.length).indexOf(Buffer.of(0x1f, 23 - 15))
    expect(name).toBeGreaterThan(0)
  })

  test('a head of 64 KiB is written whole', () => {
    const lines = Array.from({ length: 64 }, (_, i) => `X-${i}: ${'v'.repeat(1000)}`)
    expect(fields(POST, ...lines).slice(-2)).toEqual(['x-63', 'v'.repeat(1000)])
  })
})

test('trailers of a request lose what was dropped, and keep what was added', () => {
  const head = new Head()
  readTrailers(head, ['x-a', '1', 'x-b', '2'])
  head.drop(0)
  head.add('X-C', '3')
  block.writeTrailers(head)
  expect(decoded()).toEqual(['x-b', '2', 'x-c', '3'])
})

function read(list: readonly string[], methodId = METHOD_GET, ended = false) {
  const exchange = new Exchange()
  exchange.reset()
  exchange.methodId = methodId
  exchange.endsWithConnection = true // of another server, by HTTP/1, before a retry
  const code = readResponse(exchange, list, ended)
  return { exchange, name: errorTable[code]!.name, ok: code === NONE }
}

describe('a response', () => {
  test('has the head that it would have had in HTTP/1.1', () => {
    const { exchange } = read([':status', '200', 'content-type', 'text/plain', 'x-a', ''])
    expect(responseHead(exchange, '', '')).toBe(
      'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-a: \r\nTransfer-Encoding: chunked\r\n\r\n',
    )
    expect(exchange.response.get('content-type')).toBe('text/plain')
  })

  test.each([
    [['content-length', '5'], METHOD_GET, false, BODY_LENGTH, 5],
    [[], METHOD_GET, false, BODY_CHUNKED, 0],
    [[], METHOD_GET, true, BODY_LENGTH, 0],
    [['content-length', '5'], METHOD_HEAD, true, BODY_NONE, 0],
  ])('with %j has its end told as it should', (list, methodId, ended, kind, length) => {
    const { exchange, ok } = read([':status', '200', ...list], methodId, ended)
    expect([ok, exchange.responseKind, exchange.responseLength]).toEqual([true, kind, length])
    expect(exchange.endsWithConnection).toBe(false)
  })

  test('keeps to itself what is meant for one connection', () => {
    const { exchange } = read([':status', '407', 'proxy-authenticate', 'Basic', 'te', 'trailers'])
    expect(linesOf(exchange.response, exchange.response.linesStart)).toBe('')
  })

  test.each([
    [[]],
    [['x-a', '1', ':status', '200']],
    [[':status', '']],
    [[':status', '099']],
    [[':status', '20']],
    [[':status', '101']],
    [[':status', '200', ':status', '200']],
    [[':status', '200', 'Upper', '1']],
    [[':status', '200', '', '1']],
    [[':status', '200', 'a b', '1']],
    [[':status', '200', 'a:', '1']],
    [[':status', '200', 'a', '1\r\nb: 2']],
    [[':status', '200', 'a', '1\0']],
    [[':status', '200', 'a', ' 1']],
    [[':status', '200', 'a', '\u0100']],
    [[':status', '200', 'connection', 'close']],
    [[':status', '200', 'transfer-encoding', 'chunked']],
    [[':status', '200', 'content-length', '1', 'content-length', '1']],
    [[':status', '200', 'content-length', '01']],
    [[':status', '200', 'content-length', '-1']],
    [[':status', '103', 'content-length', '1']],
  ])('of %j is refused', (list) => {
    expect(read(list).name).toBe('UPSTREAM_MALFORMED')
  })

  test('that ends with its head may announce no body', () => {
    expect(read([':status', '200', 'content-length', '1'], METHOD_GET, true).ok).toBe(false)
  })

  test('is bounded in fields and bytes', () => {
    const many = Array.from({ length: 257 }, () => ['a', '1']).flat()
    expect(read([':status', '200', ...many]).name).toBe('UPSTREAM_HEADERS_TOO_LARGE')
    const huge = ['a', 'x'.repeat(128 * 1024)]
    expect(read([':status', '200', ...huge]).name).toBe('UPSTREAM_HEADERS_TOO_LARGE')
  })
})

test('trailers become lines; those that HTTP/1 refuses are refused', () => {
  const head = new Head()
  expect(readTrailers(head, ['grpc-status', '0', 'x-bin', 'AA=='])).toBe(NONE)
  expect(linesOf(head, head.linesStart)).toBe('grpc-status: 0\r\nx-bin: AA==\r\n')
  for (const name of ['content-length', 'host', ':status', 'set-cookie', 'x-forwarded-for', 'X']) {
    expect(readTrailers(head, [name, '0'])).not.toBe(NONE)
  }
})

const text = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)),
  maxLength: 12,
})

test('whatever fields are taken, the HTTP/1 codec reads the head that is made of them in the same way', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text), { maxLength: 6 }), (pairs) => {
      const { exchange, ok } = read([':status', '200', ...pairs.flat()])
      if (!ok) return
      const bytes = Buffer.from(exchange.response.text, 'latin1')
      const again = new Exchange()
      again.reset()
      again.methodId = METHOD_GET
      const limits = { headBytesMax: 65_536, headerCountMax: 100 }
      expect(new ResponseParser().parse(again, bytes, 0, bytes.length, limits)).toBe(bytes.length)
      const names = (e: Exchange) =>
        Array.from({ length: e.response.count }, (_, i) => e.response.valueAt(i))
      expect(names(again)).toEqual(names(exchange))
    }),
  )
})
