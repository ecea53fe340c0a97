// config/dynamic/tls.ts: the tls section: certificates, options and stores. Accepted and checked; TLS is not
// served yet. Hot: no.

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

const options = z.object({
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

const store = z.object({
  defaultCertificate: off({ certFile: text(), keyFile: text() }),
  defaultGeneratedCert: off({
    resolver: text(),
    domain: tlsDomain.nullable().default(null),
  }),
})

const certificate = z.object({ certFile: text(), keyFile: text(), stores: list() })

export const tlsSchema = block({
  certificates: notYet(z.array(certificate).default([]), 'TLS'),
  options: notYet(named(options), 'TLS'),
  stores: notYet(named(store), 'TLS'),
})
