import { describe, expect, test } from 'vitest'
import { AddressSet } from './address.ts'
import { SAW_ALIAS, SAW_MANAGED, SAW_UPGRADE, type Exchange } from './exchange.ts'
import {
  ForwardedCache,
  forwardedLines,
  isTrusted,
  stripManaged,
  type ForwardedPolicy,
} from './forwarded.ts'
import { MANAGED_FIRST, MANAGED_LAST, headerNames } from './header-ids.ts'
import { linesOf } from './headers.ts'
import { exchangeOf } from './route/samples.ts'

const policy: ForwardedPolicy = {
  insecure: false,
  trusted: new AddressSet(['10.0.0.0/8']),
  notAppendXForwardedFor: false,
  addScheme: false,
  serverName: 'gateway-1',
  port: '',
}

function requestOf(headers: [string, string][] = [], host = 'a.com'): Exchange {
  const exchange = exchangeOf({ host, headers })
  exchange.facts |= SAW_MANAGED | SAW_ALIAS
  return exchange
}

function sentOf(exchange: Exchange, options: ForwardedPolicy = policy): string[] {
  const lines = forwardedLines(exchange, options)
  const head = linesOf(exchange.request, exchange.request.linesStart)
  return (head + lines).split('\r\n').filter((line) => line !== '')
}

describe('an untrusted peer', () => {
  test('CVE-2026-39858 and CVE-2026-35051: every managed header is dropped', () => {
    const headers = headerNames
      .slice(MANAGED_FIRST, MANAGED_LAST + 1)
      .map((name): [string, string] => [name, 'evil'])
    const exchange = requestOf([['Accept', '*'], ...headers])
    stripManaged(exchange, false)
    expect(linesOf(exchange.request, exchange.request.linesStart)).toBe('Accept: *\r\n')
  })

  test.each([
    'X_Forwarded_For',
    'x-forwarded_for',
    'X.Forwarded.For',
    'x.real_ip',
    'X_FORWARDED_TLS_CLIENT_CERT',
    'Content_Length',
    'Transfer.Encoding',
  ])('CVE-2026-54763, CVE-2026-88011 and CVE-2026-33433: %s is dropped as an alias', (name) => {
    for (const trusted of [false, true]) {
      const exchange = requestOf([
        [name, 'evil'],
        ['X_Other', 'kept'],
      ])
      stripManaged(exchange, trusted)
      expect(linesOf(exchange.request, exchange.request.linesStart)).toBe('X_Other: kept\r\n')
    }
  })

  test('gets lines that tell the truth', () => {
    const exchange = requestOf([['X-Forwarded-For', '1.1.1.1']])
    stripManaged(exchange, false)
    expect(sentOf(exchange)).toEqual([
      'X-Forwarded-For: 192.0.2.1',
      'X-Forwarded-Host: a.com',
      'X-Forwarded-Port: 80',
      'X-Forwarded-Proto: http',
      'X-Forwarded-Server: gateway-1',
      'X-Real-Ip: 192.0.2.1',
    ])
  })

  test('has the port and the scheme of what it asked for', () => {
    const exchange = requestOf([], 'a.com:8443')
    exchange.secure = true
    const lines = sentOf(exchange, { ...policy, addScheme: true })
    expect(lines).toContain('X-Forwarded-Port: 8443')
    expect(lines).toContain('X-Forwarded-Proto: https')
    expect(lines).toContain('X-Forwarded-Scheme: https')
    expect(lines).toContain('X-Scheme: https')
    const socket = requestOf([['Upgrade', 'WebSocket']], '[::1]')
    socket.facts |= SAW_UPGRADE
    expect(sentOf(socket)).toContain('X-Forwarded-Proto: ws')
    expect(sentOf(socket)).toContain('X-Forwarded-Port: 80')
  })

  test('has no X-Forwarded-For when appending is off', () => {
    const exchange = requestOf()
    const lines = sentOf(exchange, { ...policy, notAppendXForwardedFor: true })
    expect(lines.some((line) => line.startsWith('X-Forwarded-For'))).toBe(false)
  })
})

describe('a trusted peer', () => {
  test('keeps what it said, and its list is extended in one line', () => {
    const exchange = requestOf([
      ['X-Forwarded-For', '1.1.1.1'],
      ['x-forwarded-for', '2.2.2.2'],
      ['X-Forwarded-Proto', 'https'],
      ['X-Real-Ip', '1.1.1.1'],
    ])
    stripManaged(exchange, true)
    const lines = sentOf(exchange)
    expect(lines.filter((line) => /^x-forwarded-for/i.test(line))).toEqual([
      'X-Forwarded-For: 1.1.1.1, 2.2.2.2, 192.0.2.1',
    ])
    expect(lines.filter((line) => /proto/i.test(line))).toEqual(['X-Forwarded-Proto: https'])
    expect(lines.filter((line) => /real/i.test(line))).toEqual(['X-Real-Ip: 1.1.1.1'])
    expect(lines).toContain('X-Forwarded-Port: 443')
    // A retry sends the same again.
    expect(sentOf(exchange)).toEqual(lines)
  })

  test('is one that the policy names, or anyone when it is insecure', () => {
    expect(isTrusted(policy, '10.1.2.3')).toBe(true)
    expect(isTrusted(policy, '192.0.2.1')).toBe(false)
    expect(isTrusted({ ...policy, trusted: null }, '10.1.2.3')).toBe(false)
    expect(isTrusted({ ...policy, insecure: true }, '192.0.2.1')).toBe(true)
  })
})

describe('the lines of a connection', () => {
  test('are made once for a host, and again when it changes', () => {
    const cache = new ForwardedCache()
    const first = exchangeOf({ host: 'a.com' })
    const lines = forwardedLines(first, policy, cache)
    expect(forwardedLines(exchangeOf({ host: 'a.com' }), policy, cache)).toBe(lines)
    expect(forwardedLines(exchangeOf({ host: 'b.com' }), policy, cache)).toContain('Host: b.com')
    expect(forwardedLines(first, { ...policy, serverName: 'x' }, cache)).toContain('Server: x')
  })

  test('never serve a request that brought, or was given, headers of its own', () => {
    const cache = new ForwardedCache()
    forwardedLines(exchangeOf({ host: 'a.com' }), policy, cache)
    const given = exchangeOf({ host: 'a.com' })
    given.request.add('X-Forwarded-Proto', 'https')
    expect(forwardedLines(given, policy, cache)).not.toContain('X-Forwarded-Proto')
    const trusted = requestOf([['X-Forwarded-Host', 'public.org']])
    expect(forwardedLines(trusted, policy, cache)).not.toContain('X-Forwarded-Host')
  })

  test('are the same with and without memory, whatever a middleware has added', () => {
    const withScheme = { ...policy, addScheme: true }
    const cache = new ForwardedCache()
    forwardedLines(exchangeOf({ host: 'a.com' }), withScheme, cache)
    const names = headerNames
      .filter((name) => name !== '')
      .flatMap((name) => [name, name.toUpperCase()])
    for (const name of [...names, 'X-Else', 'Else', 'x', 'x-forwarded-forx']) {
      const remembering = exchangeOf({ host: 'a.com' })
      const fresh = exchangeOf({ host: 'a.com' })
      for (const { request } of [remembering, fresh]) request.add(name, '7')
      const lines = forwardedLines(remembering, withScheme, cache)
      expect([name, lines]).toEqual([name, forwardedLines(fresh, withScheme, null)])
      expect(linesOf(remembering.request, 0)).toBe(linesOf(fresh.request, 0))
    }
  })
})
