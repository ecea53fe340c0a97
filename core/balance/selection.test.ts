import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import type { Exchange } from '../exchange.ts'
import { requestOf } from '../middleware/exchange.fixture.ts'
import { buildBalancer } from './build.ts'
import { cookieOf } from './cookie.ts'
import { AnswerTimes } from './least-time.ts'
import { Selection } from './selection.ts'
import { SlowStart } from './slow-start.ts'
import { Sticky } from './sticky.ts'
import { type HealthFlag, type Resort, Target } from './target.ts'

interface Server {
  readonly weight?: number
  readonly fenced?: boolean
  readonly terminating?: boolean
  readonly upSince?: number
}

interface Bed {
  readonly flags: HealthFlag[]
  now: number
  pick(cookie?: string, tried?: number): { index: number; exchange: Exchange }
  cookies(exchange: Exchange): string[]
}

const names = ['http://a', 'http://b', 'http://c', 'http://d']

function bedOf(servers: readonly Server[], over: { sticky?: boolean; slowStartMs?: number } = {}) {
  const resort: Resort = { level: 0 }
  const flags: HealthFlag[] = servers.map(() => ({ down: false, upSince: 0 }))
  const states = servers.map(({ terminating = false, upSince = 0 }, i) => {
    const server = { up: true, inFlight: 0, times: new AnswerTimes(), upSince }
    return new Target(server, flags[i]!, null, terminating, resort)
  })
  const own = servers.map(({ weight = 1 }) => weight)
  const weights = servers.map(({ weight = 1, fenced = false }) => (fenced ? 0 : weight))
  const options = { strategy: 'wrr' as const, weights, names, key: null, worker: 0 }
  const values = names.map((_, i) => `value${i}`)
  const bed: Bed = {
    flags,
    now: 0,
    pick: (cookie = '', tried = -1) => {
      const exchange = requestOf('GET / HTTP/1.1', cookie === '' ? [] : [`Cookie: ${cookie}`])
      return { index: selection.pick(exchange, tried), exchange }
    },
    cookies: ({ stuck }) => {
      const lines: string[] = []
      for (let at = stuck; at !== null; at = at.outer) lines.push(at.sticky.lineOf(at.index))
      return lines
    },
  }
  const selection = new Selection({
    balancer: buildBalancer(states, options),
    states,
    resort,
    sticky:
      over.sticky === true
        ? new Sticky({ cookie: 'lb', attributes: '; Path=/', values, names }, own)
        : null,
    slowStart: over.slowStartMs === undefined ? null : new SlowStart(over.slowStartMs, 7),
    key: null,
    clock: { preciseNow: () => bed.now },
  })
  return bed
}

describe('a sticky service', () => {
  it('gives a new client a cookie, and then always the same server, without another cookie', () => {
    const bed = bedOf([{}, {}, {}], { sticky: true })
    const first = bed.pick()
    expect(bed.cookies(first.exchange)).toEqual([`lb=value${first.index}; Path=/`])
    for (let i = 0; i < 10; i++) {
      const again = bed.pick(`x=1; lb=value${first.index}; y=2`)
      expect(again.index).toBe(first.index)
      expect(bed.cookies(again.exchange)).toEqual([])
    }
  })

  it('understands what older versions wrote, and writes it anew', () => {
    const bed = bedOf([{}, {}, {}], { sticky: true })
    // FNV-1 of 'http://b', once and twice; made with Go's hash/fnv rules, see hashing.test.ts.
    for (const old of ['http://b', fnvOf('http://b'), fnvOf(fnvOf('http://b'))]) {
      const { index, exchange } = bed.pick(`lb=${old}`)
      expect(index).toBe(1)
      expect(bed.cookies(exchange)).toEqual(['lb=value1; Path=/'])
    }
  })

  it('balances anew when the server is unknown, down, without weight, or was tried', () => {
    const bed = bedOf([{}, {}, { weight: 0 }], { sticky: true })
    expect(bed.cookies(bed.pick('lb=nobody').exchange)).toHaveLength(1)
    expect(bed.pick('lb=value2').index).not.toBe(2)
    const retried = bed.pick('lb=value1', 1)
    expect(retried.index).toBe(0)
    expect(bed.cookies(retried.exchange)).toEqual(['lb=value0; Path=/'])
    bed.flags[1]!.down = true
    const moved = bed.pick('lb=value1')
    expect(moved.index).toBe(0)
    expect(bed.cookies(moved.exchange)).toEqual(['lb=value0; Path=/'])
  })

  it('sends only its own clients to a fenced server', () => {
    const bed = bedOf([{}, { fenced: true }], { sticky: true })
    for (let i = 0; i < 10; i++) expect(bed.pick().index).toBe(0)
    expect(bed.pick('lb=value1').index).toBe(1)
    bed.flags[0]!.down = true
    expect(bed.pick().index).toBe(-1)
  })
})

function fnvOf(text: string): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(text))
    hash = BigInt.asUintN(64, hash * 0x100000001b3n) ^ BigInt(byte)
  return hash.toString(16)
}

describe('a terminating server', () => {
  it('gets nothing new while another is up, keeps its sticky clients, and is the last resort', () => {
    const bed = bedOf([{}, { terminating: true }], { sticky: true })
    for (let i = 0; i < 10; i++) expect(bed.pick().index).toBe(0)
    expect(bed.pick('lb=value1').index).toBe(1)
    bed.flags[0]!.down = true
    expect(bed.pick().index).toBe(1)
    expect(bed.pick('lb=value0').index).toBe(1)
    bed.flags[1]!.down = true
    expect(bed.pick().index).toBe(-1)
    bed.flags[0]!.down = false
    expect(bed.pick().index).toBe(0)
  })
})

describe('slow start', () => {
  // Of the second of two servers, which came up at 100,000.
  function shareAt(now: number): number {
    const bed = bedOf([{ upSince: 1 }, { upSince: 100_000 }], { slowStartMs: 10_000 })
    bed.now = now
    let count = 0
    for (let i = 0; i < 20_000; i++) count += bed.pick().index
    return count / 20_000
  }

  it('gives a new server a tenth of its weight, then more, and all of it at the end', () => {
    expect(Math.abs(shareAt(100_000) - 0.1 / 1.1)).toBeLessThan(0.01)
    expect(Math.abs(shareAt(105_000) - 0.55 / 1.55)).toBeLessThan(0.02)
    expect(shareAt(110_000)).toBe(0.5)
  })

  it('divides evenly among servers that have all just come up, and needs no other', () => {
    const bed = bedOf([{}, {}, {}], { slowStartMs: 10_000 })
    const counts = [0, 0, 0]
    for (let i = 0; i < 30_000; i++) counts[bed.pick().index]!++
    for (const count of counts) expect(Math.abs(count / 10_000 - 1)).toBeLessThan(0.05)
    expect(bedOf([{}], { slowStartMs: 10_000 }).pick().index).toBe(0)
  })
})

describe('one cookie of a request', () => {
  const read = (name: string, ...lines: string[]) =>
    cookieOf(requestOf('GET / HTTP/1.1', lines).request, name)

  it('is found among others, in any line, and never as a part of another name', () => {
    expect(read('a', 'Cookie: b=1; a=2')).toBe('2')
    expect(read('a', 'Cookie: b=1', 'Cookie: a=2; a=3')).toBe('2')
    expect(read('a', 'Cookie: aa=1;xa=2; a =3')).toBe(null)
    expect(read('A', 'Cookie: a=1')).toBe(null)
    expect(read('a', 'Cookie: a="q"')).toBe('q')
    expect(read('a', 'Cookie: a=')).toBe('')
    expect(read('a')).toBe(null)
  })

  it('has no value when a byte is not allowed there, and none when it comes too late or is too long', () => {
    expect(read('a', 'Cookie: a=x y')).toBe(null)
    expect(read('a', 'Cookie: a=x"y')).toBe(null)
    expect(read('a', `Cookie: ${'b=1; '.repeat(255)}a=2`)).toBe('2')
    expect(read('a', `Cookie: ${'b=1; '.repeat(256)}a=2`)).toBe(null)
    expect(read('a', `Cookie: a=${'x'.repeat(4097)}`)).toBe(null)
  })

  it('is read from any text without a fault', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(';', ' ', 'a', '=', '"', ',') }), (text) => {
        const value = read('a', `Cookie: ${text.trim()}`)
        expect(value === null || /^[a=]*$/.test(value)).toBe(true)
      }),
    )
  })
})
