import { describe, expect, it } from 'vitest'
import { REFUSED_HOST } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { ANSWERED, NEXT } from '../contract.ts'
import { requestOf, respond, sentLines } from '../exchange.fixture.ts'
import { Headers } from './headers.ts'
import type { HeadersOptions } from './headers.ts'

const GET = 'GET / HTTP/1.1'

// Through both phases, as the pipeline does it.
function pass(options: HeadersOptions, request: Exchange, response: string[] = []): Exchange {
  const middleware = new Headers('m', options)
  expect(middleware.onRequest(request)).toBe(NEXT)
  respond(request, 200, response)
  if (middleware.hasResponse) middleware.onResponse(request)
  return request
}

function linesAfter(options: HeadersOptions, headers: string[] = [], response: string[] = []) {
  return sentLines(pass(options, requestOf(GET, headers), response).response)
}

describe('custom headers', () => {
  it('set, replace and remove request headers, whatever the case of their names', () => {
    const customRequestHeaders = { 'X-New': '1', 'x-old': 'new', ACCEPT: '', 'User-Agent': 'us' }
    const arrived = ['X-Old: a', 'X-OLD: b', 'Accept: */*', 'User-Agent: them']
    const exchange = pass({ customRequestHeaders }, requestOf(GET, arrived))
    expect(sentLines(exchange.request)).toEqual([
      'Host: shop.example',
      'X-New: 1',
      'x-old: new',
      'User-Agent: us',
    ])
  })

  it('send another Host to the server when customRequestHeaders has one', () => {
    const exchange = pass({ customRequestHeaders: { host: 'inner.example:8080' } }, requestOf(GET))
    expect(exchange.forwardHost).toBe('inner.example:8080')
    expect(exchange.host).toBe('shop.example')
  })

  it('set, replace and remove response headers', () => {
    const customResponseHeaders = { Server: '', 'X-Served-By': 'edge', 'Content-Type': 'text/x' }
    const response = ['Server: origin', 'Content-Type: text/html', 'Set-Cookie: a=1']
    expect(linesAfter({ customResponseHeaders }, [], response)).toEqual([
      'Set-Cookie: a=1',
      'X-Served-By: edge',
      'Content-Type: text/x',
    ])
  })

  it('send text beyond ASCII as UTF-8 bytes', () => {
    expect(linesAfter({ customResponseHeaders: { 'X-City': 'Köln' } })).toEqual([
      'X-City: K\xc3\xb6ln',
    ])
  })

  it('leave framing and connection headers to the codec', () => {
    const names = ['Content-Length', 'Transfer-Encoding', 'Connection', 'Upgrade', 'TE', 'Trailer']
    const map = Object.fromEntries(names.map((name) => [name, '']))
    const arrived = ['Content-Length: 3', 'Connection: close']
    const request = requestOf('POST / HTTP/1.1', arrived)
    pass({ customRequestHeaders: map, customResponseHeaders: map }, request)
    expect(sentLines(request.request)).toEqual(['Host: shop.example', ...arrived])
  })

  it('have no response phase when nothing is to be done there', () => {
    expect(new Headers('m', { customRequestHeaders: { A: 'b' } }).hasResponse).toBe(false)
    expect(new Headers('m', { allowedHosts: ['a.example'] }).hasResponse).toBe(false)
  })
})

const preflightOf = (origin: string) =>
  requestOf('OPTIONS / HTTP/1.1', [`Origin: ${origin}`, 'Access-Control-Request-Method: PUT'])

describe('CORS', () => {
  const options: HeadersOptions = {
    accessControlAllowCredentials: true,
    accessControlAllowHeaders: ['X-A', 'X-B'],
    accessControlAllowMethods: ['GET', 'PUT'],
    accessControlAllowOriginList: ['https://app.example'],
    accessControlAllowOriginListRegex: ['^https://[a-z]+\\.tenants\\.example$'],
    accessControlExposeHeaders: ['X-Total'],
    accessControlMaxAge: 100,
    addVaryHeader: true,
  }
  it('answers a preflight itself, and does not touch that answer again', () => {
    const exchange = preflightOf('https://app.example')
    const middleware = new Headers('m', { ...options, customResponseHeaders: { 'X-C': '1' } })
    expect(middleware.onRequest(exchange)).toBe(ANSWERED)
    middleware.onResponse(exchange)
    expect(exchange.status).toBe(200)
    expect(sentLines(exchange.response)).toEqual([
      'Access-Control-Allow-Credentials: true',
      'Access-Control-Allow-Headers: X-A,X-B',
      'Access-Control-Allow-Methods: GET,PUT',
      'Access-Control-Max-Age: 100',
      'Access-Control-Expose-Headers: X-Total',
      'Access-Control-Allow-Origin: https://app.example',
    ])
  })

  it('says what is asked for where "*" stands beside credentials, and exposes nothing', () => {
    const wild = {
      ...options,
      accessControlAllowHeaders: ['*'],
      accessControlAllowMethods: ['*'],
      accessControlExposeHeaders: ['*'],
    }
    const asked = ['Access-Control-Request-Method: PUT', 'Access-Control-Request-Headers: x-a, x-b']
    const exchange = requestOf('OPTIONS / HTTP/1.1', ['Origin: https://app.example', ...asked])
    new Headers('m', wild).onRequest(exchange)
    expect(exchange.response.get('access-control-allow-headers')).toBe('x-a, x-b')
    expect(exchange.response.get('access-control-allow-methods')).toBe('PUT')
    expect(exchange.response.has('access-control-expose-headers')).toBe(false)
    const without = { ...wild, accessControlAllowCredentials: false }
    const plain = preflightOf('https://app.example')
    new Headers('m', without).onRequest(plain)
    expect(plain.response.get('access-control-allow-headers')).toBe('*')
    expect(plain.response.get('access-control-allow-methods')).toBe('*')
    expect(plain.response.get('access-control-expose-headers')).toBe('*')
  })

  it.each([
    [undefined, null],
    [0, '0'],
    [600, '600'],
  ])('for accessControlMaxAge %s sends %s', (accessControlMaxAge, expected) => {
    const exchange = preflightOf('https://app.example')
    new Headers('m', { ...options, accessControlMaxAge }).onRequest(exchange)
    expect(exchange.response.get('access-control-max-age')).toBe(expected)
  })

  it('names no origin in the preflight answer to one that is not allowed', () => {
    const exchange = preflightOf('https://evil.example')
    expect(new Headers('m', options).onRequest(exchange)).toBe(ANSWERED)
    expect(exchange.response.has('access-control-allow-origin')).toBe(false)
  })

  it.each([
    ['GET / HTTP/1.1', ['Origin: https://app.example', 'Access-Control-Request-Method: PUT']],
    ['OPTIONS / HTTP/1.1', ['Origin: https://app.example']],
    ['OPTIONS / HTTP/1.1', ['Access-Control-Request-Method: PUT']],
    ['OPTIONS / HTTP/1.1', ['Origin:', 'Access-Control-Request-Method: PUT']],
  ])('passes %s with %j on: that is no preflight', (start, headers) => {
    expect(new Headers('m', options).onRequest(requestOf(start, headers))).toBe(NEXT)
  })

  it('passes a preflight on when no CORS option is set', () => {
    const middleware = new Headers('m', { customRequestHeaders: { A: 'b' } })
    expect(middleware.onRequest(preflightOf('https://app.example'))).toBe(NEXT)
  })

  it.each([
    ['https://app.example', 'https://app.example'],
    ['https://a.tenants.example', 'https://a.tenants.example'],
    ['https://a.tenants.example.evil.example', null],
    ['https://APP.example', null],
  ])('allows origin %s as %s on a response', (origin, expected) => {
    const exchange = pass(options, requestOf(GET, [`Origin: ${origin}`]))
    expect(exchange.response.get('access-control-allow-origin')).toBe(expected)
    expect(exchange.response.get('access-control-expose-headers')).toBe('X-Total')
    expect(exchange.response.get('access-control-allow-credentials')).toBe('true')
  })

  it('overrules what the server said, and leaves it when the origin is not allowed', () => {
    const response = ['Access-Control-Allow-Origin: *']
    const allowed = pass(options, requestOf(GET, ['Origin: https://app.example']), response)
    expect(allowed.response.getAll('access-control-allow-origin')).toEqual(['https://app.example'])
    const other = pass(options, requestOf(GET, ['Origin: https://evil.example']), response)
    expect(other.response.getAll('access-control-allow-origin')).toEqual(['*'])
  })

  it('answers "*" for a list that holds it, also to a request without origin', () => {
    const any = { accessControlAllowOriginList: ['*'] }
    expect(linesAfter(any)).toEqual(['Access-Control-Allow-Origin: *'])
  })

  it('never matches an absent origin against an expression', () => {
    expect(linesAfter({ accessControlAllowOriginListRegex: ['.*'] })).toEqual([])
  })

  it.each([
    [[], 'Origin'],
    [['Vary: Accept'], 'Accept,Origin'],
    [['Vary: Accept', 'Vary: Cookie'], 'Accept,Cookie,Origin'],
    [['Vary: accept, ORIGIN'], 'accept, ORIGIN'],
    [['Vary: *'], '*'],
  ])('with addVaryHeader makes %j into Vary: %s', (response, expected) => {
    const exchange = pass({ addVaryHeader: true }, requestOf(GET), response)
    expect(exchange.response.getAll('vary').join(',')).toBe(expected)
  })
})

const stsOver = (secure: boolean, options: HeadersOptions, headers: string[] = []) => {
  const exchange = requestOf(GET, headers)
  exchange.secure = secure
  return pass(options, exchange).response.get('strict-transport-security')
}

describe('security headers', () => {
  it('pin keys over TLS only, or where a proxy says that it was TLS', () => {
    const options = { publicKey: 'pin-sha256="x"', sslProxyHeaders: { 'X-Tls': 'on' } }
    const pinsOver = (secure: boolean, headers: string[] = [], isDevelopment = false) => {
      const exchange = requestOf(GET, headers)
      exchange.secure = secure
      return pass({ ...options, isDevelopment }, exchange).response.get('public-key-pins')
    }
    expect(pinsOver(false)).toBe(null)
    expect(pinsOver(true)).toBe('pin-sha256="x"')
    expect(pinsOver(false, ['X-Tls: on'])).toBe('pin-sha256="x"')
    expect(pinsOver(true, [], true)).toBe(null)
  })

  it('are sent as configured; a custom value wins over its switch', () => {
    const options: HeadersOptions = {
      frameDeny: true,
      contentTypeNosniff: true,
      browserXssFilter: true,
      contentSecurityPolicy: "default-src 'self'",
      contentSecurityPolicyReportOnly: 'default-src *',
      referrerPolicy: 'no-referrer',
      permissionsPolicy: 'camera=()',
    }
    expect(linesAfter(options, [], ['X-Frame-Options: ALLOWALL'])).toEqual([
      'X-Frame-Options: DENY',
      'X-Content-Type-Options: nosniff',
      'X-XSS-Protection: 1; mode=block',
      "Content-Security-Policy: default-src 'self'",
      'Content-Security-Policy-Report-Only: default-src *',
      'Referrer-Policy: no-referrer',
      'Permissions-Policy: camera=()',
    ])
    const custom = { ...options, customFrameOptionsValue: 'SAMEORIGIN', customBrowserXSSValue: '0' }
    expect(linesAfter(custom)).toContain('X-Frame-Options: SAMEORIGIN')
    expect(linesAfter(custom)).toContain('X-XSS-Protection: 0')
  })

  it('are overruled by customResponseHeaders', () => {
    const options = { frameDeny: true, customResponseHeaders: { 'X-Frame-Options': '' } }
    expect(linesAfter(options)).toEqual([])
  })

  const sts: HeadersOptions = { stsSeconds: 600, stsIncludeSubdomains: true, stsPreload: true }
  it('send Strict-Transport-Security over TLS only, unless forced', () => {
    const value = 'max-age=600; includeSubDomains; preload'
    expect(stsOver(true, sts)).toBe(value)
    expect(stsOver(false, sts)).toBe(null)
    expect(stsOver(false, { ...sts, forceSTSHeader: true })).toBe(value)
    expect(stsOver(true, { ...sts, isDevelopment: true })).toBe(null)
    expect(stsOver(true, { stsSeconds: 0, stsPreload: true })).toBe(null)
  })

  it('take sslProxyHeaders for TLS', () => {
    const options = { ...sts, sslProxyHeaders: { 'X-Forwarded-Proto': 'https' } }
    expect(stsOver(false, options, ['X-Forwarded-Proto: https'])).not.toBe(null)
    expect(stsOver(false, options, ['X-Forwarded-Proto: http'])).toBe(null)
  })
})

const verdictOf = (options: HeadersOptions, headers: string[]) => {
  const exchange = requestOf(GET, headers)
  return [new Headers('m', options).onRequest(exchange), exchange.status, exchange.error]
}

describe('allowedHosts', () => {
  const refused = [ANSWERED, 400, REFUSED_HOST]
  const passed = [NEXT, 0, 0]

  it('refuses every other host, whatever its case', () => {
    const options = { allowedHosts: ['Shop.example'] }
    expect(verdictOf(options, ['Host: SHOP.example'])).toEqual(passed)
    expect(verdictOf(options, ['Host: evil.example'])).toEqual(refused)
    expect(verdictOf(options, ['Host: shop.example:81'])).toEqual(refused)
  })

  it('looks at hostsProxyHeaders first', () => {
    const options = { allowedHosts: ['shop.example'], hostsProxyHeaders: ['X-Forwarded-Host'] }
    const forwarded = 'X-Forwarded-Host: shop.example'
    expect(verdictOf(options, ['Host: inner', forwarded])).toEqual(passed)
    expect(verdictOf(options, ['Host: shop.example', 'X-Forwarded-Host: evil'])).toEqual(refused)
    expect(verdictOf(options, ['Host: shop.example'])).toEqual(passed)
  })

  it('is off in development', () => {
    const options = { allowedHosts: ['shop.example'], isDevelopment: true }
    expect(verdictOf(options, ['Host: localhost'])).toEqual(passed)
  })
})

it('explains with names only, because values may be secrets', () => {
  const options = {
    customRequestHeaders: { 'X-Key': 'hush', Accept: '', Host: 'inner.example' },
    customResponseHeaders: { Server: '' },
  }
  const sentence = new Headers('m', options).explain(requestOf(GET))
  expect(sentence).toBe(
    'Sends Host inner.example to the server; sets X-Key, removes Accept in the request; ' +
      'removes Server in the response.',
  )
})
