import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { certificateFacts, certificatePlan, coversHost } from './certificate-facts.ts'

// Pairs made by openssl, as users have them: root -> middle -> leaf, and a stranger.
let folder = ''
const pem = (name: string): string => readFileSync(join(folder, name), 'utf8')

function openssl(...words: string[]): void {
  execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' })
}

function issue(name: string, by: string, extensions: string): void {
  writeFileSync(join(folder, `${name}.ext`), extensions)
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  openssl('req', ...key, '-keyout', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`)
  const signer =
    by === '' ? ['-signkey', `${name}.key`] : ['-CA', `${by}.pem`, '-CAkey', `${by}.key`]
  const more = by === '' ? [] : ['-CAcreateserial']
  const to = ['-days', '30', '-extfile', `${name}.ext`, '-out', `${name}.pem`]
  openssl('x509', '-req', '-in', `${name}.csr`, ...signer, ...more, ...to)
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-facts-'))
  issue('root', '', 'basicConstraints=critical,CA:TRUE')
  issue('middle', 'root', 'basicConstraints=critical,CA:TRUE')
  const names = 'DNS:Shop.Example.org.,DNS:*.example.org,IP:192.0.2.1,IP:2001:db8::1,email:a@b.c'
  issue('leaf', 'middle', `subjectAltName=${names}`)
  issue('old.example.org', 'root', 'keyUsage=digitalSignature')
  issue('no name', 'root', 'keyUsage=digitalSignature')
  issue(
    'odd',
    'root',
    'subjectAltName=@n\n[n]\nDNS.1=a.example.org, DNS:evil.example.org\nDNS.2=b.org',
  )
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('A pair says its names in lower case, hosts first, its end and its fingerprint', () => {
  const plan = certificatePlan(pem('leaf.pem') + pem('middle.pem'), pem('leaf.key'))
  expect(plan.names).toEqual(['shop.example.org', '*.example.org', '192.0.2.1', '2001:db8::1'])
  expect(plan.id).toMatch(/^[0-9a-f]{64}$/)
  expect(plan.notAfter).toBeGreaterThan(Date.now() + 29 * 86_400_000)
  expect(plan.certPem.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
})

test('A chain in another order is put in the order that clients need', () => {
  const right = certificateFacts(pem('leaf.pem') + pem('middle.pem') + pem('root.pem'))
  const mixed = certificateFacts(pem('leaf.pem') + pem('root.pem') + pem('middle.pem'))
  expect(mixed.certPem).toBe(right.certPem)
  expect(mixed.chain.map(({ subject }) => subject)).toEqual(['CN=middle', 'CN=root'])
})

test('The common name counts only where there are no alternative names', () => {
  expect(certificateFacts(pem('old.example.org.pem')).names).toEqual(['old.example.org'])
})

test('A name with punctuation of its own does not become two names', () => {
  expect(certificateFacts(pem('odd.pem')).names).toEqual(['b.org'])
})

test.each([
  ['a key of another', () => [pem('leaf.pem'), pem('middle.key')], 'key does not belong'],
  ['an authority first', () => [pem('middle.pem') + pem('leaf.pem'), ''], 'leaf must be first'],
  ['a stranger in the chain', () => [pem('leaf.pem') + pem('odd.pem'), ''], 'certificate 2 of 2'],
  ['text', () => ['hello', ''], 'no certificate in PEM'],
  ['a damaged one', () => [pem('leaf.pem').replace(/\nM/, '\nX'), ''], 'certificate 1 of 1'],
  ['no key', () => [pem('leaf.pem'), pem('leaf.pem')], 'no private key'],
  [
    'a damaged key',
    () => [pem('leaf.pem'), pem('leaf.key').replace(/\nM/, '\nX')],
    "can't be read",
  ],
  ['no name', () => [pem('no name.pem'), ''], 'names no host'],
  ['too many', () => [pem('leaf.pem').repeat(11), ''], '10 are the limit'],
  ['too long', () => [' '.repeat(300_000), ''], 'longer than'],
])('%s is refused with the reason, and the key is never quoted', (_, pair, reason) => {
  const [certificate = '', key = ''] = pair()
  expect(() => certificatePlan(certificate, key)).toThrow(reason)
})

test('An encrypted key is refused as such', () => {
  openssl('pkcs8', '-topk8', '-in', 'leaf.key', '-passout', 'pass:x', '-out', 'locked.key')
  expect(() => certificatePlan(pem('leaf.pem'), pem('locked.key'))).toThrow('encrypted')
})

test('A wildcard covers one label and nothing else', () => {
  const names = ['*.example.org', 'x.org']
  expect(coversHost(names, 'a.example.org')).toBe(true)
  expect(coversHost(names, '*.example.org')).toBe(true)
  expect(coversHost(names, 'a.b.example.org')).toBe(false)
  expect(coversHost(names, 'example.org')).toBe(false)
  expect(coversHost(names, 'x.org')).toBe(true)
  expect(coversHost(names, 'a.x.org')).toBe(false)
})
