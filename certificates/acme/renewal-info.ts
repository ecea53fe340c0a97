// certificates/acme/renewal-info.ts: when the authority wants a certificate to be renewed (RFC 9773, ARI).
//
// Authorities move the window when they must revoke: whoever asks in time replaces such a certificate before its
// end. Failing to ask is no failure: the lifetime alone decides then. Hot: no.

import { X509Certificate } from 'node:crypto'
import { isObject, jsonObject, retryAfterMs } from '../http.ts'
import { authorityKeyId, partsOf } from '../x509-read.ts'
import type { AcmeClient } from './client.ts'
import { AcmeError, problemOf } from './problem.ts'

export interface RenewalWindow {
  readonly start: number
  readonly end: number
  readonly explanationUrl: string
  readonly askAgainMs: number
}

const ASK_MIN_MS = 60_000
const ASK_MAX_MS = 86_400_000
const ASK_DEFAULT_MS = 6 * 3600_000

// Section 4.1: the key identifier of the issuer and the serial number; '' for a certificate that names no issuer.
export function renewalId(certPem: string): string {
  const parts = partsOf(new X509Certificate(certPem))
  const issuer = authorityKeyId(parts)
  if (issuer === null) return ''
  return `${issuer.toString('base64url')}.${parts.serial.toString('base64url')}`
}

// null when the authority has no such thing.
export async function renewalWindow(
  client: AcmeClient,
  certPem: string,
): Promise<RenewalWindow | null> {
  const { renewalInfo } = await client.directory()
  const id = renewalInfo === '' ? '' : renewalId(certPem)
  if (id === '') return null
  const response = await client.get(`${renewalInfo.replace(/\/$/, '')}/${id}`)
  const body = response.status === 200 ? jsonObject(response.body) : null
  if (body === null) throw problemOf(response, 'asking when to renew', client.options.now())
  const window = isObject(body['suggestedWindow']) ? body['suggestedWindow'] : {}
  const start = Date.parse(String(window['start']))
  const end = Date.parse(String(window['end']))
  if (!(start < end)) throw new AcmeError('asking when to renew: the window is none')
  const wait = retryAfterMs(response.headers, client.options.now()) ?? ASK_DEFAULT_MS
  return {
    start,
    end,
    explanationUrl: String(body['explanationURL'] ?? '').slice(0, 500),
    askAgainMs: Math.min(ASK_MAX_MS, Math.max(ASK_MIN_MS, wait)),
  }
}
