// rateLimit, distributedRateLimit and quota as the pipeline sees them: verdicts, headers, waits, and stores that fail.
import { describe, expect, it } from 'vitest'
import { LIMIT_STORE, RATE_LIMITED } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { durationText } from '../../rate/duration-text.ts'
import { UNDECIDED } from '../../rate/store.ts'
import type { StoreDecision, StoreWaiter } from '../../rate/store.ts'
import { ANSWERED, NEXT, WAIT } from '../contract.ts'
import type { Verdict } from '../contract.ts'
import { contextOf, requestOf, respond } from '../exchange.fixture.ts'
import { inertWorker } from '../inert-worker.ts'
import type { OnStoreError, SharedLimit } from './limiter.ts'
import { Quota } from './quota.ts'
import { RateLimit } from './rate-limit.ts'
import type { RateLimitOptions } from './rate-limit.ts'

const HOUR = 3_600_000

function scene(store: (waiter: StoreWaiter) => StoreDecision | null = () => null) {
  const clock = { now: 86_400_000 }
  const woken: Verdict[] = []
  const timers: { ms: number; action: () => void; isCancelled: boolean }[] = []
  const counts = new Map<string, number>()
  const worker = inertWorker({
    preciseNow: () => clock.now,
    wake: (_exchange, _serial, verdict) => void woken.push(verdict),
    after: (ms, action) => {
      const timer = { ms, action, isCancelled: false }
      timers.push(timer)
      return () => (timer.isCancelled = true)
    },
    counter: (_family, labels) => ({
      add: (n) => counts.set(labels['decision']!, (counts.get(labels['decision']!) ?? 0) + n),
    }),
    limitStore: () => ({ take: (_ask, _source, waiter) => store(waiter) }),
  })
  const context = { ...contextOf(), worker }
  return { clock, woken, timers, counts, context }
}

type Scene = ReturnType<typeof scene>

const rate = (over: Partial<RateLimitOptions> = {}): RateLimitOptions => ({
  average: 10,
  period: 1000,
  burst: 2,
  mode: 'delay',
  shared: null,
  standardHeaders: false,
  responseHeaders: false,
  ...over,
})

const limiter = ({ context }: Scene, over: Partial<RateLimitOptions> = {}): RateLimit =>
  new RateLimit('limit@file', 'rateLimit', rate(over), context)

const request = (...headers: string[]): Exchange => requestOf('GET / HTTP/1.1', headers)

const header = (exchange: Exchange, name: string): string | null => exchange.response.get(name)

it('a limit on a router and on a service of the same name counts for each', () => {
  const { context } = scene()
  const burst = { burst: 1, mode: 'reject' } as const
  for (const kind of ['router', 'service'] as const) {
    const place = { ...context, scope: `${kind} shop@file` as const }
    const limit = new RateLimit('limit@file', 'rateLimit', rate(burst), place)
    expect([limit.onRequest(request()), limit.onRequest(request())]).toEqual([NEXT, ANSWERED])
  }
})

describe('rateLimit', () => {
  it('passes a burst, lets the next one wait, and refuses the rest with the time to come back', () => {
    const at = scene()
    const middleware = limiter(at)
    expect(middleware.onRequest(request())).toBe(NEXT)
    expect(middleware.onRequest(request())).toBe(NEXT)
    const refused = request()
    expect(middleware.onRequest(refused)).toBe(ANSWERED)
    expect([refused.status, refused.error]).toEqual([429, RATE_LIMITED])
    expect(header(refused, 'retry-after')).toBe('1')
    expect(header(refused, 'x-retry-in')).toMatch(/^(?:100|99\.9\d*)ms$/)
    at.clock.now += 60
    const held = request()
    expect(middleware.onRequest(held)).toBe(WAIT)
    expect(at.timers[0]!.ms).toBeCloseTo(40, 1)
    at.timers[0]!.action()
    expect(at.woken).toEqual([NEXT])
    expect(Object.fromEntries(at.counts)).toEqual({ allowed: 2, limited: 1, delayed: 1 })
  })

  it('lets nobody wait in mode reject', () => {
    const at = scene()
    const middleware = limiter(at, { mode: 'reject', burst: 1 })
    expect(middleware.onRequest(request())).toBe(NEXT)
    at.clock.now += 60
    expect(middleware.onRequest(request())).toBe(ANSWERED)
    expect(middleware.hasFinish).toBe(false)
  })

  it('forgets a wait whose client has left', () => {
    const at = scene()
    const middleware = limiter(at, { burst: 1 })
    middleware.onRequest(request())
    at.clock.now += 60
    const held = request()
    expect(middleware.onRequest(held)).toBe(WAIT)
    middleware.onFinish(held)
    middleware.onFinish(held)
    expect(at.timers[0]!.isCancelled).toBe(true)
  })

  it('with an average of 0 limits nothing and has no phase but the first', () => {
    const middleware = limiter(scene(), { average: 0, standardHeaders: true })
    for (let i = 0; i < 100; i++) expect(middleware.onRequest(request())).toBe(NEXT)
    expect([middleware.hasResponse, middleware.hasFinish]).toEqual([false, false])
  })

  it('tells the limit in headers of passed and refused requests, where they are wanted', () => {
    const at = scene()
    const middleware = limiter(at, { standardHeaders: true, responseHeaders: true, mode: 'reject' })
    const passed = request()
    middleware.onRequest(passed)
    respond(passed, 200, ['RateLimit: "inner";r=1;t=1'])
    middleware.onResponse(passed)
    expect(passed.response.getAll('ratelimit')).toEqual(['"inner";r=1;t=1', '"limit@file";r=1;t=1'])
    expect(header(passed, 'ratelimit-policy')).toBe('"limit@file";q=2;w=1')
    expect(header(passed, 'x-ratelimit-limit')).toBe('2')
    expect(header(passed, 'x-ratelimit-remaining')).toBe('1')
    middleware.onRequest(request())
    const refused = request()
    middleware.onRequest(refused)
    middleware.onResponse(refused)
    expect(header(refused, 'x-ratelimit-remaining')).toBe('0')
  })

  it('counts on after a reload that does not change it, and anew after one that does', () => {
    const at = scene()
    limiter(at, { burst: 1 }).onRequest(request())
    expect(limiter(at, { burst: 1, mode: 'reject' }).onRequest(request())).toBe(ANSWERED)
    expect(limiter(at, { burst: 2, mode: 'reject' }).onRequest(request())).toBe(NEXT)
  })

  it('says which request of how many it would be', () => {
    const at = scene()
    const middleware = limiter(at)
    middleware.onRequest(request())
    expect(middleware.explain(request())).toBe(
      'Would be the 2nd of a burst of 2 at 10 per 1s for "192.0.2.7".',
    )
    middleware.onRequest(request())
    expect(middleware.explain(request())).toContain('Has no room left in a burst of 2')
  })
})

describe('the source', () => {
  const counted = (keys: string[], ...requests: Exchange[]): Verdict[] => {
    const middleware = limiter(scene(), { burst: 1, mode: 'reject', sourceCriterion: { keys } })
    return requests.map((exchange) => middleware.onRequest(exchange))
  }
  const target = (path: string): Exchange => requestOf(`GET ${path} HTTP/1.1`)

  it('of several parts tells apart whoever differs in one', () => {
    const keys = ['ip', 'header.X-Tenant']
    expect(
      counted(keys, request('X-Tenant: a'), request('X-Tenant: b'), request('x-tenant: a')),
    ).toEqual([NEXT, NEXT, ANSWERED])
  })

  it('is the same for every spelling of a query parameter', () => {
    expect(counted(['query.key'], target('/?key=ab'), target('/?x=1&k%65y=%61b'))).toEqual([
      NEXT,
      ANSWERED,
    ])
  })

  it.each([
    ['header.X-Key', request('X-Key: a', 'X-Key: b'), request('X-Key: a', 'X-Key: c')],
    ['query.key', requestOf('GET /?key=a&key=b HTTP/1.1'), requestOf('GET /?key=a&key=c HTTP/1.1')],
    ['cookie.key', request('Cookie: key=a; key=b'), request('Cookie: key=c; key=b')],
    ['header.X-Key', request(`X-Key: ${'a'.repeat(9000)}`), request(`X-Key: ${'b'.repeat(9000)}`)],
  ])('%s that says two things is as one that says nothing', (key, one, two) => {
    expect(counted([key], one, two, request())).toEqual([NEXT, ANSWERED, ANSWERED])
  })

  const bearing = (claims: object, ...more: string[]): Exchange => {
    const payload = Buffer.from(JSON.stringify(claims)).toString('base64url')
    return request(`Authorization: Bearer e30.${payload}.x`, ...more)
  }

  it('of a claim is its value, wherever it comes from', () => {
    const [one, again, other] = [{ sub: 'ann' }, { iat: 1, sub: 'ann' }, { sub: 'bob' }]
    const requests = [one, again, other].map((claims) => bearing(claims))
    requests[1]!.clientAddress = '192.0.2.8'
    expect(counted(['jwtClaim.sub'], ...requests)).toEqual([NEXT, ANSWERED, NEXT])
  })

  it('without a claim is the address, which no claim can use up', () => {
    const elsewhere = request()
    elsewhere.clientAddress = '192.0.2.8'
    expect(
      counted(
        ['jwtClaim.sub'],
        bearing({ sub: '192.0.2.7' }),
        bearing({ sub: 'no claim 192.0.2.7' }),
        bearing({ sub: {} }),
        request(),
        request('Authorization: Bearer x'),
        bearing({ sub: 'ann' }, 'Authorization: Bearer e30.e30.x'),
        elsewhere,
      ),
    ).toEqual([NEXT, NEXT, NEXT, ANSWERED, ANSWERED, ANSWERED, NEXT])
  })

  it('of a claim is looked for in the header that is named', () => {
    const sourceCriterion = { keys: ['jwtClaim.a.b'], jwtHeader: 'X-Jwt' }
    const middleware = limiter(scene(), { burst: 1, mode: 'reject', sourceCriterion })
    const payload = Buffer.from('{"a":{"b":7}}').toString('base64url')
    const explained = middleware.explain(request(`X-Jwt: e30.${payload}.x`))
    expect(explained).toContain('for "claim 7"')
  })

  it('of a cookie is its value', () => {
    const cookie = (value: string): Exchange => request(`Cookie: other=1; account=${value}`)
    expect(counted(['cookie.account'], cookie('a'), cookie('b'), cookie('a'))).toEqual([
      NEXT,
      NEXT,
      ANSWERED,
    ])
  })
})

describe('quota', () => {
  const quota = ({ context }: Scene, limit: number): Quota =>
    new Quota(
      'quota@file',
      { limit, period: HOUR, shared: null, standardHeaders: false, responseHeaders: false },
      context,
    )

  it('serves its number in a period and fades the last one into the next', () => {
    const at = scene()
    at.clock.now = 24 * HOUR
    const middleware = quota(at, 10)
    const passed = (): number => {
      let count = 0
      while (middleware.onRequest(request()) === NEXT) count++
      return count
    }
    expect(passed()).toBe(10)
    at.clock.now += HOUR // of the period before everything still counts
    expect(passed()).toBe(0)
    at.clock.now += HOUR / 2
    expect(passed()).toBe(5)
    at.clock.now += 10 * HOUR
    expect(passed()).toBe(10)
  })

  it('says when the next request fits, and it does then', () => {
    const at = scene()
    at.clock.now = 24 * HOUR + 12_345
    const middleware = quota(at, 3)
    for (let i = 0; i < 5; i++) {
      const exchange = request()
      if (middleware.onRequest(exchange) === NEXT) continue
      const seconds = Number(header(exchange, 'retry-after'))
      at.clock.now += (seconds - 1) * 1000 - 1
      expect(middleware.onRequest(request())).toBe(ANSWERED)
      at.clock.now += 1001
      expect(middleware.onRequest(request())).toBe(NEXT)
    }
  })

  it('of 0 serves nobody', () => {
    expect(quota(scene(), 0).onRequest(request())).toBe(ANSWERED)
  })
})

describe('a limit that a store counts', () => {
  const shared = (onStoreError: OnStoreError): SharedLimit =>
    ({ plan: {}, ask: { maxDelayMs: 0 }, onStoreError }) as unknown as SharedLimit
  const decision = (waitMs: number): StoreDecision => ({
    failed: false,
    waitMs,
    remaining: 4,
    resetMs: 500,
  })

  it('waits for the answer and does what it says', () => {
    const waiters: StoreWaiter[] = []
    const at = scene((waiter) => {
      waiters.push(waiter)
      return null
    })
    const middleware = limiter(at, { shared: shared('deny'), burst: 1, mode: 'delay' })
    const [passed, refused, held, gone] = [request(), request(), request(), request()]
    for (const exchange of [passed, refused, held, gone])
      expect(middleware.onRequest(exchange)).toBe(WAIT)
    waiters[0]!.onDecision(decision(0))
    waiters[1]!.onDecision(decision(2500))
    waiters[2]!.onDecision(decision(30))
    middleware.onFinish(gone)
    waiters[3]!.onDecision(decision(0))
    expect(at.woken).toEqual([NEXT, ANSWERED])
    expect(header(refused, 'retry-after')).toBe('3')
    expect(header(refused, 'x-retry-in')).toBe('2.5s')
    expect(at.timers.map(({ ms }) => ms)).toEqual([30])
    at.timers[0]!.action()
    expect(at.woken).toEqual([NEXT, ANSWERED, NEXT])
  })

  it('never answers an exchange that has become another one meanwhile', () => {
    const waiters: StoreWaiter[] = []
    const at = scene((waiter) => {
      waiters.push(waiter)
      return null
    })
    const middleware = limiter(at, { shared: shared('deny') })
    const exchange = request()
    middleware.onRequest(exchange)
    exchange.reset()
    waiters[0]!.onDecision(UNDECIDED)
    expect([exchange.status, at.woken]).toEqual([0, []])
  })

  it.each([
    ['allow', [NEXT, NEXT, NEXT]],
    ['deny', [ANSWERED, ANSWERED, ANSWERED]],
    ['local', [NEXT, NEXT, ANSWERED]],
  ] as const)('does what it is told when the store can not be asked: %s', (way, verdicts) => {
    const at = scene(() => UNDECIDED)
    const middleware = limiter(at, { shared: shared(way), mode: 'reject' })
    const exchanges = verdicts.map(() => request())
    expect(exchanges.map((exchange) => middleware.onRequest(exchange))).toEqual(verdicts)
    if (way === 'deny')
      expect([exchanges[0]!.status, exchanges[0]!.error]).toEqual([500, LIMIT_STORE])
    expect(at.counts.get('store_error')).toBe(3)
  })
})

it.each([
  [0, '0s'],
  [0.25, '250µs'],
  [99.5, '99.5ms'],
  [1500, '1.5s'],
  [60_000, '1m0s'],
  [3_723_004, '1h2m3.004s'],
])('%d ms are written as %s', (ms, text) => expect(durationText(ms)).toBe(text))
