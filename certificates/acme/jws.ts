// certificates/acme/jws.ts: the signatures that ACME wants on everything (RFC 8555 6.2, 7.3.4), made by jose.
//
// jose is loaded with this file, and this file only when some resolver needs it. Hot: no.

import { Buffer } from 'node:buffer'
import { type KeyObject, createPublicKey } from 'node:crypto'
import { FlattenedSign, type JWK, calculateJwkThumbprint, exportJWK } from 'jose'

export interface Signer {
  readonly key: KeyObject // private
  readonly algorithm: string
  readonly jwk: JWK // the public half
  readonly thumbprint: string
}

export async function signerOf(key: KeyObject): Promise<Signer> {
  const jwk = await exportJWK(createPublicKey(key))
  return { key, algorithm: algorithmOf(key), jwk, thumbprint: await calculateJwkThumbprint(jwk) }
}

function algorithmOf(key: KeyObject): string {
  if (key.asymmetricKeyType !== 'ec') return 'RS256'
  return key.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? 'ES384' : 'ES256'
}

export interface Envelope {
  readonly url: string
  readonly nonce: string
  readonly accountUrl: string // '' before there is one: then the key itself is sent
  readonly payload: unknown // null for POST-as-GET
}

export async function signEnvelope(signer: Signer, envelope: Envelope): Promise<string> {
  const { url, nonce, accountUrl, payload } = envelope
  const who = accountUrl === '' ? { jwk: signer.jwk } : { kid: accountUrl }
  const text = payload === null ? '' : JSON.stringify(payload)
  const jws = await new FlattenedSign(Buffer.from(text))
    .setProtectedHeader({ alg: signer.algorithm, nonce, url, ...who })
    .sign(signer.key)
  return JSON.stringify(jws)
}

export interface ExternalAccount {
  readonly kid: string
  readonly hmacEncoded: string // base64url; secret
}

// Ties the account to one that the operator has with the authority.
export function bindExternalAccount(
  signer: Signer,
  external: ExternalAccount,
  url: string,
): Promise<unknown> {
  return new FlattenedSign(Buffer.from(JSON.stringify(signer.jwk)))
    .setProtectedHeader({ alg: 'HS256', kid: external.kid, url })
    .sign(Buffer.from(external.hmacEncoded, 'base64url'))
}
