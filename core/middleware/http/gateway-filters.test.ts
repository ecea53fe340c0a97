// requestRedirect and URLRewrite: the filters of the Gateway API that change a URL.
import { describe, expect, it } from 'vitest'
import { REWRITE_INVALID } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { ANSWERED, NEXT } from '../contract.ts'
import { requestOf, sentLines } from '../exchange.fixture.ts'
import { RequestRedirect } from './request-redirect.ts'
import type { RequestRedirectOptions } from './request-redirect.ts'
import { UrlRewrite } from './url-rewrite.ts'

// path, pathPrefix, path option, what is made of it. The first part is the table of HTTPPathModifier.
const pathChanges: [string, string | null, string | null, string][] = [
  ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
  ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
  ['/foo/bar', '/foo/', '/xyz', '/xyz/bar'],
  ['/foo/bar', '/foo/', '/xyz/', '/xyz/bar'],
  ['/foo', '/foo', '/xyz', '/xyz'],
  ['/foo/', '/foo', '/xyz', '/xyz/'],
  ['/foo/bar', '/foo', '', '/bar'],
  ['/foo/', '/foo', '', '/'],
  ['/foo', '/foo', '', '/'],
  ['/foo/', '/foo', '/', '/'],
  ['/foo', '/foo', '/', '/'],
  ['/foo/bar', '/foo', '/', '/bar'],
  ['/foobar', '/foo', '/xyz', '/foobar'],
  ['/other', '/foo', '/xyz', '/other'],
  ['/a', '/', '/xyz', '/xyz/a'],
  ['/', '/', '/xyz', '/xyz/'],
  ['/foo/bar/', '/foo', '/x/y', '/x/y/bar/'],
  ['/foo/bar', null, '/xyz', '/xyz'],
  ['/foo/bar', null, '/xyz/', '/xyz/'],
  ['/foo/bar', null, null, '/foo/bar'],
  ['/foo/a%2Fb', '/foo', '/xyz', '/xyz/a%2Fb'],
  ['/caf%C3%A9/x', '/café', '/tea', '/tea/x'],
  ['/foo%2Fbar', '/foo', '/xyz', '/foo%2Fbar'],
  ['/foo', null, '/a b?c', '/a%20b%3Fc'],
]

describe('URLRewrite', () => {
  it.each(pathChanges)('%s, prefix %s by %s, is sent as %s', (path, pathPrefix, by, expected) => {
    const rewrite = new UrlRewrite('m', { hostname: '', path: by, pathPrefix })
    const exchange = requestOf(`GET ${path}?q=1 HTTP/1.1`)
    expect(rewrite.onRequest(exchange)).toBe(NEXT)
    expect([exchange.path, exchange.query, exchange.forwardHost]).toEqual([expected, 'q=1', ''])
    expect(sentLines(exchange.request)).toEqual(['Host: shop.example'])
  })

  it.each(['inner.example', 'inner.example:8080', '[2001:db8::1]:80'])('sends %s', (hostname) => {
    const exchange = requestOf('GET /a HTTP/1.1')
    new UrlRewrite('m', { hostname, path: null, pathPrefix: null }).onRequest(exchange)
    expect([exchange.forwardHost, exchange.path, exchange.pathChanged]).toEqual([
      hostname,
      '/a',
      false,
    ])
  })

  it('refuses to make a path that nobody has checked', () => {
    const rewrite = new UrlRewrite('m', { hostname: '', path: '/x/..', pathPrefix: '/foo' })
    const exchange = requestOf('GET /foo/bar HTTP/1.1')
    expect(rewrite.onRequest(exchange)).toBe(ANSWERED)
    expect([exchange.status, exchange.error, exchange.path]).toEqual([
      400,
      REWRITE_INVALID,
      '/foo/bar',
    ])
  })

  it('says what it does', () => {
    const options = { hostname: 'inner.example', path: '/b', pathPrefix: '/a' }
    const explained = (path: string) =>
      new UrlRewrite('m', options).explain(requestOf(`GET ${path} HTTP/1.1`))
    expect(explained('/a/x')).toBe('Replaces the host by inner.example and the path by /b/x.')
    expect(explained('/c')).toBe('Replaces the host by inner.example.')
  })
})

const nowhere: RequestRedirectOptions = {
  scheme: '',
  hostname: '',
  port: '',
  path: null,
  pathPrefix: null,
  statusCode: 302,
}

function requestTo(url: string, headers: string[] = []): Exchange {
  const [, scheme, host, target] = /^(https?):\/\/([^/]*)(.*)$/.exec(url)!
  const exchange = requestOf(`GET ${target} HTTP/1.1`, [`Host: ${host}`, ...headers])
  exchange.secure = scheme === 'https'
  return exchange
}

function locationOf(options: Partial<RequestRedirectOptions>, exchange: Exchange): string | null {
  const verdict = new RequestRedirect('m', { ...nowhere, ...options }).onRequest(exchange)
  expect(verdict).toBe(ANSWERED)
  return exchange.response.get('location')
}

describe('requestRedirect', () => {
  it.each(pathChanges)('%s, prefix %s by %s, sends to %s', (path, pathPrefix, by, expected) => {
    const exchange = requestTo(`http://a.example${path}?q=1`)
    const location = locationOf({ hostname: 'b.example', path: by, pathPrefix }, exchange)
    expect(location).toBe(`http://b.example${expected}?q=1`)
    expect(exchange.path).toBe(path)
  })

  it.each([
    // Neither scheme nor port: both stay.
    [{ hostname: 'b.example' }, 'http://a.example/x', 'http://b.example/x'],
    [{ hostname: 'b.example' }, 'http://a.example:80/x', 'http://b.example/x'],
    [{ hostname: 'b.example' }, 'http://a.example:8080/x', 'http://b.example:8080/x'],
    [{ hostname: 'b.example' }, 'https://a.example:443/x', 'https://b.example/x'],
    [{ hostname: 'b.example' }, 'https://a.example:80/x', 'https://b.example:80/x'],
    // A scheme alone means its own port.
    [{ scheme: 'https' }, 'http://a.example/x', 'https://a.example/x'],
    [{ scheme: 'https' }, 'http://a.example:8080/x', 'https://a.example/x'],
    [{ scheme: 'http' }, 'https://a.example:8443/x', 'http://a.example/x'],
    [{ scheme: 'http' }, 'http://a.example:8080/x', 'http://a.example/x'],
    // A port that is given is written unless it is that of the scheme.
    [{ port: '8083' }, 'http://a.example/x', 'http://a.example:8083/x'],
    [{ port: '80' }, 'http://a.example:8080/x', 'http://a.example/x'],
    [{ port: '80' }, 'https://a.example/x', 'https://a.example:80/x'],
    [{ scheme: 'https', port: '443' }, 'http://a.example/', 'https://a.example/'],
    [{ scheme: 'https', port: '8443' }, 'http://a.example/', 'https://a.example:8443/'],
    [{ scheme: 'http', port: '443' }, 'http://a.example/', 'http://a.example:443/'],
    // Hosts that hold colons, and a query that is empty.
    [{ scheme: 'https' }, 'http://[2001:db8::1]:80/x?', 'https://[2001:db8::1]/x?'],
    [{ hostname: '[2001:db8::2]', port: '81' }, 'http://a.example/', 'http://[2001:db8::2]:81/'],
  ] as [Partial<RequestRedirectOptions>, string, string][])(
    '%j sends %s to %s',
    (options, url, expected) => {
      expect(locationOf(options, requestTo(url))).toBe(expected)
    },
  )

  it('keeps the scheme that a trusted proxy has told, and answers the URL that is right already', () => {
    const exchange = requestTo('http://a.example/x', ['X-Forwarded-Proto: https'])
    expect(locationOf({ hostname: 'a.example' }, exchange)).toBe('https://a.example/x')
  })

  it.each([301, 302, 303, 307, 308])('answers %i to any method', (statusCode) => {
    const exchange = requestOf('POST / HTTP/1.1')
    locationOf({ scheme: 'https', statusCode }, exchange)
    expect(exchange.status).toBe(statusCode)
  })

  it.each([
    ['OPTIONS * HTTP/1.1', 'shop.example', { scheme: 'https' }],
    ['GET /a HTTP/1.1', '', { scheme: 'https' }],
    ['GET /a HTTP/1.1', 'shop.example', { path: '/../etc' }],
    ['GET /a HTTP/1.1', 'shop.example', { hostname: 'b.example\r\nX-Evil: 1' }],
  ])('refuses %s of "%s", which has no URL to be sent to', (start, authority, options) => {
    const exchange = requestOf(start)
    exchange.authority = authority
    expect(locationOf(options, exchange)).toBe(null)
    expect([exchange.status, exchange.error]).toEqual([400, REWRITE_INVALID])
  })
})
