// certificates/manager/account.ts: opens the conversation of a resolver with its authority: trust, account, storage
// of the account. Hot: no.

import { readFile } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'
import type { StaticConfig } from '../../config/static.ts'
import { AcmeClient, type AcmeClientOptions } from '../acme/client.ts'
import { accountKeyDer, generateAccountKey, keyOfDer, storedKeyType } from '../acme/keys.ts'
import type { HttpTrust, Transport } from '../http.ts'
import { type StoredAccount, accountIn, withAccount } from '../storage/acme-json.ts'
import type { Block, CertificateStore, Lease } from '../storage/contract.ts'

export type AcmeConfig = NonNullable<StaticConfig['certificatesResolvers'][string]['acme']>

export interface Conversation {
  readonly config: AcmeConfig
  readonly store: CertificateStore
  readonly transport: Transport
  readonly now: () => number
  readonly signal: AbortSignal
}

// With an account: the stored one, or a new one that is stored at once.
export async function openClient(
  about: Conversation,
  lease: Lease,
  block: Block,
  mustRegister: boolean,
): Promise<AcmeClient> {
  const stored = usableAccount(about.config, block)
  if (stored !== null && stored.url !== '' && !mustRegister) return clientWith(about, stored)
  const keyDer = stored?.keyDer ?? accountKeyDer(await generateAccountKey())
  const { email, keyType, eab } = about.config
  const account: StoredAccount = {
    email,
    url: '',
    registration: {},
    keyDer,
    keyType: storedKeyType(keyType),
  }
  const client = await clientWith(about, account)
  const external = eab.kid === '' ? null : eab
  const registration = await client.register(email === '' ? [] : [email], external)
  const registered = { ...account, url: client.accountUrl, registration }
  await about.store.write(lease, (now) => withAccount(now, registered))
  return client
}

// Without an account of its own making; null when there is none.
export async function clientOfBlock(about: Conversation, block: Block): Promise<AcmeClient | null> {
  const stored = usableAccount(about.config, block)
  return stored === null ? null : clientWith(about, stored)
}

// As Traefik: an account of another authority than caServer is of no use.
function usableAccount(config: AcmeConfig, block: Block): StoredAccount | null {
  const account = accountIn(block)
  if (account === null || account.url === '') return account
  const isSame = URL.parse(account.url)?.host === URL.parse(config.caServer)?.host
  return isSame ? account : null
}

async function clientWith(about: Conversation, account: StoredAccount): Promise<AcmeClient> {
  const { config, transport, now, signal } = about
  if (!config.caServer.startsWith('https://')) throw new Error('caServer must be https') // RFC 8555 6.1
  const options: AcmeClientOptions = {
    directoryUrl: config.caServer,
    accountKey: keyOfDer(account.keyDer),
    accountUrl: account.url,
    trust: await trustOf(config),
    timeoutMs: config.clientTimeout,
    headerTimeoutMs: config.clientResponseHeaderTimeout,
    transport,
    now,
    signal,
  }
  return new AcmeClient(options)
}

// Files, or PEM itself. With caSystemCertPool the usual roots are trusted beside them.
async function trustOf(config: AcmeConfig): Promise<HttpTrust> {
  const { caCertificates, caSystemCertPool, caServerName } = config
  if (caCertificates.length === 0) return { ca: null, serverName: caServerName }
  const own = await Promise.all(
    caCertificates.map((one) => (one.includes('-----BEGIN') ? one : readFile(one, 'utf8'))),
  )
  return { ca: caSystemCertPool ? [...rootCertificates, ...own] : own, serverName: caServerName }
}
