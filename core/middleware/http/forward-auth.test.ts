// forwardAuth with a cache: which answers count for whom, and for how long.
import { describe, expect, it } from 'vitest'
import { Bounded } from '../../../workers/cache/bounded.ts'
import { inertCache } from '../../cache/contract.ts'
import type { Exchange } from '../../exchange.ts'
import { Head } from '../../headers.ts'
import { ANSWERED, NEXT, WAIT } from '../contract.ts'
import { forwardAuth } from '../contract-auth.fixture.ts'
import { contextOf, requestOf, sentLines } from '../exchange.fixture.ts'
import { inertWorker } from '../inert-worker.ts'
import type { SideDone, SideRequest } from '../worker.ts'
import { ForwardAuth, type ForwardAuthOptions } from './forward-auth.ts'

const WALL = Date.UTC(2030, 0, 1)

const plain: ForwardAuthOptions = {
  ...forwardAuth,
  headerField: 'X-Name',
  cache: { ttl: 10_000, refusedTtl: 0, entriesMax: 100, ignore: [], cookies: [] },
}

const refusals = { ...plain, cache: { ...plain.cache!, refusedTtl: 5000 } }

// A worker whose server answers when it is told to.
function scene(given: ForwardAuthOptions = plain) {
  const options = { ...given } // a plan of its own: what is kept belongs to it
  const clock = { now: 1000 }
  const asked: { request: SideRequest; done: SideDone }[] = []
  const woken: number[] = []
  const counts = new Map<string, number>()
  const worker = inertWorker({
    ask: (request, done) => {
      asked.push({ request, done })
      return () => {}
    },
    wake: (_exchange, _serial, verdict) => void woken.push(verdict),
    counter: (_family, { outcome = '' }) => ({
      add: (n) => counts.set(outcome, (counts.get(outcome) ?? 0) + n),
    }),
    cache: {
      ...inertCache,
      bounded: (entries, bytes) => new Bounded(entries, bytes),
      wallNow: () => WALL,
    },
  })
  const context = { ...contextOf(), worker, now: () => clock.now }
  const build = (plan = options) => new ForwardAuth('auth@file', plan, context)
  return { clock, asked, woken, counts, build, options, middleware: build() }
}

type Scene = ReturnType<typeof scene>

const ann = (): Exchange => requestOf('GET /a HTTP/1.1', ['Authorization: Bearer ann'])

// Asks, and is answered at once: with a status and lines, or not at all (0).
function settle(at: Scene, status: number, lines: readonly string[] = [], exchange = ann()) {
  expect(at.middleware.onRequest(exchange)).toBe(WAIT)
  answer(at, status, lines)
  return exchange
}

function answer(at: Scene, status: number, lines: readonly string[] = [], body = 'why') {
  const headers = new Head()
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers.add(line.slice(0, colon), line.slice(colon + 1).trim())
  }
  const { done } = at.asked.at(-1)!
  if (status === 0) done(null, 1)
  else done({ status, headers, body: Buffer.from(body) }, 0)
}

describe('an answer of 2xx', () => {
  it('counts for the very same question until ttl is over, from when it was asked', () => {
    const at = scene()
    const first = ann()
    at.middleware.onRequest(first)
    at.clock.now += 1000
    answer(at, 200)
    for (const [ms, verdict] of [
      [8999, NEXT],
      [1, WAIT],
    ] as const) {
      at.clock.now += ms
      expect(at.middleware.onRequest(ann())).toBe(verdict)
    }
    expect(Object.fromEntries(at.counts)).toEqual({ passed: 1, cached: 1 })
  })

  it('counts for nobody else', () => {
    const at = scene()
    settle(at, 200)
    for (const exchange of [
      requestOf('GET /a HTTP/1.1'),
      requestOf('GET /a HTTP/1.1', ['Authorization: Bearer bob']),
      requestOf('GET /a HTTP/1.1', ['Authorization: Bearer ann', 'X-Api-Key: 1']),
      requestOf('GET /b HTTP/1.1', ['Authorization: Bearer ann']),
      requestOf('POST /a HTTP/1.1', ['Authorization: Bearer ann']),
    ])
      expect(at.middleware.onRequest(exchange)).toBe(WAIT)
    const elsewhere = ann()
    elsewhere.clientAddress = '192.0.2.8'
    expect(at.middleware.onRequest(elsewhere)).toBe(WAIT)
  })

  it('does to a request what it did to the first, and removes what the client has forged', () => {
    const at = scene()
    const lines = ['X-User: ann', 'X-Auth-Role: a', 'X-Auth-Role: b', 'X-Other: 1', 'x-name: Ann']
    const forged = ['X_User: root', 'X-Auth-More: root']
    const first = requestOf('GET /a HTTP/1.1', forged)
    settle(at, 200, lines, first)
    const second = requestOf('GET /a HTTP/1.1', forged)
    expect(at.middleware.onRequest(second)).toBe(NEXT)
    expect(sentLines(second.request)).toEqual(sentLines(first.request))
    expect(sentLines(second.request).join()).toMatch(/X-User: ann.*X-Auth-Role: a.*X-Auth-Role: b/)
    expect(sentLines(second.request).join()).not.toMatch(/root|X-Other/)
    expect([first.user, second.user]).toEqual(['Ann', 'Ann'])
  })

  it.each([
    [['Set-Cookie: session=1']],
    [['Set-Cookie: other=1']],
    [['Cache-Control: no-store']],
    [['Cache-Control: no-cache']],
    [['Cache-Control: private']],
    [['Cache-Control: private="X-User"']],
    [['Cache-Control: max-age=0']],
    [['Cache-Control: max-age=soon']],
    [['Cache-Control: s-maxage=60', 'Cache-Control: max-age=0']],
    [['Cache-Control: max-age=60', 'Age: 60']],
    [['Expires: 0']],
    [[`X-User: ${'x'.repeat(16_384)}`]],
  ])('is not kept with %j', (lines) => {
    const at = scene()
    settle(at, 200, lines)
    expect(at.middleware.onRequest(ann())).toBe(WAIT)
  })

  it.each([
    ['Cache-Control: max-age=3', 3000],
    ['Cache-Control: public, MAX-AGE=3, s-maxage=2', 2000],
    ['Cache-Control: max-age=3600', 10_000],
    ['Cache-Control: public', 10_000],
    [`Expires: ${new Date(WALL + 4000).toUTCString()}`, 4000],
  ])('with "%s" counts for %i ms', (line, ms) => {
    const at = scene()
    settle(at, 200, [line])
    at.clock.now += ms - 1
    expect(at.middleware.onRequest(ann())).toBe(NEXT)
    at.clock.now += 1
    expect(at.middleware.onRequest(ann())).toBe(WAIT)
  })
})

describe('an answer that refuses', () => {
  it.each([
    [plain, 401, WAIT],
    [plain, 403, WAIT],
    [refusals, 401, ANSWERED],
    [refusals, 403, ANSWERED],
    [refusals, 302, WAIT],
    [refusals, 404, WAIT],
    [refusals, 500, WAIT],
    [refusals, 0, WAIT],
  ])('is kept with refusedTtl, if it is 401 or 403', (options, status, verdict) => {
    const at = scene(options)
    settle(at, status)
    expect(at.middleware.onRequest(ann())).toBe(verdict)
  })

  it('is given again as it was, and for no longer than refusedTtl', () => {
    const at = scene(refusals)
    settle(at, 401, ['WWW-Authenticate: Bearer', 'X-Why: no'])
    const again = ann()
    expect(at.middleware.onRequest(again)).toBe(ANSWERED)
    expect([again.status, Buffer.from(again.answerBody as Uint8Array).toString()]).toEqual([
      401,
      'why',
    ])
    expect(sentLines(again.response)).toEqual(['WWW-Authenticate: Bearer', 'X-Why: no'])
    at.clock.now += 5000
    expect(at.middleware.onRequest(ann())).toBe(WAIT)
  })

  it('leads to the sign-in page again', () => {
    const at = scene({ ...refusals, authSigninURL: 'https://login.example/' })
    settle(at, 401)
    const again = ann()
    expect(at.middleware.onRequest(again)).toBe(ANSWERED)
    expect([again.status, again.response.get('location')]).toEqual([302, 'https://login.example/'])
  })

  it('is not kept with a cookie, or a long page', () => {
    const at = scene(refusals)
    settle(at, 401, ['Set-Cookie: a=1'])
    expect(at.middleware.onRequest(ann())).toBe(WAIT)
    answer(at, 401, [], 'x'.repeat(20_000))
    expect(at.middleware.onRequest(ann())).toBe(WAIT)
  })
})

describe('what is kept', () => {
  it('is bounded: what was not used for longest is asked about again', () => {
    const at = scene({ ...plain, cache: { ...plain.cache!, entriesMax: 3 } })
    const of = (path: string) => requestOf(`GET /${path} HTTP/1.1`)
    for (const path of ['a', 'b', 'c']) settle(at, 200, [], of(path))
    expect(at.middleware.onRequest(of('a'))).toBe(NEXT)
    settle(at, 200, [], of('d'))
    const verdicts = ['a', 'b', 'c', 'd'].map((path) => at.middleware.onRequest(of(path)))
    expect(verdicts).toEqual([NEXT, WAIT, NEXT, NEXT])
  })

  it('is shared by the routers of one plan, and gone with it', () => {
    const at = scene()
    settle(at, 200)
    expect(at.build(at.options).onRequest(ann())).toBe(NEXT)
    expect(at.build({ ...at.options }).onRequest(ann())).toBe(WAIT)
  })
})

it('without a cache nothing is kept, and no key is made', () => {
  const at = scene({ ...plain, cache: null })
  settle(at, 200)
  expect(at.middleware.onRequest(ann())).toBe(WAIT)
  expect([...at.counts.keys()]).toEqual(['passed'])
})

it('explain says how long an answer counts, and for whom', () => {
  const cache = { ...refusals.cache, ignore: ['path', 'query'] }
  expect(scene({ ...plain, cache }).middleware.explain(ann())).toMatch(
    /lets it\. That answer counts for 10s for requests that tell the server the same but for path, query; 401 and 403 for 5s\.$/,
  )
})
