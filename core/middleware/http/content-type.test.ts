// contentType, and the guess that it makes.
import { describe, expect, it } from 'vitest'
import { BODY_CHUNKED, BODY_LENGTH, BODY_NONE } from '../../exchange.ts'
import type { Exchange } from '../../exchange.ts'
import { contextOf, requestOf, respond } from '../exchange.fixture.ts'
import { ContentType } from './content-type.ts'
import { SNIFF_BYTES, typeOf } from './sniff.ts'

const bytes = (text: string) => Buffer.from(text, 'latin1')
const sniffed = (text: string) => typeOf(bytes(text), 0, text.length)

const HTML = 'text/html; charset=utf-8'
const TEXT = 'text/plain; charset=utf-8'
const BINARY = 'application/octet-stream'

describe('the guess', () => {
  it.each([
    ['<!doctype html>\n', HTML],
    ['\r\n\t <HtMl>', HTML],
    ['<html', TEXT], // not yet ended
    ['<b>x', HTML],
    ['<bx>', TEXT],
    ['<body onload=x>', HTML],
    ['<!-- x -->', HTML],
    ['<?xml version="1.0"?>', 'text/xml; charset=utf-8'],
    [' <?xml ', 'text/xml; charset=utf-8'],
    ['%PDF-1.7', 'application/pdf'],
    [' %PDF-1.7', TEXT],
    ['\xef\xbb\xbfa', TEXT],
    ['\xfe\xff\0a', 'text/plain; charset=utf-16be'],
    ['\x89PNG\r\n\x1a\n\0', 'image/png'],
    ['\x89PNG\r\n\x1a', BINARY],
    ['GIF89a...', 'image/gif'],
    ['\xff\xd8\xff\xe0', 'image/jpeg'],
    ['RIFF\0\x01\x02\x03WEBPVP8 ', 'image/webp'],
    ['RIFF\0\x01\x02\x03WAVEfmt', 'audio/wave'],
    ['\0\0\0\x18ftypmp42\0\0\0\0mp42isom', 'video/mp4'],
    ['\0\0\0\x18ftypabcd\0\0\0\0isommp41', 'video/mp4'],
    ['\0\0\0\x18ftypabcdmp41isomabcd', BINARY], // what stands at 12 is no brand
    ['\0\0\0\x19ftypmp42\0\0\0\0mp42isom.', BINARY],
    ['\0\0\0\x18ftypmp42', BINARY], // cut
    ['\x1f\x8b\x08\0', 'application/x-gzip'],
    ['PK\x03\x04', 'application/zip'],
    ['\0asm\x01', 'application/wasm'],
    ['wOF2', 'font/woff2'],
    ['{"a":1}', TEXT],
    ['caf\xc3\xa9', TEXT],
    ['\x1b[1mbold', TEXT],
    ['a\0b', BINARY],
    ['x'.repeat(SNIFF_BYTES) + '\0', TEXT], // behind what is looked at
    ['x'.repeat(SNIFF_BYTES - 1) + '\0', BINARY],
  ])('%j is %s', (text, type) => {
    expect(sniffed(text)).toBe(type)
  })

  it('looks at the given range only', () => {
    expect(typeOf(bytes('PK\x03\x04<p>x'), 4, 8)).toBe(HTML)
  })

  it('takes time for bytes that are mostly white space, but not more than 512 of them ask', () => {
    expect(sniffed(' '.repeat(100_000) + '<p>')).toBe(TEXT)
  })
})

function responseTo(start: string, status: number, headers: string[] = []): Exchange {
  const exchange = requestOf(start)
  respond(exchange, status, headers)
  exchange.responseKind = BODY_CHUNKED
  return exchange
}

const guessing = (autoDetect: boolean | null = null) =>
  new ContentType('m', { autoDetect }, contextOf())

describe('contentType', () => {
  it.each([null, true])('with autoDetect %s gives a type by the first piece', (autoDetect) => {
    const exchange = responseTo('GET / HTTP/1.1', 200)
    guessing(autoDetect).onResponse(exchange)
    const body = exchange.responseRewriter!
    expect([body.holdsHead, Buffer.from(body.flush()).toString()]).toEqual([true, ''])
    expect(body.piece(bytes(''), 0, 0).length).toBe(0)
    expect(body.holdsHead).toBe(true)
    expect(Buffer.from(body.piece(bytes('..<p>hi..'), 2, 7)).toString()).toBe('<p>hi')
    expect([body.holdsHead, exchange.response.get('content-type')]).toEqual([false, HTML])
    expect(Buffer.from(body.piece(bytes('\0\0'), 0, 2)).toString()).toBe('\0\0')
    expect(exchange.response.getAll('content-type')).toEqual([HTML])
    expect(exchange.responseKind).toBe(BODY_CHUNKED)
  })

  it('lets a body that turns out to be empty go without a type', () => {
    const exchange = responseTo('GET / HTTP/1.1', 200)
    guessing().onResponse(exchange)
    const body = exchange.responseRewriter!
    expect([body.end(null).length, body.holdsHead]).toEqual([0, false])
    expect(exchange.response.has('content-type')).toBe(false)
  })

  it.each([
    ['a response with a type', 'GET', 200, ['Content-Type: a/b'], BODY_CHUNKED, 0],
    ['a coded body', 'GET', 200, ['Content-Encoding: gzip'], BODY_CHUNKED, 0],
    ['nosniff', 'GET', 200, ['X-Content-Type-Options: NoSniff'], BODY_CHUNKED, 0],
    ['a part', 'GET', 206, [], BODY_LENGTH, 3],
    ['an answer to HEAD', 'HEAD', 200, [], BODY_LENGTH, 3],
    ['no body', 'GET', 304, [], BODY_NONE, 0],
    ['an empty body', 'GET', 200, [], BODY_LENGTH, 0],
    ['a switch of protocols', 'GET', 101, [], BODY_NONE, 0],
  ] as const)('leaves %s alone', (_what, method, status, headers, kind, length) => {
    const exchange = responseTo(`${method} / HTTP/1.1`, status, [...headers])
    exchange.responseKind = kind
    exchange.responseLength = length
    guessing().onResponse(exchange)
    expect(exchange.responseRewriter).toBe(null)
  })

  it.each([
    ['in front of it', 'image/png'],
    ['behind it', null],
  ])('tells what it saw, and nothing of encoded bytes: compress %s', (place, type) => {
    const exchange = responseTo('GET / HTTP/1.1', 200)
    const other = responseTo('GET / HTTP/1.1', 200)
    guessing().onResponse(other)
    if (place === 'behind it') exchange.responseRewriter = other.responseRewriter
    guessing().onResponse(exchange)
    exchange.response.add('Content-Encoding', 'gzip')
    exchange.responseRewriter!.piece(bytes('\x89PNG\r\n\x1a\n'), 0, 8)
    expect(exchange.response.get('content-type')).toBe(type)
  })

  it('with autoDetect false has no response phase at all', () => {
    expect([guessing(false).hasResponse, guessing().hasResponse]).toEqual([false, true])
  })
})
