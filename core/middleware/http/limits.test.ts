// ipAllowList and inFlightReq, with the sources that both can be told to look at.
import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { IN_FLIGHT, REFUSED_ADDRESS } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { ANSWERED, NEXT } from '../contract.ts'
import { contextOf, requestOf } from '../exchange.fixture.ts'
import { SourceAddress } from '../source-address.ts'
import { InFlightReq } from './in-flight-req.ts'
import type { InFlightReqOptions } from './in-flight-req.ts'
import { IpAllowList } from './ip-allow-list.ts'

function requestFrom(address: string, forwardedFor: string[] = []): Exchange {
  const exchange = requestOf(
    'GET / HTTP/1.1',
    forwardedFor.map((value) => `X-Forwarded-For: ${value}`),
  )
  exchange.clientAddress = address
  return exchange
}

const sourceOf = (options: object, forwardedFor: string[], address = '192.0.2.7') =>
  new SourceAddress(options).of(requestFrom(address, forwardedFor))

describe('the source address', () => {
  it('is the peer unless told otherwise, whatever X-Forwarded-For says', () => {
    expect(new SourceAddress(null).of(requestFrom('192.0.2.7', ['10.0.0.1']))).toBe('192.0.2.7')
    expect(sourceOf({ depth: 0, excludedIPs: [], ipv6Subnet: null }, ['10.0.0.1'])).toBe(
      '192.0.2.7',
    )
  })

  it.each([
    [1, ['10.0.0.1, 11.0.0.1, 12.0.0.1'], '12.0.0.1'],
    [3, ['10.0.0.1, 11.0.0.1, 12.0.0.1'], '10.0.0.1'],
    [4, ['10.0.0.1, 11.0.0.1, 12.0.0.1'], ''],
    [2, ['10.0.0.1', '11.0.0.1'], '10.0.0.1'], // several lines are one list
    [1, ['10.0.0.1,'], ''],
    [1, [], ''],
    [1, ['[2001:db8::1]:4711'], '2001:db8::1'],
    [1, ['10.0.0.1:4711'], '10.0.0.1'],
    [1, ['2001:db8::1'], '2001:db8::1'],
  ])('at depth %i of %j is "%s"', (depth, forwardedFor, expected) => {
    expect(sourceOf({ depth }, forwardedFor)).toBe(expected)
  })

  it.each([
    [['10.0.0.1, 11.0.0.1, 12.0.0.1'], '11.0.0.1'],
    [['12.0.0.9, 12.0.0.1'], ''],
    [['10.0.0.1, , 12.0.0.1'], '10.0.0.1'],
    [['10.0.0.1, junk, 12.0.0.1'], 'junk'], // not excluded, and in no list either
    [[], ''],
  ])('with 12.0.0.0/8 excluded from %j is "%s"', (forwardedFor, expected) => {
    expect(sourceOf({ excludedIPs: ['12.0.0.0/8'] }, forwardedFor)).toBe(expected)
  })

  it.each([
    ['2001:db8:1:2:3:4:5:6', 64, '2001:db8:1:2:0:0:0:0'],
    ['2001:db8:1:2ff:3::6', 56, '2001:db8:1:200:0:0:0:0'],
    ['2001:db8::1', 128, '2001:db8:0:0:0:0:0:1'],
    ['192.0.2.7', 64, '192.0.2.7'],
    ['::ffff:192.0.2.7', 64, '::ffff:192.0.2.7'],
  ])('of %s in a /%i subnet is %s', (address, ipv6Subnet, expected) => {
    expect(sourceOf({ ipv6Subnet }, [], address)).toBe(expected)
  })

  it('is the same however long the list is that an attacker sends', () => {
    const list = Array.from({ length: 2000 }, () => '12.0.0.1').join(',')
    expect(sourceOf({ excludedIPs: ['12.0.0.0/8'] }, ['10.0.0.1', list])).toBe('')
    expect(sourceOf({ depth: 1 }, [list])).toBe('12.0.0.1')
  })
})

describe('ipAllowList', () => {
  it('serves addresses in the list and refuses others with 403 or the configured status', () => {
    const sourceRange = ['192.0.2.0/24', '2001:db8::/32', '10.0.0.1']
    const middleware = new IpAllowList('m', { sourceRange, rejectStatusCode: 403 })
    for (const address of ['192.0.2.7', '::ffff:192.0.2.8', '2001:db8::5', '10.0.0.1']) {
      expect(middleware.onRequest(requestFrom(address))).toBe(NEXT)
    }
    const exchange = requestFrom('10.0.0.2')
    expect(middleware.onRequest(exchange)).toBe(ANSWERED)
    expect([exchange.status, exchange.error]).toEqual([403, REFUSED_ADDRESS])
    const hidden = requestFrom('10.0.0.2')
    new IpAllowList('m', { sourceRange, rejectStatusCode: 404 }).onRequest(hidden)
    expect(hidden.status).toBe(404)
  })

  it('refuses a source that it cannot tell, even when the whole world is allowed', () => {
    const sourceRange = ['0.0.0.0/0', '::/0']
    const middleware = new IpAllowList('m', { sourceRange, ipStrategy: { depth: 2 } })
    expect(middleware.onRequest(requestFrom('192.0.2.7', ['10.0.0.1']))).toBe(ANSWERED)
    expect(middleware.onRequest(requestFrom('192.0.2.7', ['junk, 10.0.0.1']))).toBe(ANSWERED)
  })
})

const limiter = (options: InFlightReqOptions, router = 'shop@file') => {
  const context = contextOf(router)
  return { context, middleware: new InFlightReq('limit@file', options, context) }
}

const host = (value: string) => requestOf('GET / HTTP/1.1', [`Host: ${value}`])

const tenant = (value: string) => requestOf('GET / HTTP/1.1', [`X-Tenant: ${value}`])

describe('inFlightReq', () => {
  it('refuses the request beyond amount with 429 and serves again when one has finished', () => {
    const { middleware } = limiter({ amount: 2 })
    const running = [requestOf('GET / HTTP/1.1'), requestOf('GET / HTTP/1.1')]
    for (const exchange of running) expect(middleware.onRequest(exchange)).toBe(NEXT)
    const refused = requestOf('GET / HTTP/1.1')
    expect(middleware.onRequest(refused)).toBe(ANSWERED)
    expect([refused.status, refused.error]).toEqual([429, IN_FLIGHT])
    middleware.onFinish(refused) // it never had a place, and gives none back
    expect(middleware.onRequest(requestOf('GET / HTTP/1.1'))).toBe(ANSWERED)
    middleware.onFinish(running[0]!)
    expect(middleware.onRequest(requestOf('GET / HTTP/1.1'))).toBe(NEXT)
  })

  it('counts by host without port and case, unless told otherwise', () => {
    const { middleware } = limiter({ amount: 1 })
    expect(middleware.onRequest(host('a.example'))).toBe(NEXT)
    expect(middleware.onRequest(host('A.EXAMPLE:81'))).toBe(ANSWERED)
    expect(middleware.onRequest(host('b.example'))).toBe(NEXT)
  })

  it('counts by a header, those without it as one source', () => {
    const { middleware } = limiter({
      amount: 1,
      sourceCriterion: { requestHeaderName: 'X-Tenant' },
    })
    expect(middleware.onRequest(tenant('a'))).toBe(NEXT)
    expect(middleware.onRequest(tenant('b'))).toBe(NEXT)
    expect(middleware.onRequest(tenant('a'))).toBe(ANSWERED)
    expect(middleware.onRequest(requestOf('GET / HTTP/1.1'))).toBe(NEXT)
    expect(middleware.onRequest(requestOf('GET / HTTP/1.1'))).toBe(ANSWERED)
  })

  it('counts by address, an IPv6 subnet as one source', () => {
    const { middleware } = limiter({
      amount: 1,
      sourceCriterion: { ipStrategy: { ipv6Subnet: 64 } },
    })
    expect(middleware.onRequest(requestFrom('2001:db8::1'))).toBe(NEXT)
    expect(middleware.onRequest(requestFrom('2001:db8::2'))).toBe(ANSWERED)
    expect(middleware.onRequest(requestFrom('2001:db8:1::2'))).toBe(NEXT)
  })

  it('counts each router apart, and on across a reload of the same one', () => {
    const { context, middleware } = limiter({ amount: 1 })
    const running = requestOf('GET / HTTP/1.1')
    middleware.onRequest(running)
    const place = { ...context, scope: 'router blog@file' as const }
    const other = new InFlightReq('limit@file', { amount: 1 }, place)
    expect(other.onRequest(requestOf('GET / HTTP/1.1'))).toBe(NEXT)
    const reloaded = new InFlightReq('limit@file', { amount: 1 }, context)
    expect(reloaded.onRequest(requestOf('GET / HTTP/1.1'))).toBe(ANSWERED)
    middleware.onFinish(running)
    expect(reloaded.onRequest(requestOf('GET / HTTP/1.1'))).toBe(NEXT)
  })

  it('releases the place that was taken although the host was changed since', () => {
    const { context, middleware } = limiter({ amount: 1 })
    const exchange = requestOf('GET / HTTP/1.1')
    middleware.onRequest(exchange)
    exchange.host = 'other.example'
    middleware.onFinish(exchange)
    expect(context.worker.shared.inFlight.size).toBe(0)
  })

  it('never counts more than amount, nor loses a place, in any order of begin and finish', () => {
    const steps = fc.array(fc.tuple(fc.nat(2), fc.boolean(), fc.nat(20)), { maxLength: 80 })
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 4 }), (moves, amount) => {
        const { context, middleware } = limiter({ amount })
        const running: Exchange[][] = [[], [], []]
        for (const [source, begins, which] of moves) {
          const own = running[source]!
          if (begins) {
            const exchange = requestOf('GET / HTTP/1.1', [`Host: h${source}`])
            const expected = own.length < amount ? NEXT : ANSWERED
            expect(middleware.onRequest(exchange)).toBe(expected)
            if (expected === NEXT) own.push(exchange)
          } else if (own.length > 0) {
            middleware.onFinish(own.splice(which % own.length, 1)[0]!)
          }
        }
        for (const exchange of running.flat()) middleware.onFinish(exchange)
        expect(context.worker.shared.inFlight.size).toBe(0)
      }),
    )
  })
})
