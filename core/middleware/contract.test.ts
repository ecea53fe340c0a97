// What every middleware promises the pipeline, held against each member with options and requests that
// try to break it. What each one is for is tested in http/*.test.ts.
import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import type { Exchange } from '../exchange.ts'
import { isFieldValue, isTarget, isToken } from '../h1/text.ts'
import { authOptions } from './contract-auth.fixture.ts'
import { bodyOptions } from './contract-body.fixture.ts'
import { buildMiddleware, middlewareKinds } from './build.ts'
import { ANSWERED, KEEP, NEXT, REPLACE, WAIT } from './contract.ts'
import type { Middleware } from './contract.ts'
import { contextOf, requestOf, respond, sentLines } from './exchange.fixture.ts'

const EVIL = 'a\r\nX-Injected: 1\r\n\r\nGET /second HTTP/1.1'

function sharedLimit(onStoreError: string) {
  return { plan: {}, ask: { maxDelayMs: 0 }, onStoreError }
}

// Two sets of options each: as people write them, and with line ends wherever a text may stand.
const options: Record<string, unknown[]> = {
  addPrefix: [{ prefix: '/api' }, { prefix: `/${EVIL}` }],
  stripPrefix: [{ prefixes: ['/a', '/b'] }, { prefixes: [EVIL, `/${EVIL}`] }],
  stripPrefixRegex: [{ regex: ['/[a-z]+'] }, { regex: ['.*'] }],
  replacePath: [{ path: '/new' }, { path: `/${EVIL}` }],
  replacePathRegex: [
    { regex: '^/(.*)', replacement: '/v2/$1' },
    { regex: '^/(.*)', replacement: `/${EVIL}$1` },
  ],
  headers: [
    {
      customRequestHeaders: { 'X-Env': 'prod', Accept: '', Host: 'inner.example' },
      customResponseHeaders: { Server: '', 'X-Served-By': 'edge' },
      accessControlAllowOriginListRegex: ['.*'],
      addVaryHeader: true,
      stsSeconds: 60,
      allowedHosts: ['shop.example'],
    },
    {
      customRequestHeaders: { 'X-Env': EVIL, [EVIL]: 'x', Host: EVIL, 'Content-Length': '9' },
      customResponseHeaders: { 'X-Env': EVIL, [EVIL]: 'x', 'Transfer-Encoding': 'chunked' },
      accessControlAllowOriginList: ['*'],
      accessControlAllowHeaders: [EVIL],
      accessControlExposeHeaders: [EVIL],
      contentSecurityPolicy: EVIL,
      customFrameOptionsValue: EVIL,
    },
  ],
  redirectScheme: [
    { scheme: 'https', port: '', permanent: true },
    { scheme: `https${EVIL}`, port: EVIL, permanent: false },
  ],
  redirectRegex: [
    { regex: '^http://(.*)', replacement: 'https://$1', permanent: false },
    { regex: '.*', replacement: `https://${EVIL}`, permanent: true },
  ],
  requestRedirect: [
    { scheme: 'https', hostname: '', port: '', path: '/new', pathPrefix: '/a', statusCode: 302 },
    { scheme: '', hostname: EVIL, port: EVIL, path: `/${EVIL}`, pathPrefix: null, statusCode: 308 },
  ],
  URLRewrite: [
    { hostname: 'inner.example', path: '', pathPrefix: '/a' },
    { hostname: EVIL, path: `/${EVIL}`, pathPrefix: null },
  ],
  contentType: [{ autoDetect: null }, { autoDetect: false }],
  ipAllowList: [
    { sourceRange: ['192.0.2.0/24'] },
    { sourceRange: ['10.0.0.0/8'], ipStrategy: { depth: 2, excludedIPs: [], ipv6Subnet: 64 } },
  ],
  ipWhiteList: [{ sourceRange: ['10.0.0.0/8'], ipStrategy: null }],
  inFlightReq: [
    { amount: 1, sourceCriterion: null },
    { amount: 0, sourceCriterion: { ipStrategy: null, requestHeaderName: 'X-Tenant' } },
  ],
  httpCache: [
    {
      maxTtl: 300,
      disableCacheStatusHeader: false,
      cacheStatus: true,
      heuristicFreshness: true,
      storeSetCookie: false,
      staleIfError: 0,
      collapseTimeout: 5000,
      store: { memory: { limit: 1_048_576, entryLimit: 65_536 }, redis: null },
    },
    {
      maxTtl: 300,
      disableCacheStatusHeader: true,
      cacheStatus: true,
      heuristicFreshness: false,
      storeSetCookie: false,
      staleIfError: 1000,
      collapseTimeout: 0,
      store: {
        memory: { limit: 1_048_576, entryLimit: 65_536 },
        redis: { store: sharedLimit('deny').plan, entryBytesMax: 65_536 },
      },
    },
  ],
  rateLimit: [
    { average: 0, period: 1000, burst: 1, mode: 'delay', shared: null },
    {
      average: 1,
      period: 60_000,
      burst: 2,
      mode: 'reject',
      shared: null,
      standardHeaders: true,
      responseHeaders: true,
      sourceCriterion: { keys: ['ip', 'header.X-Tenant', 'query.x', 'cookie.c'] },
    },
    { average: 1, period: 1000, burst: 1, mode: 'reject', shared: sharedLimit('deny') },
  ],
  distributedRateLimit: [
    { limit: 5, period: 1000, burst: 5, mode: 'reject', shared: sharedLimit('local') },
    { limit: 5, period: 1000, burst: 5, mode: 'reject', shared: sharedLimit('allow') },
  ],
  quota: [
    { limit: 3, period: 3_600_000, shared: null, responseHeaders: true },
    { limit: 0, period: 1000, shared: null, sourceCriterion: { requestHost: true } },
  ],
  errors: [
    { status: ['404', '500-599'], service: 'pages@file', query: '/{status}.html?u={url}' },
    { status: ['100-999'], service: 'pages@file', query: `/${EVIL}{url}` },
  ],
  ...authOptions,
  queryParam: [
    {
      set: [
        { name: 'user', value: '', fromHeader: 'X-Tenant' },
        { name: 'x', value: 'é&=', fromHeader: '' },
      ],
      append: [],
      remove: [],
      rename: [],
    },
    { set: [], append: [], remove: [], rename: [{ from: 'x', to: EVIL }] },
  ],
  forceCase: [{ headers: ['ORIGIN', 'x-tenant', 'SERVER'] }, { headers: ['vary', 'Accept'] }],
  requestSize: [{ maxBytes: 10 }, { maxBytes: 0 }],
  requestId: [
    { headerName: 'X-Request-Id', trustIncoming: false, echo: true },
    { headerName: 'X-Request-Id', trustIncoming: true, echo: true },
  ],
  maintenance: [
    { message: 'soon', retryAfter: 60_000, allowedRange: ['10.0.0.0/8'], ipStrategy: null },
    { message: EVIL, retryAfter: 0, allowedRange: [], ipStrategy: null },
  ],
  mirror: [
    { service: 'copy@file', percent: 100, mirrorBody: true, maxBodySize: -1, when: 'after' },
    { service: EVIL, percent: 50, mirrorBody: false, maxBodySize: 0, when: 'during' },
  ],
  ...bodyOptions(EVIL),
  passTLSClientCert: [{ pem: true, info: null }],
  circuitBreaker: [
    {
      expression: 'ResponseCodeRatio(500, 600, 0, 600) > 0.5',
      checkPeriod: 100,
      fallbackDuration: 10_000,
      recoveryDuration: 10_000,
      responseCode: 503,
    },
    {
      expression: 'NetworkErrorRatio() >= 0 && LatencyAtQuantileMS(50.0) >= 0',
      checkPeriod: 0,
      fallbackDuration: 0,
      recoveryDuration: 1,
      responseCode: 429,
    },
  ],
  timeout: [{ total: 1000, perTry: 500, firstByte: 400, idle: 100 }],
  retry: [
    {
      attempts: 3,
      timeout: 0,
      initialInterval: 100,
      maxRequestBodyBytes: 1000,
      status: ['500-599'],
      disableRetryOnNetworkError: false,
      retryNonIdempotentMethod: false,
      budget: { percent: 20, minPerSecond: 10 },
    },
    {
      attempts: 1,
      timeout: 1,
      initialInterval: 0,
      maxRequestBodyBytes: 0,
      status: ['100-599'],
      disableRetryOnNetworkError: true,
      retryNonIdempotentMethod: true,
      budget: { percent: 0, minPerSecond: 0 },
    },
  ],
  grpcWeb: [{ allowOrigins: ['*'] }, { allowOrigins: ['https://app.example', EVIL] }],
  encodedCharacters: [
    {
      allowEncodedSlash: false,
      allowEncodedBackSlash: false,
      allowEncodedNullCharacter: false,
      allowEncodedSemicolon: false,
      allowEncodedPercent: false,
      allowEncodedQuestionMark: false,
      allowEncodedHash: false,
    },
  ],
}

const members = middlewareKinds.flatMap((kind) =>
  (options[kind] ?? []).map((set, i) => [`${kind}, options ${i + 1}`, kind, set] as const),
)

function build(kind: string, set: unknown): Middleware {
  return buildMiddleware({ name: 'under-test@file', kind, options: set }, contextOf())
}

const requests = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'OPTIONS', 'PURGE'),
  path: fc
    .array(
      fc.constantFrom('a', 'b', '/', '%2F', '%41', '%C3%A9', '%FF', '%25', '~', ';', '"', '%0D%0A'),
    )
    .map((parts) => '/' + parts.join('')),
  query: fc.constantFrom('', '?', '?x=1&y=%0D%0A'),
  headers: fc.subarray([
    'Origin: https://app.example',
    'Access-Control-Request-Method: PUT',
    'X-Forwarded-For: 10.1.1.1, junk, [2001:db8::1]:80',
    'X-Forwarded-Proto: HTTPS',
    'Accept: text/html',
    'X-Tenant: t1',
    'X-Replaced-Path: /forged',
    'Authorization: Basic YW5uOnBhc3N3b3Jk', // ann:password
    'X_User: root',
  ]),
})

function exchangeOf(request: { method: string; path: string; query: string; headers: string[] }) {
  return requestOf(`${request.method} ${request.path}${request.query} HTTP/1.1`, request.headers)
}

function expectLegalHead(exchange: Exchange): void {
  for (const head of [exchange.request, exchange.response]) {
    for (const line of sentLines(head)) {
      const colon = line.indexOf(':')
      expect(isToken(line.slice(0, colon))).toBe(true)
      expect(isFieldValue(line.slice(colon + 1).trim())).toBe(true)
      expect(line.toLowerCase()).not.toMatch(/^x-injected/)
    }
    for (let i = 0; i < head.extraCount; i++) {
      expect(isToken(head.extraNames[i]!)).toBe(true)
      expect(isFieldValue(head.extraValues[i]!)).toBe(true)
    }
  }
  expect(isTarget(exchange.path)).toBe(true)
  expect(exchange.forwardHost).toMatch(/^[a-z.:0-9-]*$/)
}

it('has options to try for every kind that can be built', () => {
  for (const kind of middlewareKinds) expect(options[kind]?.length ?? 0).toBeGreaterThan(0)
})

it('refuses to build a kind that does not exist', () => {
  expect(() => build('noSuchKind', {})).toThrow(/noSuchKind/)
})

describe.each(members)('any middleware: %s', (_title, kind, set) => {
  it('answers with a status, or lets the request pass without one, and never moves step', () => {
    const middleware = build(kind, set)
    fc.assert(
      fc.property(requests, (request) => {
        const exchange = exchangeOf(request)
        exchange.step = 3
        const verdict = middleware.onRequest(exchange)
        expect([NEXT, ANSWERED, WAIT]).toContain(verdict)
        if (verdict === ANSWERED) expect(exchange.status).toBeGreaterThanOrEqual(200)
        else expect(exchange.status).toBe(0)
        expect(exchange.step).toBe(3)
        middleware.onFinish(exchange)
      }),
    )
  })

  it('sends only legal lines and paths, whatever request and options hold', () => {
    const middleware = build(kind, set)
    fc.assert(
      fc.property(requests, fc.constantFrom(200, 404, 503, 101), (request, status) => {
        const exchange = exchangeOf(request)
        const verdict = middleware.onRequest(exchange)
        expectLegalHead(exchange)
        if (verdict === NEXT) respond(exchange, status, ['Vary: Accept', 'Server: origin'])
        if (middleware.hasResponse && middleware.onResponse(exchange) === REPLACE) {
          const replacement = middleware.replacement(exchange)!
          expect(isTarget(replacement.path)).toBe(true)
          expect(replacement.query === '' || isTarget(replacement.query)).toBe(true)
        }
        expectLegalHead(exchange)
        middleware.onFinish(exchange)
      }),
    )
  })

  it('keeps the framing of request and response as it was', () => {
    const middleware = build(kind, set)
    const exchange = requestOf('POST /a/b HTTP/1.1', ['Content-Length: 5', 'Connection: close'])
    const before = sentLines(exchange.request).filter((line) => /^(content-l|conn)/i.test(line))
    middleware.onRequest(exchange)
    if (exchange.status === 0) respond(exchange, 200, ['Content-Length: 7'])
    const bodyLength = exchange.responseLength
    middleware.onResponse(exchange)
    const framing = /^(content-length|connection|transfer-encoding)/i
    expect(sentLines(exchange.request).filter((line) => framing.test(line))).toEqual(before)
    expect(exchange.response.has('transfer-encoding')).toBe(false)
    expect(exchange.responseLength).toBe(bodyLength)
    middleware.onFinish(exchange)
  })

  it('takes back at the end all that it took, however often it is told', () => {
    const context = contextOf()
    const middleware = buildMiddleware({ name: 'under-test@file', kind, options: set }, context)
    const first = requestOf('GET /a HTTP/1.1')
    const second = requestOf('GET /a HTTP/1.1')
    middleware.onRequest(first)
    middleware.onRequest(second)
    middleware.onFinish(second)
    middleware.onFinish(first)
    middleware.onFinish(first)
    expect(context.worker.shared.inFlight.size).toBe(0)
  })

  it('explains itself in one sentence, before and after it has run', () => {
    const middleware = build(kind, set)
    fc.assert(
      fc.property(requests, (request) => {
        const exchange = exchangeOf(request)
        const before = middleware.explain(exchange)
        middleware.onRequest(exchange)
        for (const sentence of [before, middleware.explain(exchange)]) {
          expect(sentence).toMatch(/^[A-Z].*\.$/s)
        }
        middleware.onFinish(exchange)
      }),
    )
  })

  it('claims a phase only if it has one', () => {
    const middleware = build(kind, set)
    const exchange = requestOf('GET /a HTTP/1.1', ['Origin: https://app.example'])
    if (middleware.hasResponse) return
    respond(exchange, 503, ['Server: origin'])
    expect(middleware.onResponse(exchange)).toBe(KEEP)
    expect(middleware.replacement(exchange)).toBe(null)
    expect(sentLines(exchange.response)).toEqual(['Server: origin'])
  })

  it('keeps one shape: neither it nor the exchange gains a field when it runs', () => {
    const middleware = build(kind, set)
    const exchange = requestOf('GET /a HTTP/1.1', ['Origin: https://app.example'])
    const fields = [Object.keys(middleware), Object.keys(exchange)]
    middleware.onRequest(exchange)
    middleware.onResponse(exchange)
    middleware.onFinish(exchange)
    middleware.explain(exchange)
    expect([Object.keys(middleware), Object.keys(exchange)]).toEqual(fields)
    expect(Object.values(middleware)).not.toContain(undefined)
  })
})
