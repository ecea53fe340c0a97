import { X509Certificate, createHash, createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { certificatePlan } from '../config/certificate-facts.ts'
import { BIT_STRING, children, context, octets, oidText, readDer, sequence, timeOf } from './der.ts'
import { time, unsigned } from './der.ts'
import { generateSelfSigned } from './self-signed.ts'
import { addressBytes, certificateRequest, selfSignedPem } from './x509.ts'

const NOW = Date.UTC(2030, 0, 1)

test('The default certificate verifies itself, has its own key and lives for a year', async () => {
  const { certPem, keyPem } = await generateSelfSigned(NOW)
  const certificate = new X509Certificate(certPem)
  expect(certificate.verify(certificate.publicKey)).toBe(true)
  expect(certificate.checkPrivateKey(createPrivateKey(keyPem))).toBe(true)
  expect(certificate.subject).toBe('CN=SLUICE DEFAULT CERT')
  expect(Date.parse(certificate.validFrom)).toBe(NOW - 86_400_000)
  expect(Date.parse(certificate.validTo)).toBe(NOW + 365 * 86_400_000)
  expect(certificatePlan(certPem, keyPem).names).toHaveLength(1)
})

test('Two default certificates share neither key nor serial number', async () => {
  const [one, two] = await Promise.all([generateSelfSigned(NOW), generateSelfSigned(NOW)])
  expect(one.keyPem).not.toBe(two.keyPem)
  const serials = [one, two].map(({ certPem }) => new X509Certificate(certPem).serialNumber)
  expect(serials[0]).not.toBe(serials[1])
})

test('Hosts, IPv4 and IPv6 addresses become alternative names of their kind', () => {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const acmeIdentifier = createHash('sha256').update('x').digest()
  const certificate = new X509Certificate(
    selfSignedPem({
      commonName: 'x',
      names: ['a.example.org', '192.0.2.7', '2001:db8::7'],
      notBefore: NOW,
      notAfter: Date.UTC(2051, 0, 1),
      key,
      acmeIdentifier,
    }),
  )
  expect(certificate.subjectAltName).toBe(
    'DNS:a.example.org, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7',
  )
  expect(Date.parse(certificate.validTo)).toBe(Date.UTC(2051, 0, 1))
  expect(certificate.raw.includes(acmeIdentifier)).toBe(true)
})

test.each(['ec', 'rsa'] as const)('A request with an %s key is signed by it', async (kind) => {
  const { verify } = await import('node:crypto')
  const { privateKey, publicKey } =
    kind === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'P-384' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 })
  const request = certificateRequest(
    ['a.example.org', 'b.example.org'],
    'a.example.org',
    privateKey,
  )
  const [body, , signature] = children(readDer(request))
  expect(signature!.tag).toBe(BIT_STRING)
  expect(verify('sha256', body!.whole, publicKey, signature!.body.subarray(1))).toBe(true)
  expect(body!.body.includes('b.example.org')).toBe(true)
})

test('What the writer wrote the reader reads', () => {
  const long = Buffer.alloc(70_000, 7)
  const node = readDer(sequence(octets(long), context(0, unsigned(Buffer.from([0, 0, 0x80])))))
  const [first, second] = children(node)
  expect(first!.body.equals(long)).toBe(true)
  expect(children(second!)[0]!.whole.toString('hex')).toBe('02020080')
  expect(timeOf(readDer(time(Date.UTC(2049, 11, 31, 23, 59, 59))))).toBe(
    Date.UTC(2049, 11, 31, 23, 59, 59),
  )
  expect(timeOf(readDer(time(Date.UTC(2050, 0, 1))))).toBe(Date.UTC(2050, 0, 1))
  expect(addressBytes('192.0.2.1').toString('hex')).toBe('c0000201')
})

test('The reader refuses bytes that end early, run over or name impossible lengths', () => {
  for (const hex of ['', '30', '3005', '30820100', '3080', '30850000000001', '300002', '1f0100'])
    expect(() => readDer(Buffer.from(hex, 'hex')), hex).toThrow()
  expect(() => children(readDer(Buffer.from('3003020501', 'hex')))).toThrow()
  expect(() => oidText(readDer(Buffer.from('020100', 'hex')))).toThrow()
})
