// core/h1/write.test.ts: what leaves Sluice has one framing, no hop-by-hop lines and no byte it should not.

import { describe, expect, test } from 'vitest'
import {
  BODY_CHUNKED,
  BODY_CLOSE,
  BODY_LENGTH,
  BODY_NONE,
  Exchange,
  METHOD_HEAD,
  SAW_EXPECT,
} from '../exchange.ts'
import { RequestParser } from './request.ts'
import { ResponseParser } from './response.ts'
import { chunkHead, lastChunk, requestHead, responseHead } from './write.ts'

const LIMITS = { headBytesMax: 65_536, headerCountMax: 128 }

function request(...lines: string[]): Exchange {
  const exchange = new Exchange()
  exchange.reset()
  const bytes = Buffer.from([...lines, '', ''].join('\r\n'), 'latin1')
  expect(new RequestParser().parse(exchange, bytes, 0, bytes.length, LIMITS)).toBe(bytes.length)
  return exchange
}

function response(exchange: Exchange, ...lines: string[]): Exchange {
  const bytes = Buffer.from([...lines, '', ''].join('\r\n'), 'latin1')
  const parser = new ResponseParser()
  expect(parser.parse(exchange, bytes, 0, bytes.length, LIMITS)).toBe(bytes.length)
  return exchange
}

const get = (...lines: string[]): Exchange => request('GET /a?b HTTP/1.1', 'Host: h', ...lines)
const head = (...lines: string[]): string => [...lines, '', ''].join('\r\n')

describe('requests', () => {
  test('an ordinary one is the text it came in plus the forwarded lines', () => {
    expect(requestHead(get('Accept: */*'), 'X-Real-Ip: 1\r\n')).toBe(
      head('GET /a?b HTTP/1.1', 'Host: h', 'Accept: */*', 'X-Real-Ip: 1'),
    )
  })

  test('hop-by-hop and nominated lines are dropped; protected ones stay', () => {
    const exchange = get(
      'Connection: X-A, host, x-forwarded-for, x_real_ip, content-length, close, X-B',
      'X-A: 1',
      'Keep-Alive: 1',
      'Proxy-Connection: x',
      'Proxy-Authorization: x',
      'TE: gzip',
      'HTTP2-Settings: x',
      'X-B: 1',
      'X-Forwarded-For: 1',
      'X_Real_Ip: 1',
      'Content-Length: 0',
      'Trailer: X',
    )
    expect(requestHead(exchange, '')).toBe(
      head(
        'GET /a?b HTTP/1.1',
        'Host: h',
        'X-Forwarded-For: 1',
        'X_Real_Ip: 1',
        'Content-Length: 0',
        'Trailer: X',
      ),
    )
  })

  test('a chunked body is announced by us, and TE: trailers is passed on alone', () => {
    const exchange = get('Transfer-Encoding: Chunked', 'TE: trailers, gzip')
    expect(requestHead(exchange, '')).toBe(
      head('GET /a?b HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked', 'TE: trailers'),
    )
  })

  test('an upgrade keeps its Upgrade line; one to h2c loses it', () => {
    expect(requestHead(get('Connection: Upgrade', 'uPGRADE: websocket'), '')).toBe(
      head('GET /a?b HTTP/1.1', 'Host: h', 'uPGRADE: websocket', 'Connection: Upgrade'),
    )
    const clear = get('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: x')
    expect(requestHead(clear, '')).toBe(head('GET /a?b HTTP/1.1', 'Host: h'))
  })

  test('HTTP/1.0 and absolute-form become HTTP/1.1 in origin-form with the right Host', () => {
    expect(requestHead(request('GET /x HTTP/1.0', 'A: b'), '')).toBe(
      head('GET /x HTTP/1.1', 'Host: ', 'A: b'),
    )
    expect(requestHead(request('GET http://real/x?y HTTP/1.1', 'Host: other'), '')).toBe(
      head('GET /x?y HTTP/1.1', 'Host: real'),
    )
    expect(requestHead(request('OPTIONS http://real HTTP/1.1', 'Host: other'), '')).toBe(
      head('OPTIONS * HTTP/1.1', 'Host: real'),
    )
  })

  test('a changed path and another host are sent as the exchange has them', () => {
    const exchange = get('A: b')
    exchange.path = '/new'
    exchange.query = 'q=1'
    exchange.hasQuery = true
    exchange.pathChanged = true
    exchange.forwardHost = 'server:8080'
    expect(requestHead(exchange, '')).toBe(
      head('GET /new?q=1 HTTP/1.1', 'Host: server:8080', 'A: b'),
    )
  })

  test('a path or host that would end the line is not sent', () => {
    for (const path of ['/a b', '/a\r\nX: y', '/a\n', '/\xff\x00', '/a#b']) {
      const exchange = get()
      exchange.path = path
      exchange.pathChanged = true
      expect(requestHead(exchange, '')).toBe('')
    }
    const exchange = get()
    exchange.forwardHost = 'a\r\nX: y'
    expect(requestHead(exchange, '')).toBe('')
  })

  test('the length sent is the length counted, and extras cannot frame', () => {
    const exchange = get('Content-Length: 5')
    exchange.bodyLength = 7
    exchange.request.add('Content-Length', '9')
    exchange.request.add('transfer-encoding', 'chunked')
    exchange.request.add('HOST', 'x')
    exchange.request.add('X-Ok', '1')
    expect(requestHead(exchange, '')).toBe(
      head('GET /a?b HTTP/1.1', 'Host: h', 'X-Ok: 1', 'Content-Length: 7'),
    )
    const emptied = get('Content-Length: 5')
    emptied.bodyKind = BODY_NONE
    expect(requestHead(emptied, '')).toBe(head('GET /a?b HTTP/1.1', 'Host: h'))
    const rechunked = get('Content-Length: 5')
    rechunked.bodyKind = BODY_CHUNKED
    expect(requestHead(rechunked, '')).toBe(
      head('GET /a?b HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked'),
    )
  })

  test('Expect is passed on while the exchange says so', () => {
    expect(requestHead(get('Expect: 100-continue'), '')).toContain('Expect: 100-continue\r\n')
    const answered = get('Expect: 100-continue')
    answered.facts &= ~SAW_EXPECT
    expect(requestHead(answered, '')).not.toContain('Expect')
    expect(requestHead(request('GET / HTTP/1.0', 'Expect: 100-continue'), '')).not.toContain(
      'Expect',
    )
  })

  test('building twice, as a retry does, gives the same head', () => {
    const exchange = get('Connection: X-A', 'X-A: 1', 'Content-Length: 3')
    expect(requestHead(exchange, 'A: b\r\n')).toBe(requestHead(exchange, 'A: b\r\n'))
  })
})

describe('responses', () => {
  test('an ordinary one is the text it came in', () => {
    const exchange = response(
      get(),
      'HTTP/1.1 200 OK',
      'Date: x',
      'Content-Length: 5',
      'Connection: keep-alive',
    )
    expect(responseHead(exchange, '', 'now')).toBe(
      head('HTTP/1.1 200 OK', 'Date: x', 'Content-Length: 5'),
    )
  })

  test('unknown lengths are chunked to HTTP/1.1 and close-delimited to HTTP/1.0', () => {
    for (const line of ['Transfer-Encoding: chunked', 'A: b']) {
      const to11 = responseHead(response(get(), 'HTTP/1.1 200 OK', line), '', '')
      expect(to11).toContain('Transfer-Encoding: chunked\r\n')
      const old = response(request('GET / HTTP/1.0'), 'HTTP/1.1 200 OK', line)
      expect([BODY_CHUNKED, BODY_CLOSE]).toContain(old.responseKind)
      expect(responseHead(old, 'close', '')).not.toContain('Transfer-Encoding')
      expect(responseHead(old, 'close', '')).toContain('Connection: close\r\n')
    }
  })

  test('HEAD and 304 keep their length; 204 and 1xx lose it', () => {
    const exchange = request('HEAD / HTTP/1.1', 'Host: h')
    expect(exchange.methodId).toBe(METHOD_HEAD)
    expect(responseHead(response(exchange, 'HTTP/1.1 200 OK', 'Content-Length: 5'), '', '')).toBe(
      head('HTTP/1.1 200 OK', 'Content-Length: 5'),
    )
    expect(
      responseHead(response(get(), 'HTTP/1.1 304 Not Modified', 'Content-Length: 5'), '', ''),
    ).toBe(head('HTTP/1.1 304 Not Modified', 'Content-Length: 5'))
    expect(
      responseHead(response(get(), 'HTTP/1.1 204 No Content', 'Content-Length: 0'), '', ''),
    ).toBe(head('HTTP/1.1 204 No Content'))
    expect(responseHead(response(get(), 'HTTP/1.1 103 Early Hints', 'Link: x'), '', 'now')).toBe(
      head('HTTP/1.1 103 Early Hints', 'Link: x'),
    )
  })

  test('a status line of HTTP/1.0 or a changed status is made anew', () => {
    const old = response(get(), 'HTTP/1.0 404 Nope', 'Content-Length: 0')
    expect(responseHead(old, '', '')).toBe(head('HTTP/1.1 404 Nope', 'Content-Length: 0'))
    const changed = response(get(), 'HTTP/1.1 500 Internal Server Error', 'Content-Length: 0')
    changed.status = 503
    expect(responseHead(changed, '', '')).toBe(
      head('HTTP/1.1 503 Service Unavailable', 'Content-Length: 0'),
    )
  })

  test('a local answer has its length, date and extras, and only one of each', () => {
    const exchange = get()
    exchange.answer(404, 1, 'not here', 'text/plain')
    exchange.response.add('Content-Length', '99')
    expect(responseHead(exchange, 'keep-alive', 'now')).toBe(
      head(
        'HTTP/1.1 404 Not Found',
        'Content-Type: text/plain',
        'Content-Length: 8',
        'Connection: keep-alive',
        'Date: now',
      ),
    )
    exchange.response.set('Date', 'then')
    expect(responseHead(exchange, '', 'now')).not.toContain('now')
  })

  test('101 announces the switch', () => {
    const exchange = response(
      get(),
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: x',
      'connection: upgrade',
    )
    expect(responseHead(exchange, '', '')).toBe(
      head('HTTP/1.1 101 Switching Protocols', 'Upgrade: x', 'Connection: Upgrade'),
    )
  })

  test('a body that a middleware changed is framed by what the exchange says', () => {
    const exchange = response(get(), 'HTTP/1.1 200 OK', 'Content-Length: 5')
    exchange.responseKind = BODY_CHUNKED
    expect(responseHead(exchange, '', '')).toBe(
      head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'),
    )
    exchange.responseKind = BODY_LENGTH
    exchange.responseLength = 3
    expect(responseHead(exchange, '', '')).toBe(head('HTTP/1.1 200 OK', 'Content-Length: 3'))
  })
})

test('chunks are framed in hexadecimal, and the last one carries trailers', () => {
  expect([chunkHead(1), chunkHead(255), chunkHead(4096), chunkHead(65_536)]).toEqual([
    '1\r\n',
    'ff\r\n',
    '1000\r\n',
    '10000\r\n',
  ])
  expect(lastChunk(null)).toBe('0\r\n\r\n')
  const trailers = get('X-Sum: 1').request
  expect(lastChunk(trailers)).toBe('0\r\nHost: h\r\nX-Sum: 1\r\n\r\n')
})
