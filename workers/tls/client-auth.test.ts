import { expect, test } from 'vitest'
import { clientFault } from './client-auth.ts'
import type { PeerCertificate } from './server-identity.ts'

const NOW = Date.parse('2026-06-01T00:00:00Z')
const certificate = {
  valid_from: 'Jan  1 00:00:00 2026 GMT',
  valid_to: 'Dec 31 00:00:00 2026 GMT',
} as PeerCertificate

test('a session without certificate passes no mode that requires one, though OpenSSL calls it verified', () => {
  expect(clientFault('RequireAndVerifyClientCert', null, '', true, NOW)).toBe('NO_CERTIFICATE')
  expect(clientFault('RequireAnyClientCert', null, '', true, NOW)).toBe('NO_CERTIFICATE')
  expect(clientFault('VerifyClientCertIfGiven', null, '', true, NOW)).toBe('')
})

test('a resumed session is looked at again: its certificate may have expired since', () => {
  const later = Date.parse('2027-01-01T00:00:00Z')
  const mode = 'RequireAndVerifyClientCert'
  expect(clientFault(mode, certificate, '', true, NOW)).toBe('')
  expect(clientFault(mode, certificate, '', true, later)).toBe('CERT_HAS_EXPIRED')
  expect(clientFault('VerifyClientCertIfGiven', certificate, '', true, later)).toBe(
    'CERT_HAS_EXPIRED',
  )
})

test('a certificate that can not be verified counts only where nobody asks for that', () => {
  const fault = 'SELF_SIGNED_CERT'
  expect(clientFault('RequestClientCert', certificate, fault, false, NOW)).toBe('')
  expect(clientFault('RequireAnyClientCert', certificate, fault, false, NOW)).toBe('')
  expect(clientFault('VerifyClientCertIfGiven', certificate, fault, false, NOW)).toBe(fault)
  expect(clientFault('RequireAndVerifyClientCert', certificate, fault, false, NOW)).toBe(fault)
})

test('dates that can not be read are not in time', () => {
  const broken = { valid_from: 'never', valid_to: 'never' } as PeerCertificate
  expect(clientFault('RequireAndVerifyClientCert', broken, '', true, NOW)).not.toBe('')
})
