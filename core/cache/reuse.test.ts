// What a stored response is good for: freshness asked for by clients, conditions, ranges, keys.
import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { Head } from '../headers.ts'
import { requestOf, respond, sentLines } from '../middleware/exchange.fixture.ts'
import { UNSATISFIABLE, WHOLE, rangeOf } from './byte-range.ts'
import { requestDirectives, noRequestDirectives } from './directives.ts'
import { type CacheEntry, NEVER_STALE, VALIDATE_ALWAYS, ageSeconds } from './entry.ts'
import { SeenFields } from './fields.ts'
import { sameOrigin, urlOf } from './key.ts'
import { type Conditions, isUnchanged, matchesAny } from './preconditions.ts'
import { FRESH, REFRESH, VALIDATE, mayServeOnError, useOf } from './reuse.ts'
import { serve } from './serving.ts'
import { applyHead, keptLines, linesOfStored, renewedLines, storeHead } from './stored-head.ts'
import { tagsOf } from './tags.ts'
import { secondKey, varyNames } from './vary.ts'

const NOW = 100_000
const MODIFIED = 'Sun, 06 Nov 1994 08:49:37 GMT'
const BODY = new TextEncoder().encode('0123456789')

function entryOf(over: Partial<CacheEntry> = {}): CacheEntry {
  const lines: [string, string][] = [
    ['Content-Type', 'text/plain'],
    ['ETag', '"a"'],
    ['Date', MODIFIED],
  ]
  return {
    key: 'k',
    url: 'http://shop.example/',
    vary: [],
    status: 200,
    reason: '',
    head: storeHead(200, '', lines, 10, MODIFIED),
    body: BODY,
    askedAt: NOW - 10_000,
    bornAt: NOW - 10_000,
    freshUntil: NOW + 10_000,
    refreshUntil: NOW + 20_000,
    errorUntil: NOW + 30_000,
    flags: 0,
    etag: '"a"',
    lastModified: MODIFIED,
    tags: [],
    ...over,
  }
}

describe('use of what is stored', () => {
  const use = (now: number, cacheControl = '', over: Partial<CacheEntry> = {}) =>
    useOf(
      entryOf(over),
      cacheControl === '' ? noRequestDirectives : requestDirectives([cacheControl]),
      now,
    )

  it('is to serve it while it is fresh, then to refresh it, then to ask first', () => {
    expect(use(NOW)).toBe(FRESH)
    expect(use(NOW + 10_000)).toBe(REFRESH)
    expect(use(NOW + 20_000)).toBe(VALIDATE)
    expect(use(NOW, '', { flags: VALIDATE_ALWAYS })).toBe(VALIDATE)
  })

  it('heeds what the client asks for', () => {
    expect(use(NOW, 'no-cache')).toBe(VALIDATE)
    expect(use(NOW, 'max-age=0')).toBe(VALIDATE)
    expect(use(NOW, 'max-age=9')).toBe(VALIDATE)
    expect(use(NOW, 'max-age=10')).toBe(FRESH)
    expect(use(NOW, 'min-fresh=9')).toBe(FRESH)
    expect(use(NOW, 'min-fresh=11')).toBe(VALIDATE)
    expect(use(NOW + 60_000, 'max-stale')).toBe(FRESH)
    expect(use(NOW + 60_000, 'max-stale=50')).toBe(FRESH)
    expect(use(NOW + 60_000, 'max-stale=49')).toBe(VALIDATE)
    expect(use(NOW + 60_000, 'max-stale', { flags: NEVER_STALE })).toBe(VALIDATE)
    expect(use(NOW, 'something-new')).toBe(FRESH)
  })

  it('is to stand in for an error until its time', () => {
    expect(mayServeOnError(entryOf(), NOW + 29_999)).toBe(true)
    expect(mayServeOnError(entryOf(), NOW + 30_000)).toBe(false)
    expect(mayServeOnError(entryOf({ flags: VALIDATE_ALWAYS }), NOW)).toBe(false)
  })

  it('tells its age in whole seconds, never below none', () => {
    expect(ageSeconds(entryOf(), NOW + 999)).toBe(10)
    expect(ageSeconds(entryOf({ bornAt: NOW + 5000 }), NOW)).toBe(0)
  })
})

const asked = (over: Partial<Conditions>): Conditions => ({
  noneMatch: null,
  modifiedSince: null,
  range: null,
  ifRange: null,
  ...over,
})

describe('conditions', () => {
  it('compare entity tags weakly, anywhere in the list', () => {
    expect(matchesAny('"a"', '"a"')).toBe(true)
    expect(matchesAny('"x,y", W/"a"', '"a"')).toBe(true)
    expect(matchesAny('"x", "a"', 'W/"a"')).toBe(true)
    expect(matchesAny('*', '')).toBe(true)
    expect(matchesAny('"x,"a"', '"a"')).toBe(false)
    expect(matchesAny('"b"', '"a"')).toBe(false)
    expect(matchesAny('"b"', '')).toBe(false)
  })

  it('look at dates only where there is no tag to look at', () => {
    expect(isUnchanged(entryOf(), asked({ modifiedSince: MODIFIED }), 0)).toBe(true)
    expect(isUnchanged(entryOf(), asked({ modifiedSince: 'yesterday' }), 0)).toBe(false)
    const earlier = 'Sun, 06 Nov 1994 08:49:36 GMT'
    expect(isUnchanged(entryOf(), asked({ modifiedSince: earlier }), 0)).toBe(false)
    const both = asked({ noneMatch: '"b"', modifiedSince: MODIFIED })
    expect(isUnchanged(entryOf(), both, 0)).toBe(false)
    expect(isUnchanged(entryOf({ status: 404 }), asked({ noneMatch: '*' }), 0)).toBe(false)
  })

  it('end in some answer for any text', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (list, tag) => [matchesAny(list, tag)].length === 1),
    )
  })
})

describe('ranges', () => {
  const range = (text: string, over: Partial<Conditions> = {}) =>
    rangeOf(entryOf(), asked({ range: text, ...over }))

  it('are cut out of the whole', () => {
    expect(range('bytes=0-1')).toEqual({ from: 0, to: 2 })
    expect(range('bytes=7-')).toEqual({ from: 7, to: 10 })
    expect(range('bytes=-3')).toEqual({ from: 7, to: 10 })
    expect(range('bytes=-30')).toEqual({ from: 0, to: 10 })
    expect(range('bytes=5-99')).toEqual({ from: 5, to: 10 })
  })

  it('that nothing lies in can not be had', () => {
    expect(range('bytes=10-')).toBe(UNSATISFIABLE)
    expect(range('bytes=-0')).toBe(UNSATISFIABLE)
  })

  it('of another kind get the whole', () => {
    for (const other of ['bytes=0-1,3-4', 'bytes=3-1', 'bytes=-', 'lines=1-2', 'bytes=a-b'])
      expect(range(other)).toBe(WHOLE)
  })

  it('go with a validator that still holds, and a strong one', () => {
    expect(range('bytes=0-1', { ifRange: '"a"' })).toEqual({ from: 0, to: 2 })
    expect(range('bytes=0-1', { ifRange: MODIFIED })).toEqual({ from: 0, to: 2 })
    expect(range('bytes=0-1', { ifRange: '"b"' })).toBe(WHOLE)
    const weak = entryOf({ etag: 'W/"a"' })
    expect(rangeOf(weak, asked({ range: 'bytes=0-1', ifRange: 'W/"a"' }))).toBe(WHOLE)
  })
})

describe('serving', () => {
  function served(over: Partial<Conditions> | null) {
    const exchange = requestOf('GET / HTTP/1.1')
    serve(exchange, entryOf(), over === null ? null : asked(over), NOW, 0)
    const lines = sentLines(exchange.response)
    return { status: exchange.status, lines, body: exchange.answerBody, exchange }
  }

  it('gives the whole with its age', () => {
    const { status, lines, body } = served(null)
    expect(status).toBe(200)
    expect(lines).toEqual([
      'Content-Type: text/plain',
      'ETag: "a"',
      `Date: ${MODIFIED}`,
      'Content-Length: 10',
      'Age: 10',
    ])
    expect(body).toBe(BODY)
  })

  it('gives a part with its place, and 416 where there is none', () => {
    const part = served({ range: 'bytes=2-4' })
    expect(part.status).toBe(206)
    expect(part.lines).toContain('Content-Range: bytes 2-4/10')
    expect(part.exchange.responseLength).toBe(3)
    const none = served({ range: 'bytes=20-' })
    expect(none.status).toBe(416)
    expect(none.lines).toContain('Content-Range: bytes */10')
    expect(none.lines.join()).not.toMatch(/content-length|content-type/i)
  })

  it('gives 304 with its validator and without what describes a body', () => {
    const { status, lines, body } = served({ noneMatch: '"a"' })
    expect(status).toBe(304)
    expect(body).toBe('')
    expect(lines).toEqual(['ETag: "a"', `Date: ${MODIFIED}`, 'Age: 10'])
  })
})

describe('stored heads', () => {
  it('leave out what was for one connection, our own lines, and what the server withholds', () => {
    const exchange = requestOf('GET / HTTP/1.1')
    respond(exchange, 200, [
      'A: 1',
      'Age: 5',
      'X-Cache-Status: HIT',
      'Proxy-Authenticate: x',
      'B: 2',
    ])
    expect(keptLines(exchange.response, ['b'])).toEqual([['A', '1']])
  })

  it('come back as a head that can be changed without touching what is stored', () => {
    const stored = storeHead(
      200,
      'Fine',
      [
        ['A', '1'],
        ['B', ''],
      ],
      3,
      MODIFIED,
    )
    const head = new Head()
    applyHead(stored, head)
    head.remove('a')
    head.set('B', 'new')
    expect(sentLines(head)).toEqual([`Date: ${MODIFIED}`, 'Content-Length: 3', 'B: new'])
    const again = new Head()
    applyHead(stored, again)
    expect(again.get('a')).toBe('1')
    expect(again.text.startsWith('HTTP/1.1 200 Fine\r\n')).toBe(true)
  })

  it('hold any number of lines', () => {
    const many = Array.from({ length: 300 }, (_, i): [string, string] => [`X-${i}`, String(i)])
    const head = new Head()
    applyHead(storeHead(200, '', many, 0, MODIFIED), head)
    expect(head.get('x-299')).toBe('299')
    expect(linesOfStored(storeHead(200, '', many, 0, MODIFIED)).length).toBe(302)
  })

  it('take over from a 304 what does not describe the body', () => {
    const stored = storeHead(
      200,
      '',
      [
        ['ETag', '"a"'],
        ['X', '1'],
        ['X', '2'],
        ['Y', '1'],
      ],
      1,
      MODIFIED,
    )
    const renewed = renewedLines(stored, [
      ['ETag', '"b"'],
      ['Content-Encoding', 'gzip'],
      ['x', '3'],
    ])
    expect(renewed).toEqual([
      ['ETag', '"a"'],
      ['Y', '1'],
      ['Date', MODIFIED],
      ['Content-Length', '1'],
      ['x', '3'],
    ])
  })
})

describe('keys', () => {
  it('are the URL as it is matched, without a port that goes without saying', () => {
    const url = (target: string, host: string) =>
      urlOf(requestOf(`GET ${target} HTTP/1.1`, [`Host: ${host}`]))
    expect(url('/a?b=1', 'Shop.Example:80')).toBe('http://shop.example/a?b=1')
    expect(url('/a?', 'shop.example:8080')).toBe('http://shop.example:8080/a?')
    expect(url('/%61', '[2001:db8::1]')).toMatch(/\/a$/)
  })

  it('follow references of the same origin only', () => {
    const of = (reference: string) => sameOrigin('http://a.example:81/x/y?q', reference)
    expect(of('z')).toBe('http://a.example:81/x/z')
    expect(of('/z?1#f')).toBe('http://a.example:81/z?1')
    expect(of('?p')).toBe('http://a.example:81/x/y?p')
    expect(of('../z')).toBe('http://a.example:81/z')
    expect(of('http://A.EXAMPLE:81/z')).toBe('http://a.example:81/z')
    expect(of('//a.example:81')).toBe('http://a.example:81/')
    for (const foreign of [
      '',
      '#f',
      'http://a.example/z',
      'https://a.example:81/z',
      '//b.example/z',
    ])
      expect(of(foreign)).toBe('')
  })

  it('tell requests apart by what Vary names, and by nothing else', () => {
    const names = varyNames(respondWith('Vary: Foo, accept-language'))!
    const key = (...headers: string[]) =>
      secondKey(names, requestOf('GET / HTTP/1.1', headers).request)
    expect(key('Foo: 1 ,2', 'Other: x')).toBe(key('Foo: 1', 'Foo: 2'))
    expect(key('Accept-Language: EN')).toBe(key('Accept-Language: en'))
    expect(key('Foo: a')).not.toBe(key('Foo: A'))
    expect(key('Foo:')).not.toBe(key())
    expect(key('Foo: 1', 'Accept-Language: 2')).not.toBe(key('Foo: 2', 'Accept-Language: 1'))
    expect(key(`Foo: ${'x'.repeat(5000)}`)).toBe(null)
  })

  it('are made of the request as the cache saw it', () => {
    const { request } = requestOf('GET / HTTP/1.1', ['Foo: 1'])
    const seen = new SeenFields(request)
    request.set('Foo', '2')
    request.add('Bar', '3')
    expect(secondKey(['bar', 'foo'], seen)).toBe('\n\n=1')
  })

  it('go by the tags that the server gives', () => {
    const { response } = respondWithAll(['Cache-Tag: a, b', 'Surrogate-Key: c  a'])
    expect(tagsOf(response)).toEqual(['a', 'b', 'c'])
    const latin1 = Buffer.from('voilà').toString('latin1') // whose last byte is a blank in Unicode
    expect(tagsOf(respondWith(`Cache-Tag: ${latin1}, x`))).toEqual([latin1, 'x'])
  })

  it('go by all of its tags or by none', () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => `t${i}`).join(' ')
    expect(tagsOf(respondWith(`Surrogate-Key: ${many(1000)} t0 t1`))?.length).toBe(1000)
    expect(tagsOf(respondWith(`Surrogate-Key: ${many(1001)}`))).toBe(null)
    expect(tagsOf(respondWith(`Cache-Tag: ${'a'.repeat(256)}`))?.length).toBe(1)
    expect(tagsOf(respondWith(`Cache-Tag: a, ${'a'.repeat(257)}`))).toBe(null)
  })
})

function respondWith(line: string): Head {
  return respondWithAll([line]).response
}

function respondWithAll(lines: readonly string[]) {
  const exchange = requestOf('GET / HTTP/1.1')
  respond(exchange, 200, lines)
  return exchange
}
