// test/conformance/traefik/cases/bodies.ts: the middlewares compress, contentType and buffering.

import { gzipSync } from 'node:zlib'
import { responseText } from '../../../support/scene.ts'
import type { Reply } from '../origins.ts'
import { type Case, ask, get } from '../pair.ts'

const text = 'All work and no play makes Jack a dull boy. '.repeat(100)

function saying(body: string, headers = 'Content-Type: text/plain\r\n', status = '200 OK'): Reply {
  return () => responseText(body, headers, status)
}

function accepting(value: string, reply: Reply = saying(text)) {
  return ask('GET', '/', [`Accept-Encoding: ${value}`], { reply })
}

const accepts = [
  'gzip',
  'br',
  'zstd',
  'deflate',
  'identity',
  'gzip, br',
  'gzip, deflate, br, zstd',
  'gzip;q=0.5, br;q=0.8',
  'gzip;q=1, br;q=0.1, zstd;q=0',
  'gzip;q=0',
  '*',
  '*;q=0.1, gzip;q=0',
  'identity;q=0',
  'GZIP',
  'gzip;q=nonsense',
  '',
]

const typed = (type: string) => saying(text, `Content-Type: ${type}\r\n`)
const packed: Reply = () =>
  responseText(
    gzipSync(text).latin1Slice(),
    'Content-Type: text/plain\r\nContent-Encoding: gzip\r\n',
  )
const chunked: Reply = () =>
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n' +
  `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`

function sniffing(body: string | Buffer, headers = '') {
  const bytes = typeof body === 'string' ? body : body.latin1Slice()
  return ask('GET', '/', [], { reply: saying(bytes, headers) })
}

const sniffed = [
  sniffing('<!DOCTYPE html><p>'),
  sniffing('  <html><body>'),
  sniffing('<?xml version="1.0"?>'),
  sniffing('plain words'),
  sniffing('{"a":1}'),
  sniffing('%PDF-1.7'),
  sniffing(Buffer.from('89504e470d0a1a0a', 'hex')),
  sniffing('GIF89a123'),
  sniffing(Buffer.from('ffd8ff00', 'hex')),
  sniffing(Buffer.from('0001020304', 'hex')),
  sniffing(Buffer.from('1f8b0800', 'hex')),
  sniffing('PK\x03\x04abcd'),
  sniffing('plain', 'Content-Type: x/y\r\n'),
  sniffing('plain', 'X-Content-Type-Options: nosniff\r\n'),
  sniffing('plain', 'Content-Encoding: x\r\n'),
  sniffing(''),
]

const long = 'x'.repeat(2000)
const isSent = (length: number, more = {}) =>
  ask('POST', '/', [], { body: 'y'.repeat(length), ...more })
const chunkedUpload = (length: number) =>
  ask('POST', '/', ['Transfer-Encoding: chunked'], {
    body: `${length.toString(16)}\r\n${'z'.repeat(length)}\r\n0\r\n\r\n`,
  })

export const bodyCases: readonly Case[] = [
  {
    name: 'compress',
    middlewares: { compress: { compress: {} } },
    asks: [
      ...accepts.map((value) => accepting(value)),
      ask('GET', '/', [], { reply: saying(text), isBare: true }),
      accepting('gzip', saying('short')),
      accepting('gzip', saying('x'.repeat(1023))),
      accepting('gzip', saying('x'.repeat(1024))),
      accepting('gzip', saying('x'.repeat(1025))),
      accepting('gzip', saying(text, 'Content-Type: text/plain\r\nETag: "v1"\r\n')),
      accepting('gzip', saying(text, 'Content-Type: text/plain\r\nETag: W/"v1"\r\n')),
      accepting('gzip', saying(text, 'Content-Type: text/plain\r\nVary: Origin\r\n')),
      accepting('gzip', saying(text, '')),
      accepting('gzip', typed('image/png')),
      accepting('gzip', typed('image/svg+xml')),
      accepting('gzip', typed('application/json; charset=utf-8')),
      accepting('gzip', typed('application/grpc')),
      accepting('gzip', packed),
      accepting('gzip', chunked),
      accepting('gzip', saying('', '', '204 No Content')),
      accepting('gzip', saying(text, 'Content-Type: text/plain\r\n', '404 Not Found')),
      accepting('gzip', saying(text, 'Cache-Control: no-transform\r\n')),
      ask('HEAD', '/', ['Accept-Encoding: gzip'], {
        reply: () => `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4400\r\n\r\n`,
      }),
    ],
  },
  {
    name: 'compress-min',
    middlewares: {
      'compress-min': { compress: { minResponseBodyBytes: 10, encodings: ['br', 'gzip'] } },
    },
    asks: [
      accepting('gzip, br', saying('x'.repeat(9))),
      accepting('gzip, br', saying('x'.repeat(10))),
      accepting('gzip, br', saying('x'.repeat(30))),
      accepting('zstd', saying('x'.repeat(30))),
    ],
  },
  {
    name: 'compress-excluded',
    middlewares: {
      'compress-excluded': {
        compress: { excludedContentTypes: ['application/pdf'], defaultEncoding: 'gzip' },
      },
    },
    asks: [
      accepting('gzip', typed('application/pdf')),
      accepting('gzip', typed('application/pdf; a=b')),
      accepting('gzip', typed('text/html')),
      ask('GET', '/', [], { reply: saying(text), isBare: true }),
      accepting('*', saying(text)),
    ],
  },
  {
    name: 'compress-included',
    middlewares: {
      'compress-included': { compress: { includedContentTypes: ['application/json'] } },
    },
    asks: [
      accepting('gzip', typed('application/json; charset=utf-8')),
      accepting('gzip', typed('text/plain')),
      accepting('gzip', saying(text, '')),
    ],
  },
  {
    name: 'typed',
    middlewares: { typed: { contentType: {} } },
    asks: [...sniffed, ask('HEAD', '/')],
  },
  { name: 'untyped', asks: sniffed },
  {
    name: 'buffered',
    middlewares: {
      buffered: { buffering: { maxRequestBodyBytes: 1000, maxResponseBodyBytes: 1000 } },
    },
    asks: [
      isSent(999),
      isSent(1000),
      isSent(1001),
      chunkedUpload(1000),
      chunkedUpload(1001),
      get('/'),
      ask('GET', '/', [], { reply: saying(long.slice(0, 1000)) }),
      ask('GET', '/', [], { reply: saying(long.slice(0, 1001)) }),
      ask('GET', '/', [], { reply: chunked }),
      ask('HEAD', '/', [], {
        reply: () => 'HTTP/1.1 200 OK\r\nContent-Length: 4400\r\n\r\n',
      }),
    ],
  },
  {
    name: 'buffered-plain',
    middlewares: { 'buffered-plain': { buffering: { memRequestBodyBytes: 1048576 } } },
    asks: [isSent(5000), chunkedUpload(5000), ask('GET', '/', [], { reply: chunked }), get('/')],
  },
  {
    name: 'buffered-memory',
    middlewares: {
      'buffered-memory': { buffering: { memRequestBodyBytes: 100, memResponseBodyBytes: 100 } },
    },
    asks: [isSent(5000), ask('GET', '/', [], { reply: saying(long) })],
  },
  {
    name: 'buffered-again',
    middlewares: {
      'buffered-again': {
        buffering: { retryExpression: 'ResponseCode() == 503 && Attempts() < 3' },
      },
    },
    asks: [
      ask('GET', '/', [], { reply: saying('no', '', '503 Service Unavailable') }),
      ask('PUT', '/', [], { body: 'abc', reply: saying('no', '', '503 Service Unavailable') }),
      ask('POST', '/', [], { body: 'abc', reply: saying('no', '', '503 Service Unavailable') }),
      ask('GET', '/', [], { reply: saying('no', '', '502 Bad Gateway') }),
    ],
  },
]
