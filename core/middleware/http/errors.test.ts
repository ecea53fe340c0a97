import { describe, expect, it } from 'vitest'
import { KEEP, NEXT, REPLACE } from '../contract.ts'
import { requestOf, respond } from '../exchange.fixture.ts'
import { Errors } from './errors.ts'
import type { ErrorsOptions } from './errors.ts'

function errors(options: Partial<ErrorsOptions>): Errors {
  return new Errors('m', { status: ['500-599'], service: 'pages@file', ...options })
}

function replacementFor(options: Partial<ErrorsOptions>, status: number, target = '/a/b?x=1') {
  const exchange = requestOf(`GET ${target} HTTP/1.1`)
  const middleware = errors(options)
  expect(middleware.onRequest(exchange)).toBe(NEXT)
  respond(exchange, status)
  return middleware.onResponse(exchange) === REPLACE ? middleware.replacement(exchange) : null
}

describe('errors', () => {
  it.each([
    [['404'], 404, true],
    [['404'], 405, false],
    [['500-599'], 500, true],
    [['500-599'], 599, true],
    [['500-599'], 499, false],
    [['404', '500-503'], 503, true],
    [['100-599'], 101, false], // a tunnel is not replaced
    [['100-599'], 200, true],
  ])('for %j and status %i replaces: %s', (status, answered, replaces) => {
    expect(replacementFor({ status }, answered) !== null).toBe(replaces)
  })

  it('asks the service for the query with its placeholders filled', () => {
    const query = '/{status}.html?from={url}&was={originalStatus}'
    expect(replacementFor({ query }, 503, '/a%2Fb?x=1%202')).toEqual({
      service: 'pages@file',
      path: '/503.html',
      query: 'from=http%3A%2F%2Fshop.example%2Fa%252Fb%3Fx%3D1%25202&was=503',
      status: 503,
      requestHeaders: null,
    })
  })

  it('fills a placeholder once: what came in with the URL is not filled again', () => {
    const replacement = replacementFor({ query: '/?{url}' }, 500, '/{status}$&')
    expect(replacement?.query).toBe('http%3A%2F%2Fshop.example%2F%7Bstatus%7D%24%26')
  })

  it.each([
    ['', '/', ''],
    ['404.html', '/404.html', ''],
    ['/é page', '/%C3%A9%20page', ''],
    ['/p?q', '/p', 'q'],
  ])('turns the query "%s" into path %s and query "%s"', (query, path, expected) => {
    const replacement = replacementFor({ query }, 500)
    expect([replacement?.path, replacement?.query]).toEqual([path, expected])
  })

  it('shows the rewritten status; the narrowest range decides', () => {
    const options = {
      query: '/{status}/{originalStatus}',
      statusRewrites: { '500-599': 500, '503': 418, '501-504': 404 },
    }
    expect(replacementFor(options, 503)).toMatchObject({ status: 418, path: '/418/503' })
    expect(replacementFor(options, 502)).toMatchObject({ status: 404, path: '/404/502' })
    expect(replacementFor(options, 599)).toMatchObject({ status: 500, path: '/500/599' })
  })

  it('names the request headers that the service may see', () => {
    const some = replacementFor({ errorRequestHeaders: ['Accept', 'X-Id'] }, 500)
    expect(some?.requestHeaders).toEqual(['accept', 'x-id'])
    expect(replacementFor({ errorRequestHeaders: [] }, 500)?.requestHeaders).toEqual([])
    expect(replacementFor({ errorRequestHeaders: null }, 500)?.requestHeaders).toBe(null)
  })

  it('keeps a response whose status is not asked for', () => {
    const exchange = requestOf('GET / HTTP/1.1')
    respond(exchange, 200)
    expect(errors({}).onResponse(exchange)).toBe(KEEP)
  })
})
