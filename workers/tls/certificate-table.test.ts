import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { selfSignedPem } from '../../certificates/x509.ts'
import type { CertificatePlan } from '../../config/protocol-plans.ts'
import type { ClientHello } from '../../core/tls/client-hello.ts'
import { CertificateTable, oneFor } from './certificate-table.ts'

const keys = {
  ec: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
}

function plan(id: string, kind: 'ec' | 'rsa', names: string[], notAfter = 1): CertificatePlan {
  const dates = { notBefore: Date.now(), notAfter: Date.now() + 86_400_000 }
  const key = keys[kind]
  const certPem = selfSignedPem({ commonName: id, names, ...dates, key, acmeIdentifier: null })
  return { name: id, id, names, certPem, keyPem: '', notAfter, ocsp: null }
}

const table = (...plans: CertificatePlan[]): CertificateTable =>
  new CertificateTable(new Map(plans.map((p) => [p.id, p])))

const hello = (more: Partial<ClientHello>): ClientHello => ({
  serverName: 'a.example',
  alpn: [],
  versions: [0x0304, 0x0303],
  ecdsaScheme: true,
  ecdsaSuite: true,
  ...more,
})

test('the longest valid certificate of each kind of key is found, whatever the order', () => {
  const plans = [
    plan('old', 'ec', ['a.example'], 1),
    plan('new', 'ec', ['a.example'], 2),
    plan('rsa', 'rsa', ['a.example'], 1),
  ]
  for (const given of [plans, plans.toReversed()]) {
    const ids = table(...given)
      .find('a.example', '')
      .map(({ id }) => id)
    expect(ids.sort()).toEqual(['new', 'rsa'])
  }
})

test('of two that end together all workers choose the same', () => {
  const plans = [plan('one', 'ec', ['a.example']), plan('two', 'ec', ['a.example'])]
  for (const given of [plans, plans.toReversed()])
    expect(table(...given).find('A.Example', '')[0]!.id).toBe('two')
})

test('EC is for clients that can verify it in the version that they will speak', () => {
  const plans = [plan('rsa', 'rsa', []), plan('ec', 'ec', [])]
  const chosen = (more: Partial<ClientHello>, max: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3') =>
    oneFor(plans, hello(more), max)!.id
  expect(chosen({})).toBe('ec')
  expect(chosen({ ecdsaScheme: false })).toBe('rsa')
  expect(chosen({ ecdsaSuite: false })).toBe('ec')
  expect(chosen({ ecdsaSuite: false }, 'TLSv1.2')).toBe('rsa')
  expect(chosen({ ecdsaSuite: false, versions: [0x0303] })).toBe('rsa')
  expect(chosen({ versions: [0x0303] })).toBe('ec')
})

test('a single certificate is shown to everybody, and none is none', () => {
  const only = plan('only', 'ec', [])
  expect(oneFor([only], hello({ ecdsaScheme: false, ecdsaSuite: false }), 'TLSv1.3')).toBe(only)
  expect(oneFor([], hello({}), 'TLSv1.3')).toBeNull()
})
