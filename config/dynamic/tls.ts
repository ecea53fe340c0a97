// config/dynamic/tls.ts: the tls section: certificates, options and stores, with Traefik's keys. Hot: no.

import { z } from 'zod'
import { block, flag, list, named, notYet, off, text } from '../static/blocks.ts'

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
  preferServerCipherSuites: flag(false),
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
  certificates: notYet(z.array(tlsCertificateSchema).default([]), 'TLS'),
  options: notYet(named(tlsOptionsSchema), 'TLS'),
  stores: notYet(named(tlsStoreSchema), 'TLS'),
})

export type TlsCertificateConfig = z.output<typeof tlsCertificateSchema>
export type TlsOptionsConfig = z.output<typeof tlsOptionsSchema>
export type TlsStoreConfig = z.output<typeof tlsStoreSchema>
