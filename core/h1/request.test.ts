// core/h1/request.test.ts: what the request parser reads, notes and refuses.

import { describe, expect, test } from 'vitest'
import { errorTable } from '../errors.ts'
import {
  BODY_CHUNKED,
  BODY_LENGTH,
  BODY_NONE,
  Exchange,
  FORM_ABSOLUTE,
  FORM_ASTERISK,
  FORM_AUTHORITY,
  FORM_ORIGIN,
  METHOD_CONNECT,
  METHOD_OTHER,
  SAW_ALIAS,
  SAW_CLOSE,
  SAW_EXPECT,
  SAW_HOP,
  SAW_KEEP_ALIVE,
  SAW_MANAGED,
  SAW_NOMINATED,
  SAW_PATH_ODD,
  SAW_SEMICOLON,
  SAW_TE_TRAILERS,
  SAW_UPGRADE,
  methodNames,
} from '../exchange.ts'
import { RequestParser } from './request.ts'
import { originTarget, pathStart } from './target.ts'

const LIMITS = { headBytesMax: 4096, headerCountMax: 16 }

function parse(text: string, limits = LIMITS): { result: number; exchange: Exchange } {
  const bytes = Buffer.from(text, 'latin1')
  const exchange = new Exchange()
  exchange.reset()
  return { result: new RequestParser().parse(exchange, bytes, 0, bytes.length, limits), exchange }
}

// The name of the code, 'more', or 'ok'.
function verdict(text: string, limits = LIMITS): string {
  const { result } = parse(text, limits)
  if (result === 0) return 'more'
  return result > 0 ? 'ok' : errorTable[-result]!.name
}

// A head with these lines, and Host unless they have it.
function withLines(...lines: string[]): string {
  return ['POST / HTTP/1.1', 'Host: a', ...lines, '', ''].join('\r\n')
}

function facts(...lines: string[]): number {
  const { result, exchange } = parse(withLines(...lines))
  expect(result).toBeGreaterThan(0)
  return exchange.facts
}

describe('what uWebSockets.js got wrong is refused or read as RFC 9112 says', () => {
  test.each([
    ['an empty header name', withLines(': x'), 'HEADER_NAME'],
    ['two different lengths', withLines('Content-Length: 3', 'Content-Length: 5'), 'LENGTH_DOUBLE'],
    ['two equal lengths', withLines('Content-Length: 3', 'Content-Length: 3'), 'LENGTH_DOUBLE'],
    ['an empty length', withLines('Content-Length:'), 'LENGTH_INVALID'],
    ['identity', withLines('Transfer-Encoding: identity'), 'TRANSFER_ENCODING'],
    ['gzip', withLines('Transfer-Encoding: gzip'), 'TRANSFER_ENCODING'],
    ['xchunked', withLines('Transfer-Encoding: xchunked'), 'TRANSFER_ENCODING'],
    ['gzip, chunked', withLines('Transfer-Encoding: gzip, chunked'), 'TRANSFER_ENCODING'],
    [
      'a second encoding line',
      withLines('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'),
      'TRANSFER_ENCODING',
    ],
    ['Chunked', withLines('Transfer-Encoding: Chunked'), 'ok'],
    [
      'an empty encoding beside a length',
      withLines('Transfer-Encoding:', 'Content-Length: 3'),
      'TRANSFER_ENCODING',
    ],
    [
      'both framings',
      withLines('Transfer-Encoding: chunked', 'Content-Length: 3'),
      'LENGTH_WITH_CHUNKED',
    ],
    ['a method that is no token', 'G@T / HTTP/1.1\r\nHost: a\r\n\r\n', 'REQUEST_METHOD'],
    ['a raw #', 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n', 'REQUEST_FRAGMENT'],
    ['DEL in the target', 'GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n', 'REQUEST_TARGET'],
    ['raw non-ASCII in the target', 'GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n', 'REQUEST_TARGET'],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', 'ok'],
    ['the absolute form', 'GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n', 'ok'],
    ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 'ok'],
    ['two Host lines', withLines('Host: a'), 'HOST_DOUBLE'],
    ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 'HOST_INVALID'],
  ])('%s', (_name, text, wanted) => expect(verdict(text)).toBe(wanted))
})

describe('heads that could be read in two ways are refused', () => {
  test.each([
    ['HEADER_FOLD', withLines('A: b', ' c')],
    ['HEADER_FOLD', withLines('A: b', '\tc')],
    ['REQUEST_LINE_END', 'GET / HTTP/1.1\nHost: a\n\n'],
    ['REQUEST_LINE_END', 'GET / HTTP/1.1\r\nHost: a\n\r\n'],
    ['REQUEST_LINE_END', 'GET / HTTP/1.1\rHost: a\r\n\r\n'],
    ['REQUEST_LINE_END', withLines('A: b\rC: d')],
    ['REQUEST_LINE_END', 'GET / HTTP/1.1\r\nHost: a\r\n\n'],
    ['REQUEST_LINE_END', 'GET / HTTP/1.1\r\nHost: a\r\n\rX'],
    ['REQUEST_LINE_END', '\nGET / HTTP/1.1\r\n'],
    ['REQUEST_LINE', '\r\n\r\n\r\nGET / HTTP/1.1\r\n'],
    ['HEADER_VALUE', withLines('A: b\0c')],
    ['HEADER_VALUE', withLines('A: b\x7fc')],
    ['HEADER_VALUE', withLines('A: b\x0bc')],
    ['HEADER_NAME', withLines('A : b')],
    ['HEADER_NAME', withLines('A\t: b')],
    ['HEADER_NAME', withLines('A')],
    ['HEADER_NAME', withLines('A\xe9: b')],
    ['HEADER_NAME', withLines('Transfer_Encoding: chunked')],
    ['HEADER_NAME', withLines('content.length: 5')],
    ['REQUEST_METHOD', ' GET / HTTP/1.1\r\n'],
    ['REQUEST_METHOD', 'A'.repeat(33) + ' / HTTP/1.1\r\n'],
    ['REQUEST_METHOD', '\x16\x03\x01'],
    ['REQUEST_LINE', 'GET\r\n'],
    ['REQUEST_TARGET', 'GET  / HTTP/1.1\r\n'],
    ['REQUEST_TARGET', 'GET a HTTP/1.1\r\n'],
    ['REQUEST_TARGET', 'GET * HTTP/1.1\r\n'],
    ['REQUEST_TARGET', 'GET ftp://a/ HTTP/1.1\r\n'],
    ['REQUEST_TARGET', 'GET http:///a HTTP/1.1\r\n'],
    ['REQUEST_TARGET', 'GET http://u:p@a/ HTTP/1.1\r\n'],
    ['REQUEST_TARGET', 'GET a:80 HTTP/1.1\r\n'],
    ['REQUEST_TARGET', 'CONNECT /a HTTP/1.1\r\n'],
    ['REQUEST_TARGET', 'CONNECT a HTTP/1.1\r\n'],
    ['REQUEST_TARGET', 'GET /\t HTTP/1.1\r\n'],
    ['PATH_ENCODING', 'GET /%zz HTTP/1.1\r\n'],
    ['PATH_ENCODING', 'GET /%a HTTP/1.1\r\n'],
    ['PATH_ENCODING', 'GET http://a/% HTTP/1.1\r\n'],
    ['REQUEST_LINE', 'GET / b HTTP/1.1\r\n'],
    ['REQUEST_LINE', 'GET / http/1.1\r\n'],
    ['REQUEST_LINE', 'GET / HTTP/1.1 \r\n'],
    ['REQUEST_VERSION', 'GET /\r\n'],
    ['REQUEST_VERSION', 'GET / HTTP/1.2\r\n'],
    ['REQUEST_VERSION', 'GET / HTTP/0.9\r\n'],
    ['REQUEST_VERSION', 'GET / HTTP/2.0\r\n'],
    ['REQUEST_VERSION', 'GET / HTTP/1.10\r\n'],
    ['HTTP2_PREFACE', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HOST_MISSING', 'GET / HTTP/1.1\r\n\r\n'],
    ['HOST_MISSING', 'GET http://a/ HTTP/1.1\r\n\r\n'],
    ['HOST_INVALID', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n'],
    ['HOST_INVALID', 'GET / HTTP/1.0\r\nHost: a/b\r\n\r\n'],
    ['HOST_INVALID', 'GET http://a/ HTTP/1.1\r\nHost: b?c\r\n\r\n'],
    ['LENGTH_INVALID', withLines('Content-Length: +3')],
    ['LENGTH_INVALID', withLines('Content-Length: -3')],
    ['LENGTH_INVALID', withLines('Content-Length: 0x3')],
    ['LENGTH_INVALID', withLines('Content-Length: 3, 3')],
    ['LENGTH_INVALID', withLines('Content-Length: 3 3')],
    ['LENGTH_INVALID', withLines('Content-Length: 010')],
    ['LENGTH_INVALID', withLines('Content-Length: 9007199254740992')],
    ['LENGTH_INVALID', withLines('Content-Length: 18446744073709551621')],
    ['TRANSFER_ENCODING', withLines('Transfer-Encoding: chunked, chunked')],
    ['TRANSFER_ENCODING', withLines('Transfer-Encoding:\tchunked')],
    ['TRANSFER_ENCODING', withLines('Transfer-Encoding: chunked\t')],
    ['TRANSFER_ENCODING', withLines('Transfer-Encoding: "chunked"')],
    ['TRANSFER_ENCODING', withLines('Transfer-Encoding: chunked;q=1')],
    ['TRANSFER_ENCODING_10', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['EXPECTATION', withLines('Expect: 200-ok')],
    ['EXPECTATION', withLines('Expect: 100-continue', 'Expect: 100-continue')],
    ['HEADER_VALUE', withLines('Connection: a b')],
    ['HEADER_VALUE', withLines('Connection: ' + 'x,'.repeat(33))],
    ['HEADER_VALUE', withLines('Connection: upgrade', 'Upgrade: a b')],
    ['UPGRADE_WITH_BODY', withLines('Connection: upgrade', 'Upgrade: x', 'Content-Length: 1')],
    [
      'UPGRADE_WITH_BODY',
      withLines('Connection: upgrade', 'Upgrade: x', 'Transfer-Encoding: chunked'),
    ],
  ])('%s: %j', (wanted, text) => expect(verdict(text)).toBe(wanted))

  test('every control byte is refused in a value, and HTAB and obs-text are not', () => {
    for (let c = 0; c < 256; c++) {
      const legal = c === 9 || (c >= 32 && c !== 127)
      expect(verdict(withLines(`A: x${String.fromCharCode(c)}y`)) === 'ok', `byte ${c}`).toBe(legal)
    }
  })
})

describe('a head has bounds', () => {
  test('a head of exactly headBytesMax is read and one byte more is not', () => {
    const text = withLines('A: ' + 'x'.repeat(100))
    expect(verdict(text, { headBytesMax: text.length, headerCountMax: 9 })).toBe('ok')
    expect(verdict(text, { headBytesMax: text.length - 1, headerCountMax: 9 })).toBe(
      'HEADERS_TOO_LARGE',
    )
  })

  test('a request line that alone exceeds the bound is 414', () => {
    const text = `GET /${'a'.repeat(200)} HTTP/1.1\r\n`
    expect(verdict(text, { headBytesMax: 100, headerCountMax: 9 })).toBe('TARGET_TOO_LONG')
    expect(errorTable.find((fact) => fact.name === 'TARGET_TOO_LONG')!.status).toBe(414)
  })

  test('one line more than headerCountMax is 431, and nothing is dropped in silence', () => {
    const lines = Array.from({ length: 15 }, (_, i) => `X-${i}: 1`)
    expect(verdict(withLines(...lines))).toBe('ok')
    expect(verdict(withLines(...lines, 'Y: 1'))).toBe('HEADERS_TOO_MANY')
  })
})

describe('what a head says is noted', () => {
  test('the four forms of a target, and whose authority counts', () => {
    const forms: [string, number, string, string][] = [
      ['GET /a?b HTTP/1.1', FORM_ORIGIN, 'h:1', '/a?b'],
      ['GET http://X:2/a?b HTTP/1.1', FORM_ABSOLUTE, 'X:2', '/a?b'],
      ['GET HTTPS://x HTTP/1.1', FORM_ABSOLUTE, 'x', '/'],
      ['GET http://x?q HTTP/1.1', FORM_ABSOLUTE, 'x', '/?q'],
      ['OPTIONS http://x HTTP/1.1', FORM_ABSOLUTE, 'x', '*'],
      ['OPTIONS * HTTP/1.1', FORM_ASTERISK, 'h:1', '*'],
    ]
    for (const [line, form, authority, target] of forms) {
      const { exchange } = parse(line + '\r\nHost: h:1\r\n\r\n')
      expect([exchange.form, exchange.authority, originTarget(exchange)]).toEqual([
        form,
        authority,
        target,
      ])
    }
    const { exchange } = parse('CONNECT x:443 HTTP/1.1\r\nHost: h\r\n\r\n')
    expect([exchange.form, exchange.authority, exchange.methodId]).toEqual([
      FORM_AUTHORITY,
      'x:443',
      METHOD_CONNECT,
    ])
    expect(pathStart(exchange)).toBe(exchange.targetEnd)
  })

  test('methods have numbers, and others keep their text', () => {
    for (let id = 1; id < methodNames.length; id++) {
      const target = id === METHOD_CONNECT ? 'a:1' : '/'
      const { exchange } = parse(`${methodNames[id]} ${target} HTTP/1.0\r\n\r\n`)
      expect([exchange.methodId, exchange.method]).toEqual([id, methodNames[id]])
    }
    for (const name of [
      'get',
      'GETX',
      'PROPFIND',
      'G',
      'GOT',
      'PUSH',
      'POSTS',
      'EXTENSION_METHOD',
    ]) {
      const { exchange } = parse(`${name} / HTTP/1.0\r\n\r\n`)
      expect([exchange.methodId, exchange.method]).toEqual([METHOD_OTHER, name])
    }
  })

  test('body kinds', () => {
    const kinds: [string[], number, number][] = [
      [[], BODY_NONE, 0],
      [['Content-Length: 0'], BODY_LENGTH, 0],
      [['Content-Length: 9007199254740991'], BODY_LENGTH, Number.MAX_SAFE_INTEGER],
      [['transfer-encoding: CHUNKED'], BODY_CHUNKED, 0],
    ]
    for (const [lines, kind, length] of kinds) {
      const { exchange } = parse(withLines(...lines))
      expect([exchange.bodyKind, exchange.bodyLength]).toEqual([kind, length])
    }
  })

  test('facts about the connection', () => {
    expect(facts()).toBe(0)
    expect(facts('Connection: close')).toBe(SAW_HOP | SAW_CLOSE)
    expect(facts('Connection: Keep-Alive')).toBe(SAW_HOP | SAW_KEEP_ALIVE)
    expect(facts('Connection: , x-a ,, CLOSE')).toBe(SAW_HOP | SAW_CLOSE | SAW_NOMINATED)
    expect(facts('Connection: keep-alive, Upgrade', 'Upgrade: websocket')).toBe(
      SAW_HOP | SAW_KEEP_ALIVE | SAW_UPGRADE,
    )
    expect(facts('TE: gzip, trailers')).toBe(SAW_HOP | SAW_TE_TRAILERS)
    expect(facts('Expect: 100-Continue')).toBe(SAW_HOP | SAW_EXPECT)
  })

  test('an upgrade counts only when both headers ask for it, and never to HTTP/2 in clear text', () => {
    expect(facts('Upgrade: websocket') & SAW_UPGRADE).toBe(0)
    expect(facts('Connection: upgrade') & SAW_UPGRADE).toBe(0)
    for (const value of ['h2c', 'websocket, H2C', 'HTTP/2.0', 'h2']) {
      const lines = [
        'Connection: Upgrade, HTTP2-Settings',
        `Upgrade: ${value}`,
        'Content-Length: 3',
      ]
      expect(facts(...lines) & SAW_UPGRADE).toBe(0)
    }
    const old = parse('GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
    expect(old.exchange.facts & SAW_UPGRADE).toBe(0)
  })

  test('an expectation in HTTP/1.0 is ignored', () => {
    const { exchange } = parse('POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n')
    expect(exchange.facts & SAW_EXPECT).toBe(0)
  })

  test('managed headers and aliases', () => {
    expect(facts('X-Forwarded-For: 1', 'x-real-ip: 2')).toBe(SAW_MANAGED)
    expect(facts('X_Forwarded_For: 1')).toBe(SAW_ALIAS)
    expect(facts('X.Y: 1')).toBe(SAW_ALIAS)
    expect(facts('X-Y: a_b.c')).toBe(0)
  })

  test('odd paths and semicolons', () => {
    const odd = (target: string): number => parse(`GET ${target} HTTP/1.0\r\n\r\n`).exchange.facts
    for (const target of ['/', '/a/b.c', '/a/?//', '/a?%zz&/./', 'http://a//']) {
      expect(odd(target) & SAW_PATH_ODD, target).toBe(target === 'http://a//' ? SAW_PATH_ODD : 0)
    }
    for (const target of ['/%41', '//', '/.', '/a/..', '/a/.b', '/\\', '/a//b']) {
      expect(odd(target), target).toBe(SAW_PATH_ODD)
    }
    expect(odd('http://a/b')).toBe(0)
    expect(odd('/a;b?c')).toBe(0)
    expect(odd('/a?b;c')).toBe(SAW_SEMICOLON)
  })

  test('values are trimmed, names keep their spelling, and lines have ids', () => {
    const { exchange } = parse(withLines('X-A:  b c \t ', 'aCCEPT:*/*', 'X-Empty: '))
    const head = exchange.request
    expect(head.get('x-a')).toBe('b c')
    expect(head.spellingAt(2)).toBe('aCCEPT')
    expect(head.nameAt(2)).toBe('accept')
    expect(head.get('x-empty')).toBe('')
    expect(head.count).toBe(4)
    expect(head.text.slice(head.linesStart, head.linesEnd)).toMatch(
      /^Host: a\r\n[^]*X-Empty: \r\n$/,
    )
  })

  test('two empty lines before the request line are skipped and not part of the head', () => {
    const { exchange, result } = parse('\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\nrest')
    expect(result).toBe('\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n'.length)
    expect(exchange.request.text.startsWith('GET /x')).toBe(true)
    expect(exchange.request.text.slice(exchange.targetStart, exchange.targetEnd)).toBe('/x')
  })
})
