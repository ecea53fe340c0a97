// certificates/self-signed.ts: the certificate of last resort, for names that no configured certificate has.
//
// Owner:  the supervisor makes one per process and gives it to every worker, so that a client that reconnects
//         sees the same one. Hot: no. Made at every start: some 2 ms.
//
// Nobody can trust it, so its names say nothing about the machine.

import { generateKeyPair, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { selfSignedPem } from './x509.ts'

const generateKey = promisify(generateKeyPair)

const DAY_MS = 86_400_000
const LIFETIME_DAYS = 365
export const DEFAULT_COMMON_NAME = 'SLUICE DEFAULT CERT'

export interface KeyedCertificate {
  readonly certPem: string
  readonly keyPem: string // secret
}

export async function generateSelfSigned(now = Date.now()): Promise<KeyedCertificate> {
  const { privateKey } = await generateKey('ec', { namedCurve: 'P-256' })
  const name = `${randomBytes(8).toString('hex')}.${randomBytes(8).toString('hex')}.sluice.default`
  const certPem = selfSignedPem({
    commonName: DEFAULT_COMMON_NAME,
    names: [name],
    notBefore: now - DAY_MS, // clocks of clients that are behind
    notAfter: now + LIFETIME_DAYS * DAY_MS,
    key: privateKey,
    acmeIdentifier: null,
  })
  return { certPem, keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}
