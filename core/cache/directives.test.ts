import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { ABSENT, requestDirectives, responseDirectives } from './directives.ts'
import { targetedDirectives } from './targeted.ts'

const of = (...lines: string[]) => responseDirectives(lines)

describe('Cache-Control of a response', () => {
  it('reads lifetimes whatever their case, quotes and zeros', () => {
    expect(of('MaX-aGe=3600').maxAge).toBe(3600)
    expect(of('max-age="3600"').maxAge).toBe(3600)
    expect(of('max-age=003600').maxAge).toBe(3600)
    expect(of('foobar, s-maxage=5 , x="a, max-age=9"').sMaxage).toBe(5)
    expect(of('extension="max-age=3600", max-age=1').maxAge).toBe(1)
    expect(of('max-age=99999999999').maxAge).toBe(2_147_483_648)
  })

  it('takes a lifetime that can not be read for none at all', () => {
    for (const bad of ["'3600'", '-3600', '3600.0', 'a3600', '3600a', '', '" 1"']) {
      expect(of(`max-age=${bad}`).maxAge).toBe(0)
    }
    expect(of('max-age').maxAge).toBe(0)
    expect(of('public').maxAge).toBe(ABSENT)
  })

  it('takes the shorter of two lifetimes, on one line or on two', () => {
    expect(of('max-age=3600, max-age=1800').maxAge).toBe(1800)
    expect(of('max-age=1', 'max-age=1800').maxAge).toBe(1)
  })

  it('tells a directive about the response from one about some of its fields', () => {
    expect(of('no-cache').noCache).toBe(true)
    expect(of('no-cache=""').noCache).toBe(true)
    expect(of('private="Set-Cookie, A"')).toMatchObject({
      isPrivate: false,
      withheld: ['set-cookie', 'a'],
    })
    expect(of('no-cache="b"', 'max-age=1')).toMatchObject({ noCache: false, withheld: ['b'] })
  })

  it('takes fields that can not be told for the whole response', () => {
    for (const odd of ['"', '"@"', '"x y"', '"x, ("', 'a/b'])
      expect([odd, of(`private=${odd}`).isPrivate || of(`private=${odd}`).noStore]).toEqual([
        odd,
        true,
      ])
    expect(of('no-cache="b, @", max-age=1')).toMatchObject({ noCache: true })
  })

  it('understands nothing of a header that is no list of directives', () => {
    const malformed = [
      ['max-age=60, @, private'],
      ['max-age=60, =1, no-store'],
      ['max-age=60, "x", private'],
      ['max-age=60, (private), no-store'],
      ['max-age=60', '"x"', 'no-store'],
      ['private=", max-age=60'],
      ['no-cache="x, max-age=60'],
      ['max-age=60, public no-store'], // a comma is missing
      ['max-age=60, x=y private'],
      ['x=", private, y="z", max-age=60'], // a quote is missing
      ['x="', 'private', 'y="', 'max-age=60'],
      ['max-age =3600'],
    ]
    for (const lines of malformed) {
      const { noStore, maxAge } = of(...lines)
      expect([lines, noStore, maxAge]).toEqual([lines, true, ABSENT])
    }
  })

  it('forgives empty members and blanks around one', () => {
    expect(of(' , max-age= 5 ,,\tpublic , ').maxAge).toBe(5)
    expect(of('x = "a" , max-age=5').noStore).toBe(true)
    expect(of('x="a" , max-age=5').maxAge).toBe(5)
    expect(of('', 'max-age=5').maxAge).toBe(5)
  })

  it('stores nothing that it could not read to the end', () => {
    expect(of('a,'.repeat(100)).noStore).toBe(true)
    expect(of(`x="${'y'.repeat(10_000)}"`).noStore).toBe(true)
  })

  it('reads any text in bounded time and without a throw', () => {
    fc.assert(fc.property(fc.string(), (text) => of(text).maxAge >= ABSENT))
    expect(of('"'.repeat(8000)).maxAge).toBe(ABSENT)
    expect(of('a="'.repeat(2000)).maxAge).toBe(ABSENT)
    for (const long of [' '.repeat(8000), 'a'.repeat(8000), 'a= '.repeat(2000)])
      expect(of(`max-age=${long}@"`).noStore).toBe(true)
  })
})

describe('Cache-Control of a request', () => {
  it('reads what a client asks for', () => {
    expect(requestDirectives(['max-age=0, min-fresh=5, max-stale'])).toMatchObject({
      maxAge: 0,
      minFresh: 5,
      maxStale: Infinity,
    })
    expect(requestDirectives(['max-stale=10, only-if-cached', 'no-cache'])).toMatchObject({
      maxStale: 10,
      onlyIfCached: true,
      noCache: true,
    })
  })

  it('keeps away from a request whose header it can not read', () => {
    expect(requestDirectives(['a,'.repeat(100)]).noStore).toBe(true)
    expect(requestDirectives(['max-age=9, @, no-cache']).noStore).toBe(true)
  })
})

describe('CDN-Cache-Control', () => {
  it('takes the place of Cache-Control when it is a dictionary', () => {
    expect(targetedDirectives(['max-age=60, private;a=1'])).toMatchObject({
      maxAge: 60,
      isPrivate: true,
    })
    expect(targetedDirectives(['no-store=?0, max-age=5'])).toMatchObject({ noStore: false })
  })

  it('is as if it were not there when it is empty or malformed', () => {
    for (const bad of ['', ' ', 'Max-Age=60', 'max-age=60,', 'max-age 60', 'max-age="60', 'a=b=c'])
      expect(targetedDirectives([bad])).toBe(null)
    expect(targetedDirectives([])).toBe(null)
  })

  it('reads any text without a throw', () => {
    fc.assert(fc.property(fc.string(), (text) => targetedDirectives([text]) !== undefined))
  })
})
