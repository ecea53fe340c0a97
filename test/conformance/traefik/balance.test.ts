// A Traefik and a Sluice with the same file share their clients: the same cookies for the same servers, each understood by
// the other; the same server for the same address; the same order of servers.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Keys } from '../../support/gateway.ts'
import {
  type Ask,
  type Case,
  type Pair,
  type Side,
  type Urls,
  ask,
  sides,
  startPair,
  trustedGet,
} from './pair.ts'
import { isHere } from './traefik.ts'

const KEYS = 250 // addresses of clients
const TURNS = 100

const strategies = ['wrr', 'p2c', 'leasttime', 'hrw'] as const
const stickyServices = [
  'sticky-wrr',
  'sticky-p2c',
  'sticky-leasttime',
  'sticky-named',
  'sticky-bare',
  'sticky-expired',
  'sticky-child-a',
  'sticky-tree',
] as const

const named = {
  name: 'lb',
  secure: true,
  httpOnly: true,
  sameSite: 'strict',
  maxAge: 42,
  path: '/x',
  domain: 'shop.test',
}

const weightsOf: Readonly<Record<string, readonly number[]>> = {
  'wrr-111': [1, 1, 1],
  'wrr-511': [5, 1, 1],
  'wrr-321': [3, 2, 1],
  'wrr-0': [1, 0, 2],
  'wrr-big': [100, 33, 7],
}
const WITHOUT_TIES = ['wrr-0', 'wrr-big'] // within TURNS
const WITH_TIES = ['wrr-111', 'wrr-511', 'wrr-321', 'wrr-children']

function balancer(url: Urls, options: Keys, weights: readonly number[] = [1, 1, 1]): Keys {
  const servers = weights.map((weight, at) => ({ url: url('abc'[at]!), weight }))
  return { loadBalancer: { servers, ...options } }
}

const child = (name: string, weight: number) => ({ name, weight })

// Of every service: "a", "b" and "c" are servers, and services with one server each.
function servicesOf(url: Urls): Record<string, Keys> {
  const cookie = (options: Keys = {}) => ({ sticky: { cookie: options } })
  return {
    ...Object.fromEntries(
      strategies.map((strategy) => [
        `sticky-${strategy}`,
        balancer(url, { strategy, ...cookie() }),
      ]),
    ),
    'sticky-named': balancer(url, cookie(named)),
    'sticky-bare': balancer(url, cookie({ path: '', sameSite: 'none', domain: '.shop.test' })),
    'sticky-expired': balancer(url, cookie({ maxAge: -1, sameSite: 'lax' })),
    'the-first': balancer(url, {}, [1]),
    'number-two': { loadBalancer: { servers: [{ url: url('b') }] } },
    'another-one': { loadBalancer: { servers: [{ url: url('c') }] } },
    'sticky-child-a': { weighted: { services: [child('a', 1), child('b', 2)], ...cookie() } },
    'sticky-inner': balancer(url, cookie(), [1, 1]),
    'sticky-tree': {
      weighted: {
        services: [child('sticky-inner', 1), child('c', 1)],
        ...cookie({ name: 'branch' }),
      },
    },
    hrw: balancer(url, { strategy: 'hrw' }),
    'hrw-weights': balancer(url, { strategy: 'hrw' }, [1, 3, 2]),
    'hrw-children': {
      highestRandomWeight: {
        services: [child('the-first', 1), child('number-two', 1), child('another-one', 2)],
      },
    },
    ...Object.fromEntries(
      Object.entries(weightsOf).map(([name, weights]) => [name, balancer(url, {}, weights)]),
    ),
    'wrr-children': { weighted: { services: [child('a', 3), child('b', 1), child('c', 2)] } },
  }
}

// As cases without asks: each service has the host of its name.
function casesOf(url: Urls): Case[] {
  const services = servicesOf(url)
  return Object.keys(services).map((name) => ({
    name,
    services: { [name]: services[name] },
    asks: [],
  }))
}

interface Led {
  readonly to: string // the server
  readonly cookies: string[] // lines of Set-Cookie
}

describe.skipIf(!isHere)('clients of a Traefik and a Sluice (skipped without TRAEFIK)', () => {
  let pair: Pair
  beforeAll(async () => {
    pair = await startPair(casesOf)
  })
  afterAll(() => pair?.stop())

  async function lead(side: Side, name: string, cookies: string, from: string): Promise<Led> {
    const headers = cookies === '' ? [] : [`Cookie: ${cookies}`]
    return leadBy(side, name, ask('GET', '/', headers, { from }))
  }

  async function leadBy(side: Side, name: string, asked: Ask): Promise<Led> {
    const [seen] = await pair.play(side, { name, asks: [asked] })
    const lines = seen!.answer!.lines.filter((line) => /^set-cookie:/i.test(line))
    expect(seen!.answer!.status).toBe(200)
    return {
      to: seen!.served[0]!.origin,
      // Of different names, so their order means nothing: Traefik writes the outer service's first, Sluice the inner one's.
      cookies: lines.map((line) => line.slice('set-cookie:'.length).trim()).toSorted(),
    }
  }

  // What each server's clients are told, by one gateway, which is asked until it has led to all of them.
  async function cookiesBy(side: Side, name: string): Promise<Map<string, string[]>> {
    const found = new Map<string, string[]>()
    for (let turn = 1; turn <= TURNS && found.size < (name === 'sticky-child-a' ? 2 : 3); turn++) {
      const { to, cookies } = await lead(side, name, '', `127.0.1.${turn}`)
      found.set(to, cookies)
    }
    return found
  }

  const pairsOf = (cookies: readonly string[]) =>
    cookies.map((line) => line.split(';', 1)[0]!).join('; ')

  test.each(stickyServices)(
    '%s: the same cookies, and each is understood by the other',
    async (name) => {
      const traefik = await cookiesBy('traefik', name)
      const sluice = await cookiesBy('sluice', name)
      expect(sluice.size).toBeGreaterThan(1)
      for (const [server, cookies] of sluice) {
        if (traefik.has(server))
          expect([server, ...cookies]).toEqual([server, ...traefik.get(server)!])
      }
      for (const [server, cookies] of [...traefik, ...sluice]) {
        for (const side of sides) {
          const back = await lead(side, name, pairsOf(cookies), '127.0.0.77')
          expect([side, server, back.to, back.cookies]).toEqual([side, server, server, []])
        }
      }
    },
  )

  test.each(['sticky-wrr', 'sticky-tree'])(
    '%s: a cookie that names nobody is replaced by both',
    async (name) => {
      const [line = ''] = [...(await cookiesBy('sluice', name)).values()][0]!
      const cookie = line.slice(0, line.indexOf('='))
      for (const side of sides) {
        const { cookies } = await lead(side, name, `${cookie}=nobody`, '127.0.0.1')
        expect([side, cookies.length > 0]).toEqual([side, true])
      }
    },
  )

  // Traefik has no sticky hrw: sticky is ignored. docs/services.md tells of it.
  test('hrw: Sluice keeps to the cookie, Traefik to the address', async () => {
    const led = await lead('sluice', 'sticky-hrw', '', '127.0.1.1')
    const [line = ''] = led.cookies
    expect(line).not.toBe('')
    for (const from of ['127.0.1.2', '127.0.2.3', '127.0.3.4', '127.0.4.5']) {
      const back = await lead('sluice', 'sticky-hrw', pairsOf([line]), from)
      expect(back).toEqual({ to: led.to, cookies: [] })
      const byAddress = await lead('traefik', 'sticky-hrw', '', from)
      expect(await lead('traefik', 'sticky-hrw', pairsOf([line]), from)).toEqual(byAddress)
      expect(byAddress.cookies).toEqual([])
    }
  })

  test.each(['hrw', 'hrw-weights', 'hrw-children'])(
    '%s: the same server for the same address',
    async (name) => {
      const by = { traefik: [] as string[], sluice: [] as string[] }
      for (const side of sides) {
        for (let key = 0; key < KEYS; key++)
          by[side].push((await lead(side, name, '', `127.0.${key & 7}.${key + 1}`)).to)
      }
      expect(new Set(by.traefik).size).toBeGreaterThan(1)
      expect(by.sluice).toEqual(by.traefik)
    },
  )

  test('hrw goes by the address of the peer, whatever a trusted one says of its clients', async () => {
    for (let key = 0; key < 50; key++) {
      const asked = trustedGet('/', `X-Forwarded-For: 192.0.2.${key}`)
      const traefik = await leadBy('traefik', 'hrw', asked)
      expect([key, await leadBy('sluice', 'hrw', asked)]).toEqual([key, traefik])
    }
  })

  async function orderBy(side: Side, name: string): Promise<string> {
    let order = ''
    for (let turn = 0; turn < TURNS; turn++) order += (await lead(side, name, '', '127.0.0.1')).to
    return order
  }

  test.each(WITHOUT_TIES)('%s: the same order of servers', async (name) => {
    expect(await orderBy('sluice', name)).toBe(await orderBy('traefik', name))
  })

  // Turns that fall on the same moment: Sluice takes the order of the list, Traefik what its heap and rounding make of it.
  test.each(WITH_TIES)('%s: the same share of each server at any time', async (name) => {
    const traefik = await orderBy('traefik', name)
    const sluice = await orderBy('sluice', name)
    const countOf = (order: string, server: string) => order.split(server).length - 1
    for (let turns = 1; turns <= TURNS; turns++) {
      for (const server of 'abc') {
        const off =
          countOf(sluice.slice(0, turns), server) - countOf(traefik.slice(0, turns), server)
        expect([turns, server, Math.abs(off) <= 1]).toEqual([turns, server, true])
      }
    }
  })
})
