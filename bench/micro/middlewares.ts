// bench/micro/middlewares.ts: what the five middlewares of scenario five-middlewares cost by themselves: an exchange from its
// bytes to the lines of both heads, without them, with each, and with all.

import { Buffer } from 'node:buffer'
import { BODY_LENGTH, Exchange } from '../../core/exchange.ts'
import { RequestParser } from '../../core/h1/request.ts'
import { linesOf } from '../../core/headers.ts'
import { HEADER_COUNT_MAX, HEAD_BYTES_MAX } from '../../core/limits.ts'
import { Compress, type CompressOptions } from '../../core/middleware/http/compress.ts'
import { Headers } from '../../core/middleware/http/headers.ts'
import { IpAllowList } from '../../core/middleware/http/ip-allow-list.ts'
import { RateLimit } from '../../core/middleware/http/rate-limit.ts'
import { StripPrefix } from '../../core/middleware/http/strip-prefix.ts'
import { type Middleware, NEXT } from '../../core/middleware/contract.ts'
import type { CryptoServices } from '../../core/middleware/crypto.ts'
import { noCodecs } from '../../core/middleware/codecs.ts'
import { inertWorker } from '../../core/middleware/inert-worker.ts'
import { defaultPolicy, normalise } from '../../core/normalise.ts'
import type { MicroCase } from '../micro.ts'

const limits = { headBytesMax: HEAD_BYTES_MAX, headerCountMax: HEADER_COUNT_MAX }
const request = Buffer.from('GET /api/small HTTP/1.1\r\nHost: bench.test\r\n\r\n', 'latin1')

export function middlewareCases(): MicroCase[] {
  const five = fiveMiddlewares()
  return [
    exchangeCase('an exchange without middlewares', []),
    ...five.map((middleware) => exchangeCase(`the same with ${middleware.kind}`, [middleware])),
    exchangeCase('the same with all five', five),
  ]
}

// A hash is asked of none of the five.
const noCrypto = {} as CryptoServices

function fiveMiddlewares(): Middleware[] {
  let now = 0
  const worker = inertWorker({ preciseNow: () => (now += 0.02) })
  const codecs = noCodecs
  const names = { router: 'bench@file', scope: 'router bench@file' as const }
  const context = { ...names, worker, codecs, crypto: noCrypto, now: () => now }
  const headers = { standardHeaders: false, responseHeaders: false }
  const rate = { average: 1e6, period: 1000, burst: 1e8, mode: 'delay', shared: null } as const
  const limit = { ...headers, ...rate }
  return [
    new IpAllowList('local@file', { sourceRange: ['127.0.0.0/8'] }),
    new StripPrefix('strip@file', { prefixes: ['/api'] }),
    new Headers('mark@file', {
      customRequestHeaders: { 'X-Bench-Request': 'one' },
      customResponseHeaders: { 'X-Bench-Response': 'two' },
    }),
    new RateLimit('limit@file', 'rateLimit', limit, context),
    new Compress('compress@file', compression, context),
  ]
}

const compression: CompressOptions = {
  encodings: ['gzip', 'br', 'zstd'],
  defaultEncoding: '',
  minResponseBodyBytes: 0,
  excludedContentTypes: [],
  includedContentTypes: [],
}

function exchangeCase(name: string, chain: readonly Middleware[]): MicroCase {
  const exchange = new Exchange()
  const parser = new RequestParser()
  const run = (): number => {
    exchange.reset()
    parser.parse(exchange, request, 0, request.length, limits)
    normalise(exchange, defaultPolicy)
    exchange.clientAddress = '127.0.0.1'
    for (let i = 0; i < chain.length; i++)
      if (chain[i]!.onRequest(exchange) !== NEXT) throw new Error(`${name}: it goes no further`)
    const asked = linesOf(exchange.request, exchange.request.linesStart)
    answer(exchange)
    for (let i = chain.length - 1; i >= 0; i--)
      if (chain[i]!.hasResponse) chain[i]!.onResponse(exchange)
    const told = linesOf(exchange.response, exchange.response.linesStart)
    return exchange.path.length + asked.length + told.length
  }
  if (run() === 0) throw new Error(`${name}: nothing came out`)
  return { name, run }
}

function answer(exchange: Exchange): void {
  exchange.status = 200
  exchange.response.add('Content-Type', 'text/plain')
  exchange.response.add('Content-Length', '101')
  exchange.responseKind = BODY_LENGTH
  exchange.responseLength = 101
}
