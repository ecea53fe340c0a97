// Which coding a client gets: RFC 9110, section 12.5.3, and Traefik's order and default.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Coding, codings } from '../codecs.ts'
import { chooseCoding } from './accept-encoding.ts'

const chosen = (header: string | null, offered = codings, fallback: Coding | null = null) =>
  chooseCoding(header, offered, fallback).coding

describe('the coding of a client', () => {
  it.each<[string | null, Coding | null]>([
    [null, null],
    ['', null],
    ['identity', null],
    ['deflate', null],
    ['gzip', 'gzip'],
    ['GZip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['br', 'br'],
    ['zstd', 'zstd'],
    ['zstd, br, gzip', 'gzip'], // a tie: our order
    ['gzip, deflate, br, zstd', 'gzip'],
    ['gzip;q=0.5, br;q=0.8', 'br'],
    ['gzip;q=0.5, br; q=0.8 , zstd;q=0.9', 'zstd'],
    ['gzip;q=0', null],
    ['gzip;q=0.000, br;q=0.001', 'br'],
    ['*', 'gzip'],
    ['*;q=0.1, gzip;q=0', 'br'],
    ['*;q=0', null],
    ['*;q=0, zstd', 'zstd'],
    ['identity, gzip;q=0.5', null],
    ['identity;q=0.5, gzip', 'gzip'],
    ['identity;q=0.5, gzip;q=0.5', 'gzip'],
    ['identity;q=0, gzip;q=0.1', 'gzip'],
    // Malformed items are as if they were not there.
    ['gzip;q=2, br', 'br'],
    ['gzip;q=0.12345, br;q=0.1', 'br'],
    ['gzip;level=9, br;q=0.1', 'br'],
    ['gz ip, br', 'br'],
    [',,;,gzip', 'gzip'],
    ['gzip;q=0, gzip;q=1', null], // the first one counts
  ])('%j gets %s', (header, coding) => expect(chosen(header)).toBe(coding))

  it('follows our order where the client has none', () => {
    expect(chosen('gzip, br, zstd', ['zstd', 'br', 'gzip'])).toBe('zstd')
    expect(chosen('*', ['br', 'gzip'])).toBe('br')
    expect(chosen('gzip', ['br', 'zstd'])).toBe(null)
  })

  it('is the default one where the choice is left to us, and nowhere else', () => {
    expect(chosen(null, codings, 'zstd')).toBe('zstd')
    expect(chosen('*', codings, 'zstd')).toBe('zstd')
    expect(chosen('', codings, 'zstd')).toBe(null)
    expect(chosen('deflate', codings, 'zstd')).toBe(null)
    expect(chosen('*;q=0', codings, 'zstd')).toBe(null)
    expect(chosen('*, br;q=0.5', codings, 'zstd')).toBe('gzip')
  })

  it('says whether the body may go out as it is', () => {
    const refuses = (header: string) => chooseCoding(header, codings, null).refusesIdentity
    expect(refuses('gzip, identity;q=0')).toBe(true)
    expect(refuses('gzip, *;q=0')).toBe(true)
    expect(refuses('gzip, *;q=0, identity;q=0.5')).toBe(false)
    expect(refuses('gzip')).toBe(false)
  })

  it('is never one that the client has refused or not named, whatever the header holds', () => {
    const weight = fc.constantFrom('', ';q=0', ';q=0.5', ';q=1', '; q=0.000', ';q=x')
    const name = fc.constantFrom('gzip', 'br', 'zstd', 'identity', '*', 'deflate', 'x y')
    const headers = fc.oneof(
      fc.array(fc.tuple(name, weight).map(([a, b]) => a + b)).map((items) => items.join(',')),
      fc.string({ unit: 'binary' }),
    )
    fc.assert(
      fc.property(headers, (header) => {
        const coding = chosen(header)
        if (coding === null) return
        const items = header.toLowerCase().replaceAll(' ', '').split(',')
        const own = items.find((item) => item.split(';')[0] === coding && item !== `${coding};q=x`)
        if (own === undefined) expect(header).toContain('*')
        else expect(own).not.toMatch(/;q=0(?:\.0*)?$/)
      }),
    )
  })
})
