import { X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import type { ChallengePlan } from '../../config/protocol-plans.ts'
import { ChallengeBoard } from './board.ts'
import { type Challenge, keyAuthorizationDigest } from './contract.ts'
import { HttpSolver } from './http-01.ts'
import { TlsAlpnSolver, serverNameOf } from './tls-alpn-01.ts'

const nobody = new AbortController().signal

function challenge(kind: 'http-01' | 'tls-alpn-01', name: string, token: string): Challenge {
  return { kind, name, token, keyAuthorization: `${token}.thumb` }
}

test('An answer is published before present() is done, and gone after cleanup()', async () => {
  let up: readonly ChallengePlan[] = []
  const board = new ChallengeBoard(async (plans) => {
    await new Promise((next) => setImmediate(next)) // as workers take their time
    up = plans
  })
  const solver = new HttpSolver(board, 'web', 0)
  const [one, two] = [challenge('http-01', 'a.org', 't1'), challenge('http-01', 'b.org', 't2')]
  await Promise.all([solver.present([one], nobody), solver.present([two], nobody)])
  expect(up.map(({ name }) => name)).toEqual(['http-01 t1', 'http-01 t2'])
  expect(up[0]).toMatchObject({ entryPoint: 'web', token: 't1', keyAuthorization: 't1.thumb' })
  await solver.cleanup([one])
  expect(up.map(({ name }) => name)).toEqual(['http-01 t2'])
})

test('Workers that can not be reached fail present(), not cleanup()', async () => {
  const board = new ChallengeBoard(() => Promise.reject(new Error('no workers')))
  const solver = new HttpSolver(board, '', 0)
  const one = challenge('http-01', 'a.org', 't1')
  await expect(solver.present([one], nobody)).rejects.toThrow('no workers')
  await expect(solver.cleanup([one])).resolves.toBeUndefined()
})

test('A delay ends at once when the gateway does', async () => {
  const ending = new AbortController()
  const solver = new HttpSolver(new ChallengeBoard(async () => {}), '', 3600_000)
  const presenting = solver.present([challenge('http-01', 'a.org', 't1')], ending.signal)
  ending.abort()
  await expect(presenting).rejects.toThrow('aborted')
})

test('The certificate of tls-alpn-01 names the host alone and holds the digest, marked as critical', async () => {
  let up: readonly ChallengePlan[] = []
  const board = new ChallengeBoard(async (plans) => void (up = plans))
  const one = challenge('tls-alpn-01', '192.0.2.7', 't1')
  await new TlsAlpnSolver(board, 0).present([one], nobody)
  const [plan] = up
  if (plan?.kind !== 'tls-alpn-01') throw new Error('no plan')
  expect(plan.host).toBe('7.2.0.192.in-addr.arpa')
  const certificate = new X509Certificate(plan.certPem)
  expect(certificate.subjectAltName).toBe('IP Address:192.0.2.7')
  // OID 1.3.6.1.5.5.7.1.31, TRUE, OCTET STRING { OCTET STRING { 32 bytes } }: RFC 8737, section 3.
  const extension = Buffer.concat([
    Buffer.from('06082b0601050507011f0101ff042204 20'.replace(' ', ''), 'hex'),
    keyAuthorizationDigest(one),
  ])
  expect(certificate.raw.includes(extension)).toBe(true)
})

test('Addresses are asked for by their name in the reverse tree', () => {
  expect(serverNameOf('Shop.Example.org')).toBe('shop.example.org')
  expect(serverNameOf('2001:db8::1')).toBe(
    '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
  )
})
