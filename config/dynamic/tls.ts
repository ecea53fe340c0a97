// config/dynamic/tls.ts: the tls section: certificates, options and stores, with Traefik's keys. Hot: no.

import { z } from 'zod'
import { block, flag, list, named, noted, off, text } from '../static/blocks.ts'

const clientAuthTypes = [
  '',
  'NoClientCert',
  'RequestClientCert',
  'RequireAnyClientCert',
  'VerifyClientCertIfGiven',
  'RequireAndVerifyClientCert',
] as const

const tlsDomain = z.object({ main: text(), sans: list() })

export const tlsOptionsSchema = z.object({
  minVersion: text(),
  maxVersion: text(),
  cipherSuites: list(),
  curvePreferences: list(),
  clientAuth: off({ caFiles: list(), clientAuthType: z.enum(clientAuthTypes).default('') }),
  sniStrict: flag(false),
  alpnProtocols: list('h2', 'http/1.1', 'acme-tls/1'),
  disableSessionTickets: flag(false),
  preferServerCipherSuites: noted(flag(false), 'accepted: the order is always ours, as in Go'),
})

export const tlsStoreSchema = z.object({
  defaultCertificate: off({ certFile: text(), keyFile: text() }),
  defaultGeneratedCert: off({
    resolver: text(),
    domain: tlsDomain.nullable().default(null),
  }),
})

export const tlsCertificateSchema = z.object({
  certFile: text(),
  keyFile: text(),
  stores: list(),
})

export const tlsSchema = block({
  certificates: noted(
    z.array(tlsCertificateSchema).default([]),
    'files or PEM text; files are watched, and a new pair is used within a second',
  ),
  options: named(tlsOptionsSchema),
  stores: noted(named(tlsStoreSchema), 'only the one called default is used, as in Traefik'),
})

export type TlsCertificateConfig = z.output<typeof tlsCertificateSchema>
export type TlsOptionsConfig = z.output<typeof tlsOptionsSchema>
export type TlsStoreConfig = z.output<typeof tlsStoreSchema>
