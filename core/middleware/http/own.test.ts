// requestSize, alone and with grpcWeb, requestId and maintenance by themselves.

import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { BODY_TOO_LARGE, MAINTENANCE } from '../../errors.ts'
import { BODY_CHUNKED } from '../../exchange.ts'
import { ANSWERED, KEEP, NEXT } from '../contract.ts'
import { contextOf, requestOf, respond } from '../exchange.fixture.ts'
import { GrpcWeb } from './grpc-web.ts'
import { Maintenance } from './maintenance.ts'
import { RequestId } from './request-id.ts'
import { RequestSize } from './request-size.ts'

test('requestSize refuses a declared length at once, and counts a body without one', () => {
  const limit = new RequestSize('limit@file', { maxBytes: 10 })
  const long = requestOf('POST / HTTP/1.1', ['Content-Length: 11'])
  expect([limit.onRequest(long), long.status, long.error]).toEqual([ANSWERED, 413, BODY_TOO_LARGE])
  const fits = requestOf('POST / HTTP/1.1', ['Content-Length: 10'])
  expect([limit.onRequest(fits), fits.requestRewriter]).toEqual([NEXT, null])
  const chunked = requestOf('POST / HTTP/1.1', ['Transfer-Encoding: chunked'])
  expect(limit.onRequest(chunked)).toBe(NEXT)
  const body = chunked.requestRewriter!
  const bytes = Buffer.from('..abcdef..')
  expect(Buffer.from(body.piece(bytes, 2, 8)).toString()).toBe('abcdef')
  expect(body.fault).toBe(0)
  expect(Buffer.from(body.piece(bytes, 0, 4)).toString()).toBe('..ab')
  expect(body.fault).toBe(0)
  body.piece(bytes, 0, 1)
  expect(body.fault).toBe(BODY_TOO_LARGE)
})

const webText = ['Content-Type: application/grpc-web-text', 'Transfer-Encoding: chunked']

test('requestSize counts the body as it came where grpcWeb decodes it later, and as decoded where it did so before', () => {
  const limit = new RequestSize('limit@file', { maxBytes: 6 })
  const web = new GrpcWeb('web@file', { allowOrigins: ['*'] })
  const encoded = Buffer.from(Buffer.from('abcdef').toString('base64'))
  for (const [first, second, fault] of [
    [limit, web, BODY_TOO_LARGE],
    [web, limit, 0],
  ] as const) {
    const exchange = requestOf('POST / HTTP/1.1', webText)
    expect([first.onRequest(exchange), second.onRequest(exchange)]).toEqual([NEXT, NEXT])
    const body = exchange.requestRewriter!
    const out = Buffer.from(body.piece(encoded, 0, encoded.length)).toString()
    expect([out, body.fault]).toEqual([fault === 0 ? 'abcdef' : '', fault])
    body.piece(encoded, 0, 4)
    expect([body.end(null).length, body.fault]).toEqual([0, BODY_TOO_LARGE])
  }
})

test('grpcWeb encodes what a middleware behind it has made of the response', () => {
  const exchange = requestOf('POST / HTTP/1.1', webText)
  const web = new GrpcWeb('web@file', { allowOrigins: ['*'] })
  web.onRequest(exchange)
  respond(exchange, 200, ['Content-Type: application/grpc'])
  exchange.responseKind = BODY_CHUNKED
  const upper = (text: string) => Buffer.from(text.toUpperCase())
  exchange.responseRewriter = {
    fault: 0,
    keepsTrailers: true,
    holdsHead: false,
    fieldsAreFinal: true,
    goesToFile: false,
    piece: (bytes, from, to) => upper(Buffer.from(bytes).toString('latin1', from, to)),
    flush: () => Buffer.alloc(0),
    end: () => Buffer.from('!!!'),
  }
  expect(web.onResponse(exchange)).toBe(KEEP)
  const body = exchange.responseRewriter
  const out = [body.piece(Buffer.from('abc'), 0, 3), body.end(null)].map((x) => Buffer.from(x))
  expect(out.map(String)).toEqual(
    ['ABC', '!!!'].map((text) => Buffer.from(text).toString('base64')),
  )
})

const context = contextOf()
const random = (bytes: number): string => randomBytes(bytes).toString('hex')
const withRandom = { ...context, crypto: { ...context.crypto, random } }
const idOptions = { headerName: 'X-Request-Id', trustIncoming: true, echo: true }

test('requestId gives every request another name, and tells the client', () => {
  const ids = new RequestId('id@file', { ...idOptions, trustIncoming: false }, withRandom)
  const names = new Set<string>()
  for (let i = 0; i < 200; i++) {
    const exchange = requestOf('GET / HTTP/1.1', ['X-Request-Id: theirs'])
    ids.onRequest(exchange)
    const name = exchange.request.get('x-request-id')!
    expect(exchange.request.getAll('x-request-id')).toEqual([name])
    respond(exchange, 200)
    ids.onResponse(exchange)
    expect(exchange.response.get('x-request-id')).toBe(name)
    names.add(name)
  }
  expect([names.size, [...names].every((name) => /^[0-9a-f]{32}$/.test(name))]).toEqual([200, true])
})

test.each([
  [['X-Request-Id: abc-1:2'], true],
  [['X-Request-Id: a b'], false],
  [['X-Request-Id: <script>'], false],
  [[`X-Request-Id: ${'a'.repeat(129)}`], false],
  [['X-Request-Id: a', 'X-Request-Id: b'], false],
])('requestId keeps what came only when it is one name: %j', (lines, stays) => {
  const ids = new RequestId('id@file', idOptions, withRandom)
  const exchange = requestOf('GET / HTTP/1.1', lines)
  const before = exchange.request.get('x-request-id')
  ids.onRequest(exchange)
  expect(exchange.request.get('x-request-id') === before).toBe(stays)
})

const page = {
  message: 'Zurück um <12>',
  retryAfter: 90_500,
  allowedRange: ['192.0.2.0/24'],
  ipStrategy: null,
}

test('maintenance answers in the words of whoever asks, and lets those in who repair', () => {
  const closed = new Maintenance('closed@file', { ...page, allowedRange: [] })
  const browser = requestOf('GET / HTTP/1.1', ['Accept: text/html,application/json;q=0.9'])
  expect(closed.onRequest(browser)).toBe(ANSWERED)
  expect([browser.status, browser.error]).toEqual([503, MAINTENANCE])
  expect(browser.response.get('retry-after')).toBe('91')
  expect(String(browser.answerBody)).toContain('Zur&#252;ck um &#60;12&#62;')
  const program = requestOf('GET / HTTP/1.1', ['Accept: application/problem+json'])
  closed.onRequest(program)
  expect(program.response.get('content-type')).toBe('application/problem+json')
  expect(JSON.parse(String(program.answerBody))).toMatchObject({ detail: page.message })
  expect(program.responseLength).toBe(Buffer.byteLength(String(program.answerBody)))
  expect(new Maintenance('open@file', page).onRequest(requestOf('GET / HTTP/1.1'))).toBe(NEXT)
})
