// certificates/acme/keys.ts: the kinds of keys that certificates may have, under the names that Traefik gives them.
// Hot: no; RSA keys take seconds, so they are made on the thread pool.

import { Buffer } from 'node:buffer'
import { type KeyObject, createPrivateKey, generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'

const generate = promisify(generateKeyPair)

interface KeyKind {
  readonly stored: string // as acme.json says it
  readonly curve: string // '' for RSA
  readonly bits: number
}

const kinds: Readonly<Record<string, KeyKind>> = {
  EC256: { stored: 'P256', curve: 'P-256', bits: 0 },
  EC384: { stored: 'P384', curve: 'P-384', bits: 0 },
  RSA2048: { stored: '2048', curve: '', bits: 2048 },
  RSA3072: { stored: '3072', curve: '', bits: 3072 },
  RSA4096: { stored: '4096', curve: '', bits: 4096 },
  RSA8192: { stored: '8192', curve: '', bits: 8192 },
}

export const keyTypes = Object.keys(kinds).join(', ')
const ACCOUNT_BITS = 3072 // Traefik reads an account's key as RSA only; 4096 bits take seconds and add nothing here

// As Traefik, which takes RSA4096 for what it does not know; the manager warns.
function kindOf(keyType: string): KeyKind {
  return kinds[isKeyType(keyType) ? keyType.toUpperCase() : 'RSA4096']!
}

export function isKeyType(keyType: string): boolean {
  return Object.hasOwn(kinds, keyType.toUpperCase())
}

export function storedKeyType(keyType: string): string {
  return kindOf(keyType).stored
}

export async function generateKey(keyType: string): Promise<KeyObject> {
  const { curve, bits } = kindOf(keyType)
  if (curve !== '') return (await generate('ec', { namedCurve: curve })).privateKey
  return (await generate('rsa', { modulusLength: bits })).privateKey
}

export async function generateAccountKey(): Promise<KeyObject> {
  return (await generate('rsa', { modulusLength: ACCOUNT_BITS })).privateKey
}

// Traefik's files hold PKCS 1 and SEC 1, each without a label around it.
export function keyOfDer(der: Buffer): KeyObject {
  for (const type of ['pkcs1', 'sec1', 'pkcs8'] as const) {
    try {
      return createPrivateKey({ key: der, format: 'der', type })
    } catch {
      // another kind, then
    }
  }
  throw new Error("the key of the account can't be read")
}

export function accountKeyDer(key: KeyObject): Buffer {
  return key.export({ type: key.asymmetricKeyType === 'ec' ? 'sec1' : 'pkcs1', format: 'der' })
}

export function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}
