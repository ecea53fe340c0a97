// certificates/storage/acme-json.ts: Traefik's acme.json, read and written so that Traefik and Sluice can take over
// each other's. Hot: no.
//
//   { "<resolver>": { "Account": { "Email", "Registration": { "body", "uri" }, "PrivateKey": base64 DER, "KeyType" },
//                     "Certificates": [ { "domain": { "main", "sans" }, "certificate": base64 PEM, "key", "Store" } ] } }
//
// Go reads keys whatever their case, and files of older versions differ in it; so do we.

import { Buffer } from 'node:buffer'
import { isObject } from '../http.ts'
import { type Block, StoreError } from './contract.ts'

export interface StoredAccount {
  readonly email: string
  readonly url: string // '' when it was never registered
  readonly registration: Readonly<Record<string, unknown>> // the authority's own words
  readonly keyDer: Buffer // secret
  readonly keyType: string
}

export interface StoredCertificate {
  readonly names: readonly string[] // the main one first
  readonly certPem: string
  readonly keyPem: string // secret
}

// A whole file, or nothing.
export function parseDocument(text: string, where: string): Readonly<Record<string, unknown>> {
  if (text.trim() === '') return {} // as made by touch, the way Traefik's manual tells
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new StoreError(`${where} is not JSON`) // the parser's own message quotes the text: keys
  }
  if (!isObject(value)) throw new StoreError(`${where} is not an object`)
  return value
}

export function blockIn(document: Readonly<Record<string, unknown>>, resolver: string): Block {
  const block = document[resolver]
  return isObject(block) ? block : {}
}

export function accountIn(block: Block): StoredAccount | null {
  const account = field(block, 'Account')
  if (!isObject(account)) return null
  const keyDer = Buffer.from(textIn(account, 'PrivateKey'), 'base64')
  if (keyDer.length === 0) return null
  const registration = field(account, 'Registration')
  const body = isObject(registration) ? field(registration, 'body') : {}
  return {
    email: textIn(account, 'Email'),
    url: isObject(registration) ? textIn(registration, 'uri') : '',
    registration: isObject(body) ? body : {},
    keyDer,
    keyType: textIn(account, 'KeyType'),
  }
}

export function certificatesIn(block: Block): StoredCertificate[] {
  const list = field(block, 'Certificates')
  if (!Array.isArray(list)) return []
  return list.filter(isObject).map((entry) => ({
    names: namesIn(entry),
    certPem: Buffer.from(textIn(entry, 'certificate'), 'base64').toString('latin1'),
    keyPem: Buffer.from(textIn(entry, 'key'), 'base64').toString('latin1'),
  }))
}

export function withAccount(block: Block, account: StoredAccount): Block {
  const before = field(block, 'Account')
  const next = {
    ...(isObject(before) ? before : {}),
    Email: account.email,
    Registration: { body: account.registration, uri: account.url },
    PrivateKey: account.keyDer.toString('base64'),
    KeyType: account.keyType,
  }
  return {
    ...without(block, 'Account'),
    Account: next,
    Certificates: field(block, 'Certificates') ?? null,
  }
}

// In the place of the one with the same names.
export function withCertificate(block: Block, certificate: StoredCertificate): Block {
  const list = field(block, 'Certificates')
  const before = Array.isArray(list) ? list.filter(isObject) : []
  const [main = '', ...sans] = certificate.names
  const entry = {
    domain: { main, ...(sans.length > 0 && { sans }) },
    certificate: Buffer.from(certificate.certPem).toString('base64'),
    key: Buffer.from(certificate.keyPem).toString('base64'),
    Store: 'default',
  }
  const at = before.findIndex((one) => isSameSet(namesIn(one), certificate.names))
  const next = at < 0 ? [...before, entry] : before.with(at, mergeEntry(before[at]!, entry))
  return { ...without(block, 'Certificates'), Certificates: next }
}

// What the entry says beyond our words stays.
function mergeEntry(
  before: Readonly<Record<string, unknown>>,
  entry: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const own = new Set(Object.keys(entry).map((key) => key.toLowerCase()))
  const rest = Object.entries(before).filter(([key]) => !own.has(key.toLowerCase()))
  return { ...entry, ...Object.fromEntries(rest) }
}

export function isSameSet(one: readonly string[], other: readonly string[]): boolean {
  const names = new Set(one)
  return names.size === new Set(other).size && other.every((name) => names.has(name))
}

function namesIn(entry: Readonly<Record<string, unknown>>): string[] {
  const domain = field(entry, 'domain')
  if (!isObject(domain)) return []
  const sans = field(domain, 'sans')
  const rest = Array.isArray(sans) ? sans.filter((one) => typeof one === 'string') : []
  return [textIn(domain, 'main'), ...rest].filter((name) => name !== '')
}

function without(block: Block, name: string): Record<string, unknown> {
  const rest = Object.entries(block).filter(([key]) => key.toLowerCase() !== name.toLowerCase())
  return Object.fromEntries(rest)
}

function field(object: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(object, name)) return object[name]
  const key = Object.keys(object).find((one) => one.toLowerCase() === name.toLowerCase())
  return key === undefined ? undefined : object[key]
}

function textIn(object: Readonly<Record<string, unknown>>, name: string): string {
  const value = field(object, name)
  return typeof value === 'string' ? value : ''
}
