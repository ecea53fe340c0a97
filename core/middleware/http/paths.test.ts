// addPrefix, stripPrefix, stripPrefixRegex, replacePath, replacePathRegex, encodedCharacters.
import { describe, expect, it } from 'vitest'
import { ENCODED_CHARACTER, REWRITE_INVALID } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { ANSWERED, NEXT } from '../contract.ts'
import type { Middleware } from '../contract.ts'
import { requestOf } from '../exchange.fixture.ts'
import { AddPrefix } from './add-prefix.ts'
import { EncodedCharacters } from './encoded-characters.ts'
import { ReplacePath, ReplacePathRegex } from './replace-path.ts'
import { StripPrefix, StripPrefixRegex } from './strip-prefix.ts'

function run(middleware: Middleware, target: string, headers: string[] = []): Exchange {
  const exchange = requestOf(`GET ${target} HTTP/1.1`, headers)
  expect(middleware.onRequest(exchange)).toBe(NEXT)
  return exchange
}

describe('addPrefix', () => {
  it('puts the prefix before the path and keeps escapes and query', () => {
    const exchange = run(new AddPrefix('m', { prefix: '/api' }), '/a%2Fb?x=%20')
    expect(exchange.path).toBe('/api/a%2Fb')
    expect(exchange.routingPath).toBe('/api/a%2Fb')
    expect(exchange.query).toBe('x=%20')
    expect(exchange.pathChanged).toBe(true)
  })

  it('escapes what may not stand in a path', () => {
    expect(run(new AddPrefix('m', { prefix: '/é x' }), '/a').path).toBe('/%C3%A9%20x/a')
  })

  it('refuses a prefix that would climb', () => {
    const exchange = requestOf('GET /a HTTP/1.1')
    expect(new AddPrefix('m', { prefix: '/x/..' }).onRequest(exchange)).toBe(ANSWERED)
    expect([exchange.status, exchange.error]).toEqual([400, REWRITE_INVALID])
  })
})

describe('stripPrefix', () => {
  it.each([
    [['/stat'], '/stat/us', '/us', '/stat'],
    [['/stat'], '/status', '/us', '/stat'], // not segment-aware, as PathPrefix is not
    [['/stat'], '/stat', '/', '/stat'],
    [['/stat/'], '/stat/us', '/us', '/stat/'],
    [['/stat/'], '/stat', '/stat', null],
    [['/stat'], '/nope', '/nope', null],
    [['/api', '/api/v1'], '/api/v1/x', '/v1/x', '/api'], // the first that fits, not the longest
    [['/stat'], '/stat/a%2Fb', '/a%2Fb', '/stat'],
    [['/é'], '/%C3%A9/b%C3%A9', '/b%C3%A9', '/\xc3\xa9'],
    [['/a b'], '/a%20b/c', '/c', '/a b'],
    [['/a%2Fb'], '/a%2Fb/c', '/c', '/a%2Fb'],
    [['/a/b'], '/a%2Fb/c', '/a%2Fb/c', null], // an escaped slash is not a slash
    [['/a%2'], '/a%2Fb', '/a%2Fb', null], // would cut an escape in two
    [['/'], '/x', '/x', '/'],
    [['/\u{1F600}'], '/%F0%9F%98%80/x', '/x', '/\xf0\x9f\x98\x80'],
  ])('%j turns %s into %s', (prefixes, target, path, forwarded) => {
    const exchange = run(new StripPrefix('m', { prefixes }), target)
    expect(exchange.path).toBe(path)
    expect(exchange.request.get('x-forwarded-prefix')).toBe(forwarded)
  })

  it('tells the server about each of two prefixes that were taken off', () => {
    const exchange = run(new StripPrefix('m', { prefixes: ['/a'] }), '/a/b/c')
    new StripPrefix('n', { prefixes: ['/b'] }).onRequest(exchange)
    expect(exchange.path).toBe('/c')
    expect(exchange.request.getAll('x-forwarded-prefix')).toEqual(['/a', '/b'])
  })

  it('keeps the query', () => {
    expect(run(new StripPrefix('m', { prefixes: ['/a'] }), '/a?b=/a').query).toBe('b=/a')
  })
})

describe('stripPrefixRegex', () => {
  it.each([
    [['/[0-9]+'], '/123/abc', '/abc', '/123'],
    [['/a/api/'], '/a/api/x', '/x', '/a/api/'],
    [['/b'], '/a/b', '/a/b', null], // matches, but not at the beginning
    [['x*'], '/xx', '/xx', null], // matches nothing at the beginning
    [['/none', '^/[a-z]+/v[0-9]'], '/shop/v2/x', '/x', '/shop/v2'],
    [['/é+'], '/%C3%A9%C3%A9/x', '/x', '/\xc3\xa9\xc3\xa9'],
    [['/a.b'], '/a%2Fb/x', '/a%2Fb/x', null],
  ])('%j turns %s into %s', (regex, target, path, forwarded) => {
    const exchange = run(new StripPrefixRegex('m', { regex }), target)
    expect(exchange.path).toBe(path)
    expect(exchange.request.get('x-forwarded-prefix')).toBe(forwarded)
  })
})

describe('replacePath', () => {
  it('replaces the path, keeps the query, and tells the server the old path', () => {
    const exchange = run(new ReplacePath('m', { path: '/new' }), '/old%2Fx?q=1')
    expect([exchange.path, exchange.query]).toEqual(['/new', 'q=1'])
    expect(exchange.request.get('x-replaced-path')).toBe('/old%2Fx')
  })

  it('does not pass on an X-Replaced-Path that the client made up', () => {
    const headers = ['X-Replaced-Path: /forged']
    const exchange = run(new ReplacePath('m', { path: '/new' }), '/old', headers)
    expect(exchange.request.getAll('x-replaced-path')).toEqual(['/old'])
  })

  it('escapes a question mark in the path: it does not begin a query', () => {
    const exchange = run(new ReplacePath('m', { path: '/a?b' }), '/old?q=1')
    expect([exchange.path, exchange.query]).toEqual(['/a%3Fb', 'q=1'])
  })
})

describe('replacePathRegex', () => {
  it.each([
    ['^/foo/(.*)', '/$1', '/foo/bar', '/bar'],
    ['^/foo/(.*)', '/v/${1}x', '/foo/bar', '/v/barx'],
    ['/', '/x/', '/a/b', '/x/a/x/b'], // every match
    ['^/a(b)?', '/${1}c', '/a', '/c'],
    ['^/a(b)?', '/$1c', '/ab', '/'], // Go reads a group named 1c, which there is not
    ['%2F', '/', '/a%2Fb', '/a/b'], // sees the path with its escapes
  ])('%s -> %s turns %s into %s', (regex, replacement, target, path) => {
    const exchange = run(new ReplacePathRegex('m', { regex, replacement }), target)
    expect(exchange.path).toBe(path)
    expect(exchange.request.get('x-replaced-path')).toBe(target)
  })

  it('leaves a path alone that it does not match, and any path when nothing is to replace it', () => {
    const some = run(new ReplacePathRegex('m', { regex: '^/x', replacement: '/y' }), '/a')
    const none = run(new ReplacePathRegex('m', { regex: '^/a', replacement: '' }), '/a')
    for (const exchange of [some, none]) {
      expect(exchange.path).toBe('/a')
      expect(exchange.request.has('x-replaced-path')).toBe(false)
    }
  })

  it.each(['no-slash', '/a/../b', '/a/%2e%2E/b', '/%zz'])('refuses a rewrite to %s', (to) => {
    const exchange = requestOf('GET /a HTTP/1.1')
    const middleware = new ReplacePathRegex('m', { regex: '.*', replacement: to })
    expect(middleware.onRequest(exchange)).toBe(ANSWERED)
    expect([exchange.status, exchange.error]).toEqual([400, REWRITE_INVALID])
    expect(exchange.path).toBe('/a')
  })
})

describe('replacePathRegex on a path made to be slow', () => {
  const middleware = new ReplacePathRegex('m', {
    regex: '/index\\.php(/.*\\.html)?',
    replacement: '/x$1',
  })

  it('refuses it: each of a thousand matches would look for .html to its end', () => {
    const target = '/index.php'.repeat(1_000)
    const exchange = requestOf(`GET ${target} HTTP/1.1`)
    expect(middleware.explain(exchange)).toMatch(/^Refuses/)
    expect(middleware.onRequest(exchange)).toBe(ANSWERED)
    expect([exchange.status, exchange.error]).toEqual([400, REWRITE_INVALID])
    expect(exchange.path).toBe(target)
  })

  it('replaces what comes behind it all the same', () => {
    expect(run(middleware, '/index.php/a.html').path).toBe('/x/a.html')
  })
})

describe('encodedCharacters', () => {
  const none = {
    allowEncodedSlash: false,
    allowEncodedBackSlash: false,
    allowEncodedNullCharacter: false,
    allowEncodedSemicolon: false,
    allowEncodedPercent: false,
    allowEncodedQuestionMark: false,
    allowEncodedHash: false,
  }

  it.each([
    ['%2F', 'allowEncodedSlash'],
    ['%2f', 'allowEncodedSlash'],
    ['%5C', 'allowEncodedBackSlash'],
    ['%00', 'allowEncodedNullCharacter'],
    ['%3b', 'allowEncodedSemicolon'],
    ['%25', 'allowEncodedPercent'],
    ['%3F', 'allowEncodedQuestionMark'],
    ['%23', 'allowEncodedHash'],
  ])('refuses %s unless %s', (escape, option) => {
    const exchange = requestOf(`GET /a${escape}b HTTP/1.1`)
    expect(new EncodedCharacters('m', none).onRequest(exchange)).toBe(ANSWERED)
    expect([exchange.status, exchange.error]).toEqual([400, ENCODED_CHARACTER])
    const allowing = new EncodedCharacters('m', { ...none, [option]: true })
    expect(allowing.onRequest(requestOf(`GET /a${escape}b HTTP/1.1`))).toBe(NEXT)
  })

  it('lets other escapes pass, and any in the query', () => {
    run(new EncodedCharacters('m', none), '/%C3%A9%20?x=%2F%00')
  })
})
