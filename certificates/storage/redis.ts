// certificates/storage/redis.ts: accounts and certificates in Redis or Valkey, so that several gateways use one
// account and order each certificate once. Hot: no.
//
//   storage: redis://user:password@host:6379/0?prefix=sluice      (rediss:// for TLS)
//
//   <prefix>:acme:{<resolver>}:block       what acme.json would have for the resolver
//   <prefix>:acme:{<resolver>}:lock        the token of who may write; ends by itself
//   <prefix>:acme:{<resolver>}:challenges  answers that every gateway must give
//
// Redis itself compares the token within each change (a script is atomic), so a gateway that slept through the end of
// its lock can't overwrite what its successor wrote. Braces keep the keys of a resolver on one node of a cluster.

import { randomUUID } from 'node:crypto'
import type { ChallengePlan } from '../../config/protocol-plans.ts'
import { parseDocument } from './acme-json.ts'
import { type Block, type CertificateStore, LEASE_MS, type Lease, StoreError } from './contract.ts'
import type { SharedChallenges } from './contract.ts'
import type { Variables } from '../dns-providers/environment.ts'
import { type RedisAddress, RedisClient } from './redis-client.ts'

const OWNED = "redis.call('get',KEYS[1])==ARGV[1]"
const RENEW = `if ${OWNED} then return redis.call('pexpire',KEYS[1],ARGV[2]) else return 0 end`
const WRITE = `if ${OWNED} then redis.call('set',KEYS[2],ARGV[2]) return 1 else return 0 end`
const RELEASE = `if ${OWNED} then return redis.call('del',KEYS[1]) else return 0 end`

const CHALLENGES_MS = 15 * 60_000 // of a gateway that died in the middle

export class RedisStore implements CertificateStore {
  readonly name: string
  readonly isShared = true
  readonly challenges: SharedChallenges
  private readonly client: RedisClient
  private readonly prefix: string
  private writing: Promise<void> = Promise.resolve()

  constructor(place: string, variables: Variables) {
    const { address, prefix } = parsePlace(place, variables)
    this.client = new RedisClient(address)
    this.prefix = prefix
    this.name = `Redis at ${address.host}:${address.port}`
    this.challenges = {
      put: (resolver, plans) => this.putChallenges(resolver, plans),
      take: (resolver, names) => this.takeChallenges(resolver, names),
      list: (resolver) => this.listChallenges(resolver),
    }
  }

  private key(resolver: string, what: string): string {
    return `${this.prefix}:acme:{${resolver}}:${what}`
  }

  async read(resolver: string): Promise<Block> {
    const text = await this.client.command('GET', this.key(resolver, 'block'))
    return typeof text === 'string' ? parseDocument(text, this.name) : {}
  }

  async acquire(resolver: string): Promise<Lease | null> {
    const token = randomUUID()
    const words = [this.key(resolver, 'lock'), token, 'NX', 'PX', String(LEASE_MS)]
    return (await this.client.command('SET', ...words)) === 'OK' ? { resolver, token } : null
  }

  async renew({ resolver, token }: Lease): Promise<boolean> {
    const key = this.key(resolver, 'lock')
    return (await this.client.command('EVAL', RENEW, '1', key, token, String(LEASE_MS))) === 1
  }

  write(lease: Lease, change: (block: Block) => Block): Promise<void> {
    const next = this.writing.then(() => this.writeNow(lease, change))
    this.writing = next.catch(() => {})
    return next
  }

  private async writeNow(lease: Lease, change: (block: Block) => Block): Promise<void> {
    const { resolver, token } = lease
    const text = JSON.stringify(change(await this.read(resolver)))
    const keys = [this.key(resolver, 'lock'), this.key(resolver, 'block')]
    const done = await this.client.command('EVAL', WRITE, '2', ...keys, token, text)
    if (done !== 1) throw new StoreError(`${this.name}: the lock was lost`)
  }

  async release({ resolver, token }: Lease): Promise<void> {
    await this.client.command('EVAL', RELEASE, '1', this.key(resolver, 'lock'), token)
  }

  private async putChallenges(resolver: string, plans: readonly ChallengePlan[]): Promise<void> {
    if (plans.length === 0) return
    const key = this.key(resolver, 'challenges')
    const pairs = plans.flatMap((plan) => [plan.name, JSON.stringify(plan)])
    await this.client.command('HSET', key, ...pairs)
    await this.client.command('PEXPIRE', key, String(CHALLENGES_MS))
  }

  private async takeChallenges(resolver: string, names: readonly string[]): Promise<void> {
    if (names.length > 0)
      await this.client.command('HDEL', this.key(resolver, 'challenges'), ...names)
  }

  private async listChallenges(resolver: string): Promise<unknown[]> {
    const values = await this.client.command('HVALS', this.key(resolver, 'challenges'))
    if (!Array.isArray(values)) return []
    return values.map((text) => parseDocument(String(text), `${this.name}: a challenge`))
  }

  close(): Promise<void> {
    return this.client.close()
  }
}

// Name and password may come from variables instead of the URL.
function parsePlace(
  place: string,
  variables: Variables,
): { address: RedisAddress; prefix: string } {
  const url = URL.parse(place)
  if (url === null || url.hostname === '') throw new StoreError('storage: not a URL of Redis')
  const database = url.pathname.replace(/^\//, '') || '0'
  if (!/^\d{1,5}$/.test(database))
    throw new StoreError('storage: the database of Redis is a number')
  const address = {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 6379),
    tls: url.protocol === 'rediss:',
    username: decodeURIComponent(url.username) || (variables['SLUICE_REDIS_USERNAME'] ?? ''),
    password: decodeURIComponent(url.password) || (variables['SLUICE_REDIS_PASSWORD'] ?? ''),
    database: Number(database),
  }
  return { address, prefix: url.searchParams.get('prefix') ?? 'sluice' }
}
