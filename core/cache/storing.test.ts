// What may be stored and for how long: the cases of RFC 9111 one by one.
import { describe, expect, it } from 'vitest'
import { requestOf, respond } from '../middleware/exchange.fixture.ts'
import { FOR_AUTHORIZED, NEVER_STALE, VALIDATE_ALWAYS } from './entry.ts'
import { type StoringPolicy, assess } from './storing.ts'

const WALL = Date.UTC(2026, 10, 28)
const times = { askedAt: 1000, answeredAt: 1000, wallMs: WALL }
const usual: StoringPolicy = {
  maxTtlMs: 300_000,
  storesCookies: false,
  heuristic: false,
  staleIfErrorMs: 0,
}
const at = (seconds: number): string => new Date(WALL + seconds * 1000).toUTCString()

function judge(
  headers: readonly string[],
  more: { status?: number; authorized?: boolean; policy?: Partial<StoringPolicy> } = {},
) {
  const exchange = requestOf('GET / HTTP/1.1')
  const { status = 200, authorized = false, policy = {} } = more
  respond(exchange, status, headers)
  const { response } = exchange
  return assess(
    { response, status, authorized, endsWithConnection: false },
    { ...usual, ...policy },
    times,
  )
}

const refusal = (...args: Parameters<typeof judge>): string => judge(...args).refusal

describe('what may be stored', () => {
  it('is what the server gives a lifetime, whatever its status', () => {
    for (const status of [200, 204, 299, 301, 302, 307, 400, 404, 410, 500, 503, 599])
      expect(refusal(['Cache-Control: max-age=60'], { status })).toBe('')
  })

  it('is nothing without an explicit lifetime', () => {
    expect(refusal([])).toBe('freshness')
    expect(refusal(['ETag: "a"', `Last-Modified: ${at(-9999)}`])).toBe('freshness')
    expect(refusal(['Cache-Control: public'])).toBe('freshness')
  })

  it('is never a part, nor word that nothing has changed, nor that there is no such part', () => {
    for (const status of [206, 304, 416])
      expect(refusal(['Cache-Control: max-age=60'], { status })).toBe('status')
  })

  it('is never what its end tells nothing about', () => {
    const exchange = requestOf('GET / HTTP/1.1')
    respond(exchange, 200, ['Cache-Control: max-age=60'])
    const { response } = exchange
    const subject = { response, status: 200, authorized: false, endsWithConnection: true }
    expect(assess(subject, usual, times).refusal).toBe('framing')
  })

  it('is never private or not to be stored', () => {
    expect(refusal(['Cache-Control: private, max-age=60'])).toBe('private')
    expect(refusal(['Cache-Control: max-age=60', 'Cache-Control: No-Store'])).toBe('no-store')
  })

  it('is, of a request with Authorization, only what the server allows by name', () => {
    expect(refusal(['Cache-Control: max-age=60'], { authorized: true })).toBe('authorization')
    for (const allowed of ['public', 'must-revalidate', 's-maxage=60']) {
      const { refusal: why, flags } = judge([`Cache-Control: max-age=60, ${allowed}`], {
        authorized: true,
      })
      expect(why).toBe('')
      expect(flags & FOR_AUTHORIZED).toBe(FOR_AUTHORIZED)
    }
  })

  it('sets no cookies, unless they are withheld or the operator wants it', () => {
    const headers = ['Cache-Control: max-age=60', 'Set-Cookie: a=b']
    expect(refusal(headers)).toBe('set-cookie')
    expect(refusal(headers, { policy: { storesCookies: true } })).toBe('')
    const withheld = judge(['Cache-Control: max-age=60, private="Set-Cookie"', 'Set-Cookie: a=b'])
    expect(withheld).toMatchObject({ refusal: '', withheld: ['set-cookie'] })
  })

  it('varies by header fields that a request can be told by', () => {
    expect(refusal(['Cache-Control: max-age=60', 'Vary: *'])).toBe('vary')
    expect(refusal(['Cache-Control: max-age=60', 'Vary: Foo', 'Vary: , *'])).toBe('vary')
    expect(judge(['Cache-Control: max-age=60', 'Vary: Foo , BAR'])).toMatchObject({
      vary: ['bar', 'foo'],
    })
  })

  it('has no more tags, and no longer ones, than a purge can name', () => {
    const tags = Array.from({ length: 1001 }, (_, i) => `t${i}`)
    expect(judge(['Cache-Control: max-age=60', 'Cache-Tag: a, b'])).toMatchObject({
      tags: ['a', 'b'],
    })
    expect(refusal(['Cache-Control: max-age=60', `Surrogate-Key: ${tags.join(' ')}`])).toBe('tags')
    expect(refusal(['Cache-Control: max-age=60', `Cache-Tag: ${'t'.repeat(257)}`])).toBe('tags')
  })

  it('must be understood where the server asks for it', () => {
    const headers = ['Cache-Control: max-age=60, must-understand, no-store']
    expect(refusal(headers)).toBe('')
    expect(refusal(headers, { status: 599 })).toBe('status')
  })

  it('is worth asking about when it may not be served at once', () => {
    expect(judge(['Cache-Control: no-cache', 'ETag: "a"'])).toMatchObject({
      refusal: '',
      flags: VALIDATE_ALWAYS | NEVER_STALE,
    })
    expect(refusal(['Cache-Control: no-cache'])).toBe('freshness')
    expect(refusal(['Cache-Control: max-age=0'])).toBe('freshness')
    expect(refusal(['Cache-Control: max-age=0', 'ETag: "a"'])).toBe('')
  })
})

describe('how long it is fresh', () => {
  const freshFor = (...args: Parameters<typeof judge>): number =>
    (judge(...args).freshUntil - times.answeredAt) / 1000

  it('says s-maxage before max-age before Expires', () => {
    const expires = `Expires: ${at(30)}`
    expect(freshFor(['Cache-Control: s-maxage=10, max-age=20', expires])).toBe(10)
    expect(freshFor(['Cache-Control: max-age=20', expires])).toBe(20)
    expect(freshFor([expires, `Date: ${at(0)}`])).toBe(30)
    expect(freshFor([expires])).toBe(30)
  })

  it('says CDN-Cache-Control before all of them', () => {
    const others = ['Cache-Control: no-store', `Expires: ${at(-1)}`]
    expect(freshFor(['CDN-Cache-Control: max-age=40', ...others])).toBe(40)
    expect(refusal(['CDN-Cache-Control: max-age=40, private'])).toBe('private')
    expect(refusal(['CDN-Cache-Control: Max-Age=40', ...others])).toBe('no-store')
  })

  it('is never longer than maxTtl, counted from when it came', () => {
    expect(freshFor(['Cache-Control: max-age=99999999999'])).toBe(300)
    expect(freshFor(['Cache-Control: max-age=3600', 'Age: 3500'])).toBe(100)
    expect(freshFor(['Cache-Control: max-age=3600', 'Age: 1000'])).toBe(300)
  })

  it('is shortened by the age that it comes with', () => {
    expect(freshFor(['Cache-Control: max-age=20', 'Age: 15'])).toBe(5)
    expect(freshFor(['Cache-Control: max-age=20', `Date: ${at(-15)}`])).toBe(5)
    expect(freshFor([`Date: ${at(10)}`, `Expires: ${at(20)}`, 'Age: 4'])).toBe(6)
  })

  it('is nothing where the age can not be told', () => {
    for (const age of ['abc', '-1', '7.0', '0,7200', '0;a=1', ''])
      expect(freshFor(['Cache-Control: max-age=60', `Age: ${age}`, 'ETag: "a"'])).toBeLessThan(-1e6)
    expect(freshFor(['Cache-Control: max-age=60', 'Age: 0', 'Age: 0', 'ETag: "a"'])).toBeLessThan(
      -1e6,
    )
  })

  it('is nothing where Expires is no date, or two', () => {
    expect(freshFor(['Expires: 0', 'ETag: "a"'])).toBe(0)
    expect(freshFor([`Expires: ${at(9)}`, `Expires: ${at(9)}`, 'ETag: "a"'])).toBe(0)
  })

  it('is a tenth of the time since the last change when that is wanted', () => {
    const policy = { heuristic: true }
    const headers = [`Last-Modified: ${at(-1000)}`, `Date: ${at(0)}`]
    expect(freshFor(headers, { policy })).toBe(100)
    expect(refusal(headers, { policy, status: 403 })).toBe('freshness')
    expect(freshFor([...headers, 'Cache-Control: public'], { policy, status: 599 })).toBe(100)
    expect(refusal([...headers, 'Pragma: no-cache'], { policy })).toBe('freshness')
  })
})

describe('how long it may be served stale', () => {
  it('is what the server allows', () => {
    const { freshUntil, refreshUntil, errorUntil } = judge([
      'Cache-Control: max-age=1, stale-while-revalidate=20, stale-if-error=30',
    ])
    expect(refreshUntil - freshUntil).toBe(20_000)
    expect(errorUntil - freshUntil).toBe(30_000)
  })

  it('is nothing under must-revalidate and proxy-revalidate, whatever else is said', () => {
    for (const strict of ['must-revalidate', 'proxy-revalidate']) {
      const told = judge(
        [`Cache-Control: max-age=1, ${strict}, stale-while-revalidate=20, stale-if-error=30`],
        { policy: { staleIfErrorMs: 60_000 } },
      )
      expect(told.refreshUntil).toBe(told.freshUntil)
      expect(told.errorUntil).toBe(told.freshUntil)
      expect(told.flags & NEVER_STALE).toBe(NEVER_STALE)
    }
  })

  it('is, with s-maxage, only what is allowed by name', () => {
    const policy = { staleIfErrorMs: 60_000 }
    const silent = judge(['Cache-Control: s-maxage=1'], { policy })
    expect(silent.errorUntil).toBe(silent.freshUntil)
    const named = judge(['Cache-Control: s-maxage=1, stale-while-revalidate=59'], { policy })
    expect(named.refreshUntil - named.freshUntil).toBe(59_000)
  })

  it('is what the operator allows where the server says nothing', () => {
    const { freshUntil, errorUntil } = judge(['Cache-Control: max-age=1'], {
      policy: { staleIfErrorMs: 60_000 },
    })
    expect(errorUntil - freshUntil).toBe(60_000)
  })
})
