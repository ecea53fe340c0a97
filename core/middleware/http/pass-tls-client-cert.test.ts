import { expect, test } from 'vitest'
import type { ClientCertificate, Exchange } from '../../exchange.ts'
import { requestOf, sentLines } from '../exchange.fixture.ts'
import {
  type NameParts,
  PassTlsClientCert,
  type PassTlsClientCertOptions,
} from './pass-tls-client-cert.ts'

const all: NameParts = {
  country: true,
  province: true,
  locality: true,
  organization: true,
  organizationalUnit: true,
  commonName: true,
  serialNumber: true,
  domainComponent: true,
}

const client: ClientCertificate = {
  verified: true,
  subject: { CN: ['*.cheese.example'], O: ['Cheese'], C: ['FR', 'US'], DC: ['org', 'cheese'] },
  issuer: { CN: ['Simple Signing CA'], O: ['Cheese, Inc. "2"'] },
  serialNumber: '481535886039632329873080491016862977516759989652',
  notBefore: 1_544_094_616_000,
  notAfter: 1_607_166_616_000,
  sans: ['*.cheese.org', 'test@cheese.org', '10.0.1.0', 'spiffe://mesh/é'],
  fingerprint: '',
  der: 'MIIB+abc/=',
}

function exchangeWith(shown: ClientCertificate | null, headers: string[] = []): Exchange {
  const exchange = requestOf('GET / HTTP/1.1', headers)
  exchange.tls = {
    version: 'TLSv1.3',
    cipher: '',
    sni: '',
    alpn: '',
    options: 'default',
    policy: '',
    resumed: false,
    client: shown,
  }
  return exchange
}

function told(options: PassTlsClientCertOptions, exchange: Exchange): string[] {
  new PassTlsClientCert('pass', options).onRequest(exchange)
  return sentLines(exchange.request).filter((line) => line.startsWith('X-Forwarded-Tls'))
}

test('the certificate is told as base64 without its frame', () => {
  expect(told({ pem: true, info: null }, exchangeWith(client))).toEqual([
    'X-Forwarded-Tls-Client-Cert: MIIB+abc/=',
  ])
})

test('what is told of the certificate has the names, the order and the escapes of Traefik', () => {
  const info = {
    notAfter: true,
    notBefore: true,
    sans: true,
    serialNumber: true,
    subject: all,
    issuer: { ...all, organization: false },
  }
  const [line] = told({ pem: false, info }, exchangeWith(client))
  const value = line!.slice('X-Forwarded-Tls-Client-Cert-Info: '.length)
  expect(value).toMatch(/^[A-Za-z0-9%+._~-]+$/)
  expect(decodeURIComponent(value.replaceAll('+', ' '))).toBe(
    'Subject="DC=org,DC=cheese,C=FR,C=US,O=Cheese,CN=*.cheese.example";' +
      'Issuer="CN=Simple Signing CA";' +
      'SerialNumber="481535886039632329873080491016862977516759989652";' +
      'NB="1544094616";NA="1607166616";' +
      'SAN="*.cheese.org,test@cheese.org,10.0.1.0,spiffe://mesh/é"',
  )
})

test('what a client says of itself is replaced, and each client gets its own', () => {
  const info = {
    notAfter: false,
    notBefore: false,
    sans: false,
    serialNumber: true,
    subject: null,
    issuer: null,
  }
  const pass = new PassTlsClientCert('pass', { pem: true, info })
  for (const serialNumber of ['1', '2', '1']) {
    const exchange = exchangeWith({ ...client, serialNumber }, [
      'X-Forwarded-Tls-Client-Cert: forged',
      'X-Forwarded-Tls-Client-Cert-Info: forged',
    ])
    pass.onRequest(exchange)
    const text = sentLines(exchange.request).join('\n')
    expect(text).toContain(`X-Forwarded-Tls-Client-Cert-Info: SerialNumber%3D%22${serialNumber}%22`)
    expect(text).not.toContain('forged')
  }
})

test('without a certificate, and without TLS, nothing is told', () => {
  expect(told({ pem: true, info: null }, exchangeWith(null))).toEqual([])
  expect(told({ pem: true, info: null }, requestOf('GET / HTTP/1.1'))).toEqual([])
})
