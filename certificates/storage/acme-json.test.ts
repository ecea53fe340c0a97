import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { keyOfDer } from '../acme/keys.ts'
import { generateSelfSigned } from '../self-signed.ts'
import {
  accountIn,
  blockIn,
  certificatesIn,
  parseDocument,
  withAccount,
  withCertificate,
} from './acme-json.ts'

// As Traefik v3 writes it.
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const accountKey = privateKey.export({ type: 'pkcs1', format: 'der' }).toString('base64')
const traefiks = {
  le: {
    Account: {
      Email: 'admin@example.org',
      Registration: {
        body: { status: 'valid', contact: ['mailto:admin@example.org'] },
        uri: 'https://acme.example.org/acct/7',
      },
      PrivateKey: accountKey,
      KeyType: '4096',
      Later: 'unknown to us',
    },
    Certificates: [
      {
        domain: { main: 'a.example.org', sans: ['b.example.org'] },
        certificate: Buffer.from('CERT A').toString('base64'),
        key: Buffer.from('KEY A').toString('base64'),
        Store: 'default',
        Note: 'unknown to us',
      },
    ],
    Extra: { keep: true },
  },
  other: { Account: null, Certificates: null },
}

const document = () => parseDocument(JSON.stringify(traefiks), 'acme.json')

test("Account and certificates of Traefik's file are read", () => {
  const block = blockIn(document(), 'le')
  const account = accountIn(block)!
  expect(account).toMatchObject({
    email: 'admin@example.org',
    url: 'https://acme.example.org/acct/7',
    keyType: '4096',
  })
  expect(keyOfDer(account.keyDer).asymmetricKeyType).toBe('rsa')
  expect(certificatesIn(block)).toEqual([
    { names: ['a.example.org', 'b.example.org'], certPem: 'CERT A', keyPem: 'KEY A' },
  ])
})

test('Other spellings of the keys, as older versions wrote them, are read too', () => {
  const old = {
    certificates: [{ Domain: { Main: 'a.org', SANs: null }, Certificate: 'eA==', Key: 'eQ==' }],
  }
  expect(certificatesIn(old)).toEqual([{ names: ['a.org'], certPem: 'x', keyPem: 'y' }])
})

test('A new certificate takes the place of the one with the same names, and unknown keys stay', () => {
  const block = blockIn(document(), 'le')
  const names = ['b.example.org', 'a.example.org']
  const next = withCertificate(block, { names, certPem: 'CERT B', keyPem: 'KEY B' })
  expect(next).toMatchObject({ Extra: { keep: true }, Account: traefiks.le.Account })
  expect(next['Certificates']).toMatchObject([{ Note: 'unknown to us', Store: 'default' }])
  expect(certificatesIn(next)).toEqual([{ names, certPem: 'CERT B', keyPem: 'KEY B' }])
  const more = withCertificate(next, { names: ['c.org'], certPem: 'CERT C', keyPem: 'KEY C' })
  expect(certificatesIn(more)).toHaveLength(2)
  expect((more['Certificates'] as object[])[1]).toMatchObject({ domain: { main: 'c.org' } })
})

test('An account that was written is read, and what Traefik keeps beside it stays', () => {
  const block = blockIn(document(), 'le')
  const account = accountIn(block)!
  const next = withAccount(block, { ...account, url: 'https://acme.example.org/acct/8' })
  expect(accountIn(next)!.url).toBe('https://acme.example.org/acct/8')
  expect(next).toMatchObject({ Account: { Later: 'unknown to us' }, Extra: { keep: true } })
  expect(accountIn(withAccount({}, account))).toEqual(account)
})

test('A file that is empty is a file without resolvers; one that is no JSON is refused without quoting it', () => {
  expect(parseDocument('\n', 'acme.json')).toEqual({})
  expect(accountIn(blockIn(document(), 'other'))).toBeNull()
  expect(certificatesIn(blockIn(document(), 'other'))).toEqual([])
  expect(certificatesIn(blockIn(document(), 'nobody'))).toEqual([])
  expect(() => parseDocument('{"PrivateKey": "se', 'acme.json')).toThrow(/^acme\.json is not JSON$/)
  expect(() => parseDocument('[]', 'acme.json')).toThrow('not an object')
})

test('A pair that Sluice made survives the way through the file', async () => {
  const pair = await generateSelfSigned()
  const block = withCertificate({}, { names: ['x.org'], ...pair })
  expect(certificatesIn(JSON.parse(JSON.stringify(block)))).toEqual([{ names: ['x.org'], ...pair }])
})
