import { Buffer } from 'node:buffer'
import { performance } from 'node:perf_hooks'
import { expect, test, vi } from 'vitest'
import { accessLogFields, accessLogFieldsLater } from '../core/access-log/fields.ts'
import { CLIENT_GONE } from '../core/errors.ts'
import { RequestParser } from '../core/h1/request.ts'
import {
  AccessLog,
  FLUSH_INTERVAL_MS,
  FLUSH_LENGTH,
  HELD_INTERVAL_MS,
  HELD_LENGTH,
  WAITING_MAX,
} from './access-log.ts'
import { type LiveExchange, leaseExchange } from './live-exchange.ts'
import type { LiveRouter } from './live-generation.ts'
import type { AccessLogPlan } from './messages.ts'

const limits = { headBytesMax: 65_536, headerCountMax: 128 }

const plan: AccessLogPlan = {
  format: 'json',
  statusCodes: [],
  retryAttempts: false,
  minDurationMs: 0,
  defaultMode: 'keep',
  names: {},
  headersDefaultMode: 'drop',
  headerNames: {},
  queryDefaultMode: 'keep',
  internals: false,
  bufferingSize: 0,
}

const STARTED_AT = 1000
const ENDED_AT = 1012.5

// An exchange that a server has answered, read from real bytes.
function exchangeOf(start: string, headers: readonly string[] = []): LiveExchange {
  const exchange = leaseExchange()
  const bytes = Buffer.from([start, 'Host: shop.test:8000', ...headers, '', ''].join('\r\n'))
  const end = new RequestParser().parse(exchange, bytes, 0, bytes.length, limits)
  if (end !== bytes.length) throw new Error(`not a legal request: ${end}`)
  exchange.entryPoint = 'web'
  exchange.clientAddress = '192.0.2.7'
  exchange.clientPort = 4711
  exchange.authority = 'shop.test:8000'
  exchange.route = { name: 'shop@file', middlewares: null }
  exchange.router = exchange.route as LiveRouter
  exchange.serviceName = 'shop@file'
  exchange.serverUrl = 'http://10.0.0.1:8080/base'
  exchange.status = 200
  exchange.requestBytes = 3
  exchange.responseBytes = 101
  exchange.startedAt = STARTED_AT
  exchange.upstreamStartedAt = STARTED_AT + 0.5
  exchange.upstreamHeadAt = STARTED_AT + 10
  return exchange
}

function linesFor(exchange: LiveExchange, more: Partial<AccessLogPlan> = {}): string {
  let text = ''
  const log = new AccessLog({ ...plan, ...more }, (lines) => {
    text += lines
  })
  log.record(exchange, ENDED_AT)
  log.flush()
  return text
}

function jsonFor(
  exchange: LiveExchange,
  more: Partial<AccessLogPlan> = {},
): Record<string, unknown> {
  const text = linesFor(exchange, more)
  expect(text.endsWith('}\n')).toBe(true)
  expect(text.split('\n')).toHaveLength(2)
  return JSON.parse(text)
}

function clfTimeOf(ms: number): string {
  const [, day, month, year, time] = new Date(ms).toUTCString().split(/[ ,]+/)
  return `${day}/${month}/${year}:${time} +0000`
}

test('a common line is that of Traefik', () => {
  const exchange = exchangeOf('GET /a?b=c HTTP/1.1', ['Referer: http://x/', 'User-Agent: curl/8'])
  const time = clfTimeOf(performance.timeOrigin + STARTED_AT)
  expect(linesFor(exchange, { format: 'common' })).toBe(
    `192.0.2.7 - - [${time}] "GET /a?b=c HTTP/1.1" 200 101 "http://x/" "curl/8" 1 ` +
      '"shop@file" "http://10.0.0.1:8080/base" 12ms\n',
  )
})

test('a generic line is the plain combined format', () => {
  const line = linesFor(exchangeOf('GET / HTTP/1.0'), { format: 'genericCLF' })
  expect(line).toMatch(/^192\.0\.2\.7 - - \[[^\]]+\] "GET \/ HTTP\/1\.0" 200 101 "-" "-"\n$/)
})

test('a json line has every field that applies, with the values and units of Traefik', () => {
  const line = jsonFor(exchangeOf('POST /a?b=c HTTP/1.1', ['Content-Length: 3']))
  expect(line).toMatchObject({
    Duration: 12_500_000,
    OriginDuration: 12_000_000,
    Overhead: 500_000,
    RouterName: 'shop@file',
    ServiceName: 'shop@file',
    ServiceURL: 'http://10.0.0.1:8080/base',
    ServiceAddr: '10.0.0.1:8080',
    ClientAddr: '192.0.2.7:4711',
    ClientHost: '192.0.2.7',
    ClientPort: '4711',
    ClientUsername: '-',
    RequestAddr: 'shop.test:8000',
    RequestHost: 'shop.test',
    RequestPort: '8000',
    RequestMethod: 'POST',
    RequestPath: '/a?b=c',
    RequestProtocol: 'HTTP/1.1',
    RequestScheme: 'http',
    RequestContentSize: 3,
    OriginContentSize: 101,
    OriginStatus: 200,
    DownstreamStatus: 200,
    DownstreamContentSize: 101,
    RequestCount: 1,
    RetryAttempts: 0,
    entryPointName: 'web',
    level: 'info',
  })
  const started = new Date(String(line['StartUTC'])).getTime()
  expect(Math.abs(started - (performance.timeOrigin + STARTED_AT))).toBeLessThan(1)
  expect(new Date(String(line['StartLocal'])).getTime()).toBe(started)
  const known = [...accessLogFields.map((f) => f.name), 'level', 'msg', 'time']
  expect(Object.keys(line).filter((name) => !(known as string[]).includes(name))).toEqual([])
  expect(known.filter((name) => !(name in line))).toEqual([
    'TLSVersion',
    'TLSCipher',
    'TLSClientSubject',
    'SluiceError',
  ])
  expect(accessLogFieldsLater.filter((name) => name in line)).toEqual([])
})

test('a connection with TLS tells its version, its cipher and who the client said to be', () => {
  const exchange = exchangeOf('GET / HTTP/1.1')
  exchange.tls = {
    version: 'TLSv1.3',
    cipher: 'TLS_AES_128_GCM_SHA256',
    sni: 'shop.test',
    alpn: '',
    options: 'default',
    policy: '',
    resumed: false,
    client: {
      verified: true,
      subject: { O: ['Example'], OU: ['a', 'b'], CN: ['one, two'] },
      issuer: {},
      serialNumber: '1',
      notBefore: 0,
      notAfter: 0,
      sans: [],
      fingerprint: '',
      der: '',
    },
  }
  expect(jsonFor(exchange)).toMatchObject({
    TLSVersion: '1.3',
    TLSCipher: 'TLS_AES_128_GCM_SHA256',
    TLSClientSubject: 'CN=one\\, two,OU=b,OU=a,O=Example',
  })
})

test('an exchange that failed names its error, and no server that never answered', () => {
  const exchange = exchangeOf('GET / HTTP/1.1')
  exchange.error = CLIENT_GONE
  exchange.status = 499
  exchange.upstreamHeadAt = 0
  const line = jsonFor(exchange)
  expect(line).toMatchObject({ SluiceError: 'CLIENT_GONE', DownstreamStatus: 499 })
  expect(line).not.toHaveProperty('OriginStatus')
})

test('a request that was refused before it was understood is a line too', () => {
  const exchange = leaseExchange()
  exchange.status = 400
  exchange.clientAddress = '2001:db8::1'
  exchange.startedAt = STARTED_AT
  expect(jsonFor(exchange)).toMatchObject({ RequestMethod: '', ClientAddr: '[2001:db8::1]:0' })
  expect(linesFor(exchange, { format: 'common' })).toContain('"- - HTTP/1.1" 400 0 "-" "-" 1')
})

test('a client can neither end a line nor close a quote nor send control bytes', () => {
  const agent = 'User-Agent: a"b\\c\td\xff'
  const exchange = exchangeOf('GET /"x" HTTP/1.1', [])
  const bytes = Buffer.from(`GET /%22"x HTTP/1.1\r\nHost: a\r\n${agent}\r\n\r\n`, 'latin1')
  exchange.request.clear()
  new RequestParser().parse(exchange, bytes, 0, bytes.length, limits)
  const common = linesFor(exchange, { format: 'common' })
  expect(common).toContain('"GET /%22\\"x HTTP/1.1"')
  expect(common).toContain('"a\\"b\\\\c\\x09d\\xff"')
  const line = jsonFor(exchange, { headerNames: { 'user-agent': 'keep' } })
  expect(line['request_User-Agent']).toBe('a"b\\c\td\ufffd')
  expect(linesFor(exchange, { headersDefaultMode: 'keep' })).not.toMatch(/[\x00-\x09\x7f-\x9f]/)
})

test('UTF-8 in a header is readable in json', () => {
  const exchange = exchangeOf('GET / HTTP/1.1', ['X-Name: Zoë'])
  expect(jsonFor(exchange, { headerNames: { 'x-name': 'keep' } })['request_X-Name']).toBe('Zoë')
})

test('fields are kept or dropped by name', () => {
  const dropped = jsonFor(exchangeOf('GET / HTTP/1.1'), {
    defaultMode: 'drop',
    names: { RequestPath: 'keep' },
  })
  expect(Object.keys(dropped)).toEqual(['RequestPath', 'level', 'msg', 'time'])
  const kept = jsonFor(exchangeOf('GET / HTTP/1.1'), { names: { ClientHost: 'drop' } })
  expect(kept).not.toHaveProperty('ClientHost')
  expect(
    linesFor(exchangeOf('GET / HTTP/1.1'), { format: 'common', names: { ClientHost: 'drop' } }),
  ).toMatch(/^- - - /)
})

test('headers are kept, redacted or dropped by name, as they arrived and as they were sent', () => {
  const exchange = exchangeOf('GET / HTTP/1.1', ['X-One: 1', 'x-one: 2', 'X-Two: 2', 'X-Off: 3'])
  exchange.request.remove('x-two') // as a middleware does
  exchange.response.add('X-Out', 'yes')
  const headerNames = { 'X-One': 'keep', 'x-two': 'redact', 'x-out': 'keep' }
  const line = jsonFor(exchange, { headerNames })
  const headers = Object.entries(line).filter(([name]) =>
    /^(request|origin|downstream)_/.test(name),
  )
  expect(Object.fromEntries(headers)).toEqual({
    'request_X-One': '1,2',
    'request_X-Two': 'REDACTED',
    'downstream_X-Out': 'yes',
  })
})

test('credentials are written only when they are named', () => {
  const exchange = exchangeOf('GET / HTTP/1.1', ['Authorization: hush', 'Cookie: hush', 'A: b'])
  const line = jsonFor(exchange, { headersDefaultMode: 'keep' })
  expect(line).toMatchObject({ request_A: 'b', request_Authorization: 'REDACTED' })
  expect(JSON.stringify(line)).not.toContain('hush')
  const named = jsonFor(exchange, { headersDefaultMode: 'keep', headerNames: { Cookie: 'keep' } })
  expect(named['request_Cookie']).toBe('hush')
})

function path(mode: 'keep' | 'drop' | 'redact'): unknown {
  const exchange = exchangeOf('GET /a?x=1&token=hush&flag HTTP/1.1')
  return jsonFor(exchange, { queryDefaultMode: mode })['RequestPath']
}

test('the query is kept, dropped or redacted', () => {
  expect(path('keep')).toBe('/a?x=1&token=hush&flag')
  expect(path('drop')).toBe('/a')
  expect(path('redact')).toBe('/a?x=REDACTED&token=REDACTED&flag')
})

function isWritten(
  more: Partial<AccessLogPlan>,
  change: (exchange: LiveExchange) => void = () => {},
): boolean {
  const exchange = exchangeOf('GET / HTTP/1.1')
  change(exchange)
  return linesFor(exchange, more) !== ''
}

test('any filter that matches keeps the line', () => {
  const errors = {
    statusCodes: [
      [404, 404],
      [500, 599],
    ] as const,
  }
  expect(isWritten(errors)).toBe(false)
  expect(isWritten(errors, (e) => (e.status = 404))).toBe(true)
  expect(isWritten(errors, (e) => (e.status = 599))).toBe(true)
  expect(isWritten({ retryAttempts: true })).toBe(false)
  expect(isWritten({ ...errors, retryAttempts: true }, (e) => (e.retries = 1))).toBe(true)
  expect(isWritten({ minDurationMs: 12 })).toBe(true)
  expect(isWritten({ minDurationMs: 13 })).toBe(false)
})

test('lines are sent in pieces of 32 KiB, the rest after a quarter of a second', () => {
  vi.useFakeTimers()
  try {
    const send = vi.fn<(lines: string, count: number) => void>()
    const log = new AccessLog(plan, send)
    const exchange = exchangeOf('GET / HTTP/1.1')
    let records = 0
    for (; send.mock.calls.length === 0; records++) log.record(exchange, ENDED_AT)
    expect(send.mock.calls[0]![1]).toBe(records)
    expect(send.mock.calls[0]![0].length).toBeGreaterThanOrEqual(FLUSH_LENGTH)
    expect(vi.getTimerCount()).toBe(0)
    log.record(exchange, ENDED_AT)
    log.record(exchange, ENDED_AT)
    expect(vi.getTimerCount()).toBe(1)
    vi.advanceTimersByTime(FLUSH_INTERVAL_MS)
    expect(send.mock.calls[1]![1]).toBe(2)
    expect(send.mock.calls[1]![0]).toContain(`"RequestCount":${records + 2},`)
  } finally {
    vi.useRealTimers()
  }
})

test('with bufferingSize as many lines are held, whatever their length, for five seconds at the most', () => {
  vi.useFakeTimers()
  try {
    const send = vi.fn<(lines: string, count: number) => void>()
    const log = new AccessLog({ ...plan, bufferingSize: 100 }, send)
    const exchange = exchangeOf(`GET /${'x'.repeat(1000)} HTTP/1.1`)
    for (let i = 0; i < 99; i++) log.record(exchange, ENDED_AT) // three times 32 KiB
    vi.advanceTimersByTime(HELD_INTERVAL_MS - 1)
    expect(send).not.toHaveBeenCalled()
    log.record(exchange, ENDED_AT)
    expect(send.mock.calls.map(([, count]) => count)).toEqual([100])
    expect(vi.getTimerCount()).toBe(0)
    log.record(exchange, ENDED_AT)
    vi.advanceTimersByTime(HELD_INTERVAL_MS)
    expect(send.mock.calls.map(([, count]) => count)).toEqual([100, 1])
  } finally {
    vi.useRealTimers()
  }
})

test('however many lines may be held, they take no more than a mebibyte', () => {
  const send = vi.fn<(lines: string, count: number) => void>()
  const log = new AccessLog({ ...plan, bufferingSize: 1_000_000 }, send)
  const exchange = exchangeOf(`GET /${'x'.repeat(8000)} HTTP/1.1`)
  for (let i = 0; i < 300; i++) log.record(exchange, ENDED_AT)
  expect(send).toHaveBeenCalledTimes(2)
  for (const [lines] of send.mock.calls) expect(lines.length).toBeLessThan(HELD_LENGTH + 10_000)
})

test('when the supervisor takes nothing, lines beyond 4 MiB are lost and counted', () => {
  let length = 0
  let count = 0
  const send = (lines: string, lineCount: number) => {
    length += lines.length
    count += lineCount
  }
  const log = new AccessLog(plan, send, true)
  const exchange = exchangeOf(`GET /${'x'.repeat(8000)} HTTP/1.1`)
  for (let i = 0; i < 1000; i++) log.record(exchange, ENDED_AT)
  log.flush()
  expect(length).toBeLessThanOrEqual(WAITING_MAX)
  expect(length).toBeGreaterThan(WAITING_MAX - 20_000)
  expect(log.lost).toBe(1000 - count)
  log.taken(length)
  log.record(exchange, ENDED_AT)
  log.flush()
  expect(log.lost + count).toBe(1001)
})
