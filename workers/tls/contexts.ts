// workers/tls/contexts.ts: OpenSSL's contexts, one for each pair of TLS options and certificate that is in use.
//
// Owner:  the worker; kept over generations by content, so that a reload makes none anew whose certificate and options
//         did not change. Bounded: beyond CONTEXTS_MAX the oldest is forgotten, and made again when it is wanted.
// Hot:    no, one look-up per generation and pair. Making one takes about 0.3 ms.

import { cryptoModule, tlsModule } from '../builtins.ts'
import type { SecureContext } from 'node:tls'
import type { CertificatePlan, TlsOptionsPlan } from '../../config/protocol-plans.ts'
import { digest, policyOf } from './policy.ts'
import type { TicketKeyring } from './ticket-keys.ts'

const CONTEXTS_MAX = 4096 // some 20 KiB each
const SESSION_LIFETIME_S = 2 * 60 * 60 // OpenSSL's default

// AEAD with forward secrecy; the short key first, as it is no finding and faster.
const SUITES_13 = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256'
const SUITES_12 =
  'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:' +
  'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305'
// For TLS 1.0 and 1.1, where somebody asks for them: OpenSSL allows those at security level 0 only.
const SUITES_10 = 'ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:AES128-SHA:@SECLEVEL=0'

const HYBRID = 'X25519MLKEM768'
const CURVES = 'X25519:P-256:P-384'

function secureOptions(withTickets: boolean): number {
  const { constants } = cryptoModule()
  const fixed =
    constants.SSL_OP_NO_RENEGOTIATION |
    constants.SSL_OP_NO_COMPRESSION |
    constants.SSL_OP_PRIORITIZE_CHACHA // for clients without AES instructions
  return withTickets ? fixed : fixed | constants.SSL_OP_NO_TICKET
}

export class SecureContexts {
  private readonly known = new Map<string, SecureContext>()
  private readonly keys: TicketKeyring

  constructor(keys: TicketKeyring) {
    this.keys = keys
  }

  get size(): number {
    return this.known.size
  }

  // Throws when the pair is not one; the supervisor has checked that before.
  of(options: TlsOptionsPlan, certificate: CertificatePlan): SecureContext {
    const key = digest([policyOf(options), certificate.id])
    let context = this.known.get(key)
    if (context === undefined) {
      context = this.make(options, certificate, key)
      if (this.known.size >= CONTEXTS_MAX) this.known.delete(this.known.keys().next().value!)
      this.known.set(key, context)
    }
    return context
  }

  // The key is the session id context as well: a session is resumed with the same certificate and options only.
  private make(options: TlsOptionsPlan, certificate: CertificatePlan, key: string): SecureContext {
    const context = tlsModule().createSecureContext({
      cert: certificate.certPem,
      key: certificate.keyPem,
      ca: options.clientCas === '' ? [] : options.clientCas,
      minVersion: options.minVersion,
      maxVersion: options.maxVersion,
      ciphers: ciphersOf(options),
      ecdhCurve: options.curves === '' ? defaultCurves() : options.curves,
      honorCipherOrder: options.preferServerCiphers,
      secureOptions: secureOptions(options.sessionTickets),
      sessionIdContext: key,
      sessionTimeout: SESSION_LIFETIME_S,
    })
    if (options.sessionTickets) this.keys.install(context.context)
    return context
  }
}

function ciphersOf({ ciphers, minVersion }: TlsOptionsPlan): string {
  const old = minVersion === 'TLSv1' || minVersion === 'TLSv1.1'
  if (ciphers !== '') return old ? `${ciphers}:@SECLEVEL=0` : ciphers
  return old ? `${SUITES_13}:${SUITES_12}:${SUITES_10}` : `${SUITES_13}:${SUITES_12}`
}

let curves = ''

// The hybrid with ML-KEM (FIPS 203) comes with OpenSSL 3.5; another build of Node may be without.
function defaultCurves(): string {
  if (curves !== '') return curves
  try {
    tlsModule().createSecureContext({ ecdhCurve: HYBRID })
    curves = `${HYBRID}:${CURVES}`
  } catch {
    curves = CURVES
  }
  return curves
}
