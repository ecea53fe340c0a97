// test/conformance/traefik/cases/secure.ts: what is different over TLS, and what servers are told of a client's certificate.

import type { Keys } from '../../../support/gateway.ts'
import { type Case, ask } from '../pair.ts'

const over = (target: string, ...headers: string[]) =>
  ask('GET', target, headers, { entry: 'secure' })

function secureCase(name: string, middleware: Keys): Case {
  const forged = ['X-Forwarded-Tls-Client-Cert: forged', 'X-Forwarded-Tls-Client-Cert-Info: forged']
  const asks = [over('/a?b=c'), over('/a', ...forged), over('/a', `Host: ${name}.test:8443`)]
  return { name, isSecure: true, middlewares: { [name]: middleware }, asks }
}

const names = { commonName: true, country: true, organization: true, serialNumber: true }

export const secureCases: readonly Case[] = [
  { name: 'secure-plain', isSecure: true, asks: [over('/'), over('/', 'X-Forwarded-Proto: http')] },
  secureCase('secure-sts', { headers: { stsSeconds: 60, stsPreload: true } }),
  secureCase('secure-scheme', { redirectScheme: { scheme: 'https' } }),
  secureCase('secure-to-clear', { redirectScheme: { scheme: 'http', port: '8080' } }),
  secureCase('secure-regex', {
    redirectRegex: { regex: '^https://(.*)/a', replacement: 'https://$1/b' },
  }),
  secureCase('cert-pem', { passTLSClientCert: { pem: true } }),
  secureCase('cert-info', {
    passTLSClientCert: {
      info: { subject: names, issuer: { commonName: true }, sans: true, serialNumber: true },
    },
  }),
]
