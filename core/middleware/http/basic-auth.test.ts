// basicAuth: who passes, and what the server and the client see of it.
import { describe, expect, it } from 'vitest'
import { AUTH_BUSY, AUTH_FAILED, UNAUTHORIZED } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { ANSWERED, NEXT, WAIT } from '../contract.ts'
import type { CryptoServices, PasswordVerdict } from '../crypto.ts'
import { contextOf, requestOf, sentLines, testCrypto } from '../exchange.fixture.ts'
import { inertWorker } from '../inert-worker.ts'
import { BasicAuth, type BasicAuthOptions } from './basic-auth.ts'

const sha = '{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=' // password
const bcrypt = `$2y$05$${'a'.repeat(53)}`
const plain: BasicAuthOptions = {
  users: [`ann:${sha}`],
  realm: 'shop',
  headerField: '',
  removeHeader: false,
  cacheTtl: 0,
}

const basic = (credentials: string) => `Authorization: Basic ${btoa(credentials)}`

function build(options: Partial<BasicAuthOptions>, crypto: Partial<CryptoServices> = {}) {
  const woken: [Exchange, number][] = []
  const worker = inertWorker({
    wake: (exchange, _serial, verdict) => woken.push([exchange, verdict]),
  })
  const context = { ...contextOf(), worker, crypto: testCrypto(crypto) }
  return { middleware: new BasicAuth('auth@file', { ...plain, ...options }, context), woken }
}

function verdictOn(options: Partial<BasicAuthOptions>, headers: string[]) {
  const exchange = requestOf('GET / HTTP/1.1', headers)
  return { exchange, verdict: build(options).middleware.onRequest(exchange) }
}

describe('a request', () => {
  it('passes with the password of a user, and its server sees no difference', () => {
    const { exchange, verdict } = verdictOn({}, [basic('ann:password')])
    expect(verdict).toBe(NEXT)
    expect(exchange.user).toBe('ann')
    expect(sentLines(exchange.request)).toContain(basic('ann:password'))
  })

  it.each([
    [[]],
    [[basic('ann:wrong')]],
    [[basic('ann')]],
    [[basic(':password')]],
    [[basic('bob:password')]],
    [['Authorization: Bearer x']],
    [['Authorization: Basic !!!!']],
    [['Authorization: Basic YW5uOnBhc3N3b3J']], // cut off
    [[`Authorization: Basic ${'YW5u'.repeat(2000)}`]],
    [[basic('ann:password'), basic('bob:x')]],
  ])('is asked for a password when it brings none that is right: %j', (headers) => {
    const { exchange, verdict } = verdictOn({}, headers)
    expect(verdict).toBe(ANSWERED)
    expect([exchange.status, exchange.error, exchange.user]).toEqual([401, UNAUTHORIZED, ''])
    expect(exchange.response.get('www-authenticate')).toBe('Basic realm="shop"')
  })

  it('passes for nobody when there is no user', () => {
    expect(verdictOn({ users: [] }, [basic('ann:password')]).verdict).toBe(ANSWERED)
  })

  it('tells its server the user in one header, whatever the client has sent of it', () => {
    const lines = [basic('ann:password'), 'X-User: root', 'X_User: root', 'x.user: root']
    const { exchange } = verdictOn({ headerField: 'X-User', removeHeader: true }, lines)
    expect(sentLines(exchange.request)).toEqual(['Host: shop.example', 'X-User: ann'])
  })

  it('writes the realm so that it ends where it ends', () => {
    const { exchange } = verdictOn({ realm: 'a"b\\c' }, [])
    expect(exchange.response.get('www-authenticate')).toBe('Basic realm="a\\"b\\\\c"')
  })
})

describe('a password of bcrypt', () => {
  function asking(options: Partial<BasicAuthOptions> = {}) {
    const asked: { hash: string; password: string; done: PasswordVerdict; gone: boolean }[] = []
    const built = build(
      { users: [`ann:${bcrypt}`], ...options },
      {
        checkPassword: (hash, password, done) => {
          const one = { hash, password, done, gone: false }
          asked.push(one)
          return () => (one.gone = true)
        },
      },
    )
    return { ...built, asked }
  }

  it.each([
    ['ann', true, NEXT],
    ['ann', false, ANSWERED],
    ['bob', false, ANSWERED],
    ['bob', true, ANSWERED], // a stranger who knows the password of the one that stands in
  ])('is waited for: %s, right: %s', (user, isRight, verdict) => {
    const { middleware, asked, woken } = asking()
    const exchange = requestOf('GET / HTTP/1.1', [basic(`${user}:a:b`)])
    expect(middleware.onRequest(exchange)).toBe(WAIT)
    expect(asked).toMatchObject([{ hash: bcrypt, password: 'a:b' }])
    asked[0]!.done(isRight, false)
    expect(woken).toEqual([[exchange, verdict]])
    expect(exchange.status).toBe(verdict === NEXT ? 0 : 401)
  })

  it('that could not be computed lets nobody pass', () => {
    const { middleware, asked, woken } = asking()
    const exchange = requestOf('GET / HTTP/1.1', [basic('ann:x')])
    middleware.onRequest(exchange)
    asked[0]!.done(false, true)
    expect([woken[0]![1], exchange.error]).toEqual([ANSWERED, AUTH_FAILED])
  })

  it('is given up when the client leaves, and an answer that is late touches nothing', () => {
    const { middleware, asked, woken } = asking()
    const exchange = requestOf('GET / HTTP/1.1', [basic('ann:x')])
    middleware.onRequest(exchange)
    middleware.onFinish(exchange)
    expect(asked[0]!.gone).toBe(true)
    exchange.serial++
    asked[0]!.done(true, false)
    expect([woken, exchange.user]).toEqual([[], ''])
  })

  it('is refused with 503 when too many wait', () => {
    const { middleware } = build({ users: [`ann:${bcrypt}`] }, { checkPassword: () => null })
    const exchange = requestOf('GET / HTTP/1.1', [basic('ann:x')])
    expect(middleware.onRequest(exchange)).toBe(ANSWERED)
    expect([exchange.status, exchange.error]).toEqual([503, AUTH_BUSY])
    expect(exchange.response.get('retry-after')).toBe('1')
  })

  it('is computed each time, unless it was right within cacheTtl', () => {
    for (const [cacheTtl, verdicts] of [
      [0, [WAIT, WAIT]],
      [1000, [NEXT, WAIT]],
    ] as const) {
      const { middleware, asked } = asking({ cacheTtl })
      middleware.onRequest(requestOf('GET / HTTP/1.1', [basic('ann:x')]))
      asked[0]!.done(true, false)
      const again = ['ann:x', 'ann:y'].map((credentials) =>
        middleware.onRequest(requestOf('GET / HTTP/1.1', [basic(credentials)])),
      )
      expect(again).toEqual(verdicts)
    }
  })
})
