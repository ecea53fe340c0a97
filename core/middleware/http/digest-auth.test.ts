// digestAuth: proofs that are right, wrong, old and replayed.
import { describe, expect, it } from 'vitest'
import { UNAUTHORIZED } from '../../errors.ts'
import { ANSWERED, NEXT } from '../contract.ts'
import { contextOf, requestOf, sentLines, testCrypto } from '../exchange.fixture.ts'
import { inertWorker } from '../inert-worker.ts'
import { DigestAuth, type DigestAuthOptions } from './digest-auth.ts'

const { md5 } = testCrypto()
const secret = md5('ann:shop:password')
const plain: DigestAuthOptions = {
  users: [`ann:shop:${secret}`, `bob:other:${secret}`],
  realm: 'shop',
  headerField: '',
  removeHeader: false,
}

function build(options: Partial<DigestAuthOptions> = {}) {
  const clock = { now: 1_000_000 }
  const worker = inertWorker({ preciseNow: () => clock.now })
  const middleware = new DigestAuth('d@file', { ...plain, ...options }, { ...contextOf(), worker })
  const challenge = (): string => {
    const exchange = requestOf('GET /a HTTP/1.1')
    expect(middleware.onRequest(exchange)).toBe(ANSWERED)
    return /nonce="([^"]*)"/.exec(exchange.response.get('www-authenticate')!)![1]!
  }
  return { middleware, clock, challenge }
}

interface Proof {
  user?: string
  realm?: string
  password?: string
  uri?: string
  method?: string
  nc?: number
  nonce: string
}

function proofOf(proof: Proof): string {
  const { user = 'ann', realm = 'shop', password = 'password', uri = '/a', method = 'GET' } = proof
  const nc = (proof.nc ?? 1).toString(16).padStart(8, '0')
  const first = md5(`${user}:${realm}:${password}`)
  const response = md5(`${first}:${proof.nonce}:${nc}:cn:auth:${md5(`${method}:${uri}`)}`)
  return (
    `Authorization: Digest username="${user}", realm="${realm}", nonce="${proof.nonce}", ` +
    `uri="${uri}", response="${response}", cnonce="cn", nc=${nc}, qop=auth`
  )
}

describe('digestAuth', () => {
  it('passes a right proof, once', () => {
    const { middleware, challenge } = build({ headerField: 'X-User', removeHeader: true })
    const line = proofOf({ nonce: challenge() })
    const exchange = requestOf('GET /a HTTP/1.1', [line, 'X_User: root'])
    expect(middleware.onRequest(exchange)).toBe(NEXT)
    expect(exchange.user).toBe('ann')
    expect(sentLines(exchange.request)).toEqual(['Host: shop.example', 'X-User: ann'])
    const again = requestOf('GET /a HTTP/1.1', [line])
    expect(middleware.onRequest(again)).toBe(ANSWERED)
    expect(again.response.get('www-authenticate')).not.toContain('stale')
  })

  it.each([
    [{ password: 'wrong' }],
    [{ user: 'eve' }],
    [{ user: 'bob' }], // of another realm
    [{ user: 'bob', realm: 'other' }],
    [{ uri: '/b' }], // of another request
    [{ method: 'POST' }],
  ])('refuses %j, and uses nothing up for it', (wrong) => {
    const { middleware, challenge } = build()
    const nonce = challenge()
    const exchange = requestOf('GET /a HTTP/1.1', [proofOf({ nonce, ...wrong })])
    expect(middleware.onRequest(exchange)).toBe(ANSWERED)
    expect([exchange.status, exchange.error]).toEqual([401, UNAUTHORIZED])
    const right = requestOf('GET /a HTTP/1.1', [proofOf({ nonce })])
    expect(middleware.onRequest(right)).toBe(NEXT)
  })

  it('refuses nonces that it has not made', () => {
    const { middleware, challenge } = build()
    const nonce = challenge()
    for (const forged of ['', 'x', nonce.slice(0, -1), `1${nonce.slice(1)}`, `${nonce}x`]) {
      const exchange = requestOf('GET /a HTTP/1.1', [proofOf({ nonce: forged })])
      expect(middleware.onRequest(exchange)).toBe(ANSWERED)
      expect(exchange.response.get('www-authenticate')).not.toContain('stale')
    }
  })

  it('says of an old nonce that it is stale, so that nobody is asked again', () => {
    const { middleware, challenge, clock } = build()
    const nonce = challenge()
    clock.now += 301_000
    const exchange = requestOf('GET /a HTTP/1.1', [proofOf({ nonce })])
    middleware.onRequest(exchange)
    expect(exchange.response.get('www-authenticate')).toMatch(/^Digest realm="shop", .*stale=true$/)
  })
})
