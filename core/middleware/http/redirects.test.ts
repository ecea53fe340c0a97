// redirectScheme and redirectRegex.
import { describe, expect, it } from 'vitest'
import { REWRITE_INVALID } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { ANSWERED, NEXT } from '../contract.ts'
import { requestOf } from '../exchange.fixture.ts'
import { RedirectRegex } from './redirect-regex.ts'
import { RedirectScheme } from './redirect-scheme.ts'

function requestTo(url: string, method = 'GET', headers: string[] = []): Exchange {
  const [, scheme, host, target] = /^(https?):\/\/([^/]*)(.*)$/.exec(url)!
  const exchange = requestOf(`${method} ${target} HTTP/1.1`, [`Host: ${host}`, ...headers])
  exchange.secure = scheme === 'https'
  return exchange
}

const location = (to: [string, string], url: string, headers: string[] = []) => {
  const middleware = new RedirectScheme('m', { scheme: to[0], port: to[1], permanent: false })
  const exchange = requestTo(url, 'GET', headers)
  return middleware.onRequest(exchange) === NEXT ? null : exchange.response.get('location')
}

describe('redirectScheme', () => {
  it.each([
    [['https', ''], 'http://a.example/x?y=1', 'https://a.example/x?y=1'],
    [['https', ''], 'http://a.example:80/', 'https://a.example/'],
    [['https', ''], 'http://a.example:8080/', 'https://a.example/'],
    [['https', '443'], 'http://a.example/', 'https://a.example/'],
    [['https', '8443'], 'http://a.example/', 'https://a.example:8443/'],
    [['https', '8443'], 'http://[2001:db8::1]:80/a', 'https://[2001:db8::1]:8443/a'],
    [['https', ''], 'http://[2001:db8::1]/a', 'https://[2001:db8::1]/a'],
    [['http', '80'], 'https://a.example/', 'http://a.example/'],
    [['https', ''], 'https://a.example:8443/', 'https://a.example/'],
    [['http', '8181'], 'http://a.example:80/', 'http://a.example:8181/'],
  ] as [[string, string], string, string][])('to %j sends %s to %s', (to, url, expected) => {
    expect(location(to, url)).toBe(expected)
  })

  it.each([
    [['https', ''], 'https://a.example/x'],
    [['https', ''], 'https://a.example:443/x'],
    [['https', '8443'], 'https://a.example:8443/x'],
    [['http', ''], 'http://a.example/x'],
  ] as [[string, string], string][])('to %j lets %s pass', (to, url) => {
    expect(location(to, url)).toBe(null)
  })

  it('believes X-Forwarded-Proto, which only a trusted proxy can have set', () => {
    const to: [string, string] = ['https', '']
    for (const proto of ['https', 'HTTPS', 'wss']) {
      expect(location(to, 'http://a.example/', [`X-Forwarded-Proto: ${proto}`])).toBe(null)
    }
    for (const proto of ['http', 'ws']) {
      const headers = [`X-Forwarded-Proto: ${proto}`]
      expect(location(to, 'https://a.example/', headers)).toBe('https://a.example/')
    }
    expect(location(to, 'https://a.example/', ['X-Forwarded-Proto: gopher'])).toBe(null)
  })

  it.each([
    ['GET', false, 302],
    ['GET', true, 301],
    ['HEAD', true, 308],
    ['POST', false, 307],
    ['POST', true, 308],
  ])('answers %s (permanent: %s) with %i', (method, permanent, status) => {
    const exchange = requestTo('http://a.example/', method)
    const middleware = new RedirectScheme('m', { scheme: 'https', port: '', permanent })
    expect(middleware.onRequest(exchange)).toBe(ANSWERED)
    expect(exchange.status).toBe(status)
  })

  it('refuses an HTTP/1.0 request without Host, which has nowhere to be sent', () => {
    const exchange = requestTo('http://a.example/')
    exchange.authority = ''
    const middleware = new RedirectScheme('m', { scheme: 'https', port: '', permanent: true })
    expect(middleware.onRequest(exchange)).toBe(ANSWERED)
    expect([exchange.status, exchange.error]).toEqual([400, REWRITE_INVALID])
  })

  it('sends the client to the path as it stands after the middlewares before it', () => {
    const exchange = requestTo('http://a.example/old')
    exchange.path = '/new'
    new RedirectScheme('m', { scheme: 'https', permanent: true }).onRequest(exchange)
    expect(exchange.response.get('location')).toBe('https://a.example/new')
  })
})

const redirect = (regex: string, replacement: string, url: string) => {
  const exchange = requestTo(url)
  const middleware = new RedirectRegex('m', { regex, replacement, permanent: false })
  return middleware.onRequest(exchange) === NEXT ? null : exchange
}

describe('redirectRegex', () => {
  it.each([
    [
      '^https?://a.example/(.*)',
      'https://b.example/${1}',
      'http://a.example/x?y=1',
      'https://b.example/x?y=1',
    ],
    ['^http://([^/]+):8080/(.*)$', 'http://$1/$2', 'http://a.example:8080/x', 'http://a.example/x'],
    [
      '^(.*)/old$',
      '$1/new?from=old#top',
      'https://a.example/old',
      'https://a.example/new?from=old#top',
    ],
    ['x$', 'é y', 'http://a.example/x', 'http://a.example/%C3%A9%20y'],
  ])('%s -> %s sends %s', (regex, replacement, url, expected) => {
    expect(redirect(regex, replacement, url)?.response.get('location')).toBe(expected)
  })

  it('lets a URL pass that does not match or does not change', () => {
    expect(redirect('^https://b', 'https://c', 'http://a.example/')).toBe(null)
    expect(redirect('^(.*)$', '$1', 'http://a.example/')).toBe(null)
  })

  it('refuses a Location that holds a control character or nothing', () => {
    for (const replacement of ['https://b/\r\nX-Injected: 1', 'https://b/\u007f', '$2']) {
      const exchange = redirect('^(.*)$', replacement, 'http://a.example/')!
      expect([exchange.status, exchange.error]).toEqual([400, REWRITE_INVALID])
      expect(exchange.response.has('location')).toBe(false)
    }
  })

  it('refuses a URL made to be slow, and does not let it pass', () => {
    const url = `http://a.example${'/p'.repeat(6_000)}`
    const exchange = redirect('/p(/.*\\.html)?', '/x', url)!
    expect([exchange.status, exchange.error]).toEqual([400, REWRITE_INVALID])
    expect(exchange.response.has('location')).toBe(false)
  })
})
