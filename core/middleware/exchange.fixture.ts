// core/middleware/exchange.fixture.ts: exchanges for tests, read by the real parser from real bytes.
//
// Hot: no. Imported by tests only.

import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { Exchange } from '../exchange.ts'
import { linesOf } from '../headers.ts'
import type { Head } from '../headers.ts'
import { RequestParser } from '../h1/request.ts'
import { HEADER_COUNT_MAX, HEAD_BYTES_MAX } from '../limits.ts'
import { defaultPolicy, normalise } from '../normalise.ts'
import { noCodecs } from './codecs.ts'
import type { MiddlewareContext } from './contract.ts'
import type { CryptoServices } from './crypto.ts'
import { inertWorker } from './inert-worker.ts'

const limits = { headBytesMax: HEAD_BYTES_MAX, headerCountMax: HEADER_COUNT_MAX }

// `start`: "GET /path HTTP/1.1". A Host line is added unless one is given.
export function requestOf(start: string, headers: readonly string[] = []): Exchange {
  const exchange = new Exchange()
  exchange.reset()
  const hasHost = headers.some((line) => line.toLowerCase().startsWith('host:'))
  const lines = hasHost ? headers : ['Host: shop.example', ...headers]
  const bytes = Buffer.from([start, ...lines, '', ''].join('\r\n'), 'latin1')
  const end = new RequestParser().parse(exchange, bytes, 0, bytes.length, limits)
  if (end !== bytes.length) throw new Error(`the fixture's request is not legal: ${end}`)
  const fault = normalise(exchange, defaultPolicy)
  if (fault !== 0) throw new Error(`the fixture's path is not legal: ${fault}`)
  exchange.clientAddress = '192.0.2.7'
  return exchange
}

// What a server answered, as far as middlewares look at it.
export function respond(exchange: Exchange, status: number, headers: readonly string[] = []): void {
  exchange.response.clear()
  exchange.status = status
  for (const line of headers) {
    const colon = line.indexOf(':')
    exchange.response.add(line.slice(0, colon), line.slice(colon + 1).trim())
  }
}

// The header lines as they would be sent, the start line left out.
export function sentLines(head: Head): string[] {
  const text = linesOf(head, head.linesStart)
  return text === '' ? [] : text.slice(0, -2).split('\r\n')
}

export function contextOf(router = 'shop@file'): MiddlewareContext {
  return {
    router,
    scope: `router ${router}`,
    worker: inertWorker(),
    codecs: noCodecs,
    crypto: testCrypto(),
    now: () => 0,
  }
}

// Passwords are never right, and never wrong: whoever asks waits.
export function testCrypto(over: Partial<CryptoServices> = {}): CryptoServices {
  const hashed = (algorithm: string, text: string) => createHash(algorithm).update(text, 'latin1')
  return {
    md5: (text) => hashed('md5', text).digest('hex'),
    sha1: (text) => hashed('sha1', text).digest('base64'),
    mac: (text) => hashed('sha256', `of a test ${text}`).digest('base64url'),
    equal: (a, b) => a === b,
    random: (bytes) => 'ab'.repeat(bytes),
    checkPassword: () => () => {},
    ...over,
  }
}
