import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { parseHttpDate } from './http-date.ts'

const now = Date.UTC(2026, 10, 28)

describe('dates of HTTP', () => {
  it.each([
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
    'SUN, 06 NOV 1994 08:49:37 gmt',
  ])('reads %s', (text) => {
    expect(parseHttpDate(text, now)).toBe(Date.UTC(1994, 10, 6, 8, 49, 37))
  })

  it('places a two-digit year at the most fifty years ahead', () => {
    expect(parseHttpDate('Thursday, 18-Aug-50 02:01:18 GMT', now)).toBe(
      Date.UTC(2050, 7, 18, 2, 1, 18),
    )
    expect(parseHttpDate('Thursday, 18-Aug-77 02:01:18 GMT', now)).toBe(
      Date.UTC(1977, 7, 18, 2, 1, 18),
    )
  })

  it('agrees with Date for every second of 8,000 years', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 250_000_000_000 }), (seconds) => {
        const date = new Date(seconds * 1000)
        expect(parseHttpDate(date.toUTCString(), now)).toBe(date.getTime())
      }),
    )
  })

  it.each([
    '',
    '0',
    '-1',
    'foo',
    'Thu, 18 Aug 2050 02:01:18 UTC',
    'Thu, 18 Aug 50 02:01:18 GMT',
    'Thu, 32 Aug 2050 02:01:18 GMT',
    'Thu, 30 Feb 2050 02:01:18 GMT',
    'Thu, 18 Aug 2050 24:01:18 GMT',
    'Thu, 18 Foo 2050 02:01:18 GMT',
    'Thu 18 Aug 2050 02:01:18 GMT',
    'Thu, 18 Aug 2050 2:01:18 GMT',
    'Thu, 18 Aug 2050 02:01:18 GMT'.repeat(1000),
  ])('takes no guess at %s', (text) => {
    expect(parseHttpDate(text, now)).toBeNaN()
  })

  it('never throws, whatever it is given', () => {
    fc.assert(fc.property(fc.string(), (text) => typeof parseHttpDate(text, now) === 'number'))
  })
})
