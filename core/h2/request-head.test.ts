import { describe, expect, test } from 'vitest'
import {
  CONNECT_REFUSED,
  EXPECTATION,
  H2_AUTHORITY,
  H2_HEAD,
  HEADERS_TOO_LARGE,
  HEADERS_TOO_MANY,
  HEADER_NAME,
  HEADER_VALUE,
  HOST_DOUBLE,
  HOST_INVALID,
  HOST_MISSING,
  LENGTH_DOUBLE,
  LENGTH_INVALID,
  NONE,
  PATH_ENCODING,
  REQUEST_FRAGMENT,
  REQUEST_METHOD,
  REQUEST_TARGET,
  TARGET_TOO_LONG,
  errorTable,
} from '../errors.ts'
import { BODY_LENGTH, Exchange, SAW_ALIAS, SAW_TE_TRAILERS, SAW_UPGRADE } from '../exchange.ts'
import { requestHead } from '../h1/write.ts'
import { Field, FieldName } from './hpack-table.ts'
import { RequestHead } from './request-head.ts'

type Fields = readonly (readonly [name: string, value: string])[]

const limits = { headBytesMax: 1024, headerCountMax: 8 }
const reader = new RequestHead()

function read(fields: Fields): { exchange: Exchange; code: string } {
  const exchange = new Exchange()
  exchange.reset()
  reader.begin(exchange, limits)
  for (const [name, value] of fields) reader.field(new Field(new FieldName(name), value))
  const code = reader.finish(() => 'KEY')
  return { exchange, code: errorTable[code]!.name }
}

const method = [':method', 'GET'] as const
const scheme = [':scheme', 'https'] as const
const authority = [':authority', 'a.test'] as const
const path = [':path', '/p?q'] as const
const plain: Fields = [method, scheme, authority, path]

function nameOf(code: number): string {
  return errorTable[code]!.name
}

test('a plain request becomes the head that HTTP/1 would have brought', () => {
  const { exchange, code } = read([...plain, ['accept', '*/*'], ['x-a', ' b c'.trim()]])
  expect(code).toBe('NONE')
  expect(exchange.request.text).toBe(
    'GET /p?q HTTP/1.1\r\nhost: a.test\r\naccept: */*\r\nx-a: b c\r\n\r\n',
  )
  expect([exchange.method, exchange.authority, exchange.request.get('x-a')]).toEqual([
    'GET',
    'a.test',
    'b c',
  ])
  exchange.path = '/p'
  expect(requestHead(exchange, 'X-F: 1\r\n')).toContain('x-a: b c\r\nX-F: 1\r\n\r\n')
})

test('crumbs of a cookie are joined, wherever they stand', () => {
  const { exchange } = read([...plain, ['cookie', 'a=1'], ['x', 'y'], ['cookie', 'b=2']])
  expect(exchange.request.getAll('cookie')).toEqual(['a=1; b=2'])
})

test('Host stands in for :authority, and may repeat it', () => {
  expect(read([method, scheme, path, ['host', 'b.test']]).exchange.authority).toBe('b.test')
  const both = read([...plain, ['host', 'A.test']])
  expect([both.code, both.exchange.request.getAll('host')]).toEqual(['NONE', ['a.test']])
})

test('what the pipeline wants to know of a head is noted', () => {
  const { exchange } = read([...plain, ['te', 'trailers'], ['content-length', '12'], ['a_b', 'c']])
  expect(exchange.facts & (SAW_TE_TRAILERS | SAW_ALIAS)).toBe(SAW_TE_TRAILERS | SAW_ALIAS)
  expect([exchange.bodyKind, exchange.bodyLength]).toEqual([BODY_LENGTH, 12])
})

test('an extended CONNECT becomes the upgrade of HTTP/1', () => {
  const { exchange, code } = read([
    [':method', 'CONNECT'],
    [':protocol', 'websocket'],
    scheme,
    authority,
    path,
  ])
  expect(code).toBe('NONE')
  expect(exchange.facts & SAW_UPGRADE).toBe(SAW_UPGRADE)
  exchange.path = '/p'
  const head = requestHead(exchange, '')
  expect(head).toContain('GET /p?q HTTP/1.1\r\nhost: a.test\r\n')
  expect(head).toContain('upgrade: websocket\r\nsec-websocket-key: KEY\r\n')
  expect(head).toContain('Connection: Upgrade\r\n')
})

describe('heads that are refused', () => {
  const cases: readonly (readonly [string, Fields, number])[] = [
    ['no method', [scheme, authority, path], H2_HEAD],
    ['no scheme', [method, authority, path], H2_HEAD],
    ['no path', [method, scheme, authority], H2_HEAD],
    ['an empty path', [method, scheme, authority, [':path', '']], H2_HEAD],
    ['no authority and no host', [method, scheme, path], HOST_MISSING],
    ['a pseudo field twice', [...plain, [':path', '/']], H2_HEAD],
    ['a pseudo field behind a regular one', [method, scheme, authority, ['x', 'y'], path], H2_HEAD],
    ['a pseudo field behind all regular ones', [...plain, ['x', 'y'], [':method', 'GET']], H2_HEAD],
    ['an unknown pseudo field', [...plain, [':weird', 'x']], H2_HEAD],
    ['a pseudo field of responses', [...plain, [':status', '200']], H2_HEAD],
    [':protocol without CONNECT', [...plain, [':protocol', 'websocket']], H2_HEAD],
    ['another scheme', [method, [':scheme', 'ftp'], authority, path], H2_HEAD],
    ['a method that is no token', [[':method', 'GE T'], scheme, authority, path], REQUEST_METHOD],
    [
      'a method with a line in it',
      [[':method', 'GET / HTTP/1.1\r\nX:'], scheme, authority, path],
      HEADER_VALUE,
    ],
    ['a long method', [[':method', 'A'.repeat(33)], scheme, authority, path], REQUEST_METHOD],
    ['a capital letter', [...plain, ['X-a', 'b']], HEADER_NAME],
    ['an empty name', [...plain, ['', 'b']], HEADER_NAME],
    ['a space in a name', [...plain, ['x a', 'b']], HEADER_NAME],
    ['a colon in a name', [...plain, ['x:a', 'b']], HEADER_NAME],
    ['a line feed in a name', [...plain, ['x\na', 'b']], HEADER_NAME],
    ['a line feed in a value', [...plain, ['x', 'a\nb: c']], HEADER_VALUE],
    ['a carriage return in a value', [...plain, ['x', 'a\rb']], HEADER_VALUE],
    ['a NUL in a value', [...plain, ['x', 'a\0b']], HEADER_VALUE],
    ['a space before a value', [...plain, ['x', ' a']], HEADER_VALUE],
    ['a tab behind a value', [...plain, ['x', 'a\t']], HEADER_VALUE],
    ['Connection', [...plain, ['connection', 'close']], H2_HEAD],
    ['Keep-Alive', [...plain, ['keep-alive', '5']], H2_HEAD],
    ['Proxy-Connection', [...plain, ['proxy-connection', 'close']], H2_HEAD],
    ['Transfer-Encoding', [...plain, ['transfer-encoding', 'chunked']], H2_HEAD],
    ['Upgrade', [...plain, ['upgrade', 'h2c']], H2_HEAD],
    ['HTTP2-Settings', [...plain, ['http2-settings', 'x']], H2_HEAD],
    ['TE with more than trailers', [...plain, ['te', 'trailers, gzip']], H2_HEAD],
    ['Transfer-Encoding under an alias', [...plain, ['transfer_encoding', 'chunked']], HEADER_NAME],
    ['a Host that says something else', [...plain, ['host', 'b.test']], H2_AUTHORITY],
    ['two Hosts', [...plain, ['host', 'a.test'], ['host', 'a.test']], HOST_DOUBLE],
    ['user information', [method, scheme, [':authority', 'u@a.test'], path], HOST_INVALID],
    ['a path in the authority', [method, scheme, [':authority', 'a.test/x'], path], HOST_INVALID],
    ['an absolute path', [method, scheme, authority, [':path', 'http://b.test/']], REQUEST_TARGET],
    ['a path without slash', [method, scheme, authority, [':path', 'p']], REQUEST_TARGET],
    ['an asterisk for GET', [method, scheme, authority, [':path', '*']], REQUEST_TARGET],
    ['a space in the path', [method, scheme, authority, [':path', '/a b']], REQUEST_TARGET],
    ['a fragment', [method, scheme, authority, [':path', '/a#b']], REQUEST_FRAGMENT],
    ['a bad escape', [method, scheme, authority, [':path', '/%zz']], PATH_ENCODING],
    ['a length that is no number', [...plain, ['content-length', '1,2']], LENGTH_INVALID],
    ['two lengths', [...plain, ['content-length', '1'], ['content-length', '1']], LENGTH_DOUBLE],
    ['another expectation', [...plain, ['expect', 'tea']], EXPECTATION],
    ['CONNECT with a path', [[':method', 'CONNECT'], authority, path], H2_HEAD],
    ['CONNECT without authority', [[':method', 'CONNECT']], H2_HEAD],
    ['CONNECT without port', [[':method', 'CONNECT'], authority], REQUEST_TARGET],
    [
      'CONNECT for another protocol',
      [[':method', 'CONNECT'], [':protocol', 'x'], scheme, authority, path],
      CONNECT_REFUSED,
    ],
    [
      'too many fields',
      [...plain, ...Array.from({ length: 9 }, () => ['cookie', 'a'] as const)],
      HEADERS_TOO_MANY,
    ],
    ['too many bytes', [...plain, ['x', 'y'.repeat(1000)]], HEADERS_TOO_LARGE],
    [
      'too many bytes of cookies',
      [...plain, ['cookie', 'y'.repeat(600)], ['cookie', 'y'.repeat(600)]],
      HEADERS_TOO_LARGE,
    ],
    [
      'too long a path',
      [method, scheme, authority, [':path', '/' + 'y'.repeat(1100)]],
      TARGET_TOO_LONG,
    ],
  ]
  test.each(cases)('%s', (_, fields, code) => {
    expect(read(fields).code).toBe(nameOf(code))
  })

  test('the first error stands, whatever follows', () => {
    expect(read([...plain, ['X', 'y'], ['connection', 'close']]).code).toBe(nameOf(HEADER_NAME))
    expect(read(plain).code).toBe(nameOf(NONE))
  })
})
