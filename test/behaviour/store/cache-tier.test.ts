// The second tier of a cache with a cluster, behind sentinels and with TLS, and with a Redis that is full, slow, or busy.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { CacheEntry } from '../../../core/cache/entry.ts'
import { storeHead } from '../../../core/cache/stored-head.ts'
import type { Exchange } from '../../../core/exchange.ts'
import { requestOf } from '../../../core/middleware/exchange.fixture.ts'
import type { StorePlan } from '../../../core/rate/store.ts'
import type { TimedPurge } from '../../../workers/cache/purge-log.ts'
import { RedisTier, type TieredStore } from '../../../workers/cache/redis-tier.ts'
import {
  hasRedis,
  hasSentinel,
  startCluster,
  startRedis,
  startSentinels,
  storePlanOf,
  withoutRedis,
  withoutSentinel,
} from '../../support/redis.ts'
import { eventually } from '../../support/wait.ts'

const MEGABYTE = 1_048_576

const wish = { store: '', url: '', tag: '', prefix: '', all: false }

// What a store and its worker are to a tier. One clock for all: that of the test.
class Peer implements TieredStore {
  readonly entries = new Map<string, CacheEntry>()
  readonly purges: TimedPurge[] = []
  readonly counts = new Map<string, number>()
  readonly log: string[] = []
  answers = false
  readonly tier: RedisTier
  private readonly waiting = new Map<Exchange, () => void>()

  constructor(plan: StorePlan) {
    const tier = { store: plan, entryBytesMax: MEGABYTE }
    const policy = { maxTtlMs: 1_000_000, storesCookies: false }
    const worker = {
      preciseNow: () => performance.now(),
      exactNow: () => performance.now(),
      date: () => '',
      warn: (message: string) => void this.log.push(message),
      wake: (exchange: Exchange) => this.waiting.get(exchange)!(),
      counter: (family: string, labels: Readonly<Record<string, string>>) => ({
        add: (amount: number) => this.count(family, labels, amount),
      }),
      reaches: (_name: string, answers: boolean) => {
        this.answers = answers
      },
    }
    this.tier = new RedisTier('cache@file', tier, policy, worker, this)
    onTestFinished(() => this.tier.close())
  }

  private count(family: string, labels: Readonly<Record<string, string>>, amount: number): void {
    const name = `${family.split('_')[3]} ${labels['outcome'] ?? labels['direction']}`
    this.counts.set(name, (this.counts.get(name) ?? 0) + amount)
  }

  counted(name: string): number {
    return this.counts.get(name) ?? 0
  }

  found(_base: string, entry: CacheEntry): void {
    this.entries.set(entry.key, entry)
  }

  marked(): void {}

  isPurged(): boolean {
    return false
  }

  purgeFar(purges: readonly TimedPurge[]): void {
    this.purges.push(...purges)
  }

  ready(): Promise<void> {
    return eventually('Redis to answer', () => this.answers)
  }

  async write(entry: CacheEntry): Promise<void> {
    const before = this.counted('writes stored')
    this.tier.write(entry.key, entry)
    await eventually('it to be written', () => this.counted('writes stored') > before)
  }

  // null: the tier was not asked.
  async ask(base: string): Promise<CacheEntry | null | undefined> {
    const exchange = requestOf('GET / HTTP/1.1')
    this.entries.delete(base)
    const woken = new Promise<void>((resolve) => void this.waiting.set(exchange, resolve))
    if (!this.tier.ask(base, base, exchange)) return null
    await woken
    return this.entries.get(base)
  }
}

function entryOf(name: string, size = 100): CacheEntry {
  const url = `http://a/${name}`
  const body = new Uint8Array(size).fill(7)
  const now = performance.now()
  return {
    key: `router\n${url}`,
    url,
    vary: [],
    status: 200,
    reason: '',
    head: storeHead(200, '', [['X-A', 'b']], size, ''),
    body,
    askedAt: now,
    bornAt: now,
    freshUntil: now + 600_000,
    refreshUntil: now + 600_000,
    errorUntil: now + 600_000,
    flags: 0,
    etag: '',
    lastModified: '',
    tags: [],
  }
}

async function shares(one: Peer, two: Peer): Promise<void> {
  await Promise.all([one.ready(), two.ready()])
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
    const entry = entryOf(name, name === 'a' ? MEGABYTE : 100)
    await one.write(entry)
    const found = await two.ask(entry.key)
    expect(found!.body.length).toBe(entry.body.length)
    expect(Math.abs(found!.bornAt - entry.bornAt)).toBeLessThan(10_000) // of the ten minutes that it is fresh
    expect(found!.bornAt).toBeLessThanOrEqual(entry.bornAt) // older than it is, and never younger
  }
  expect(await two.ask('router\nhttp://a/none')).toBe(undefined)
  one.tier.tell({ ...wish, tag: 'shoes' }, () => {})
  await eventually('the purge to be known', () =>
    two.purges.some((purge) => purge.wish.tag === 'shoes'),
  )
  one.tier.drop('http://a/b')
  await eventually('it to be gone', async () => (await two.ask('router\nhttp://a/b')) === undefined)
}

describe.skipIf(!hasRedis)(`A cache in Redis (skipped when ${withoutRedis})`, () => {
  test('is shared through a cluster', async () => {
    const cluster = await startCluster()
    onTestFinished(() => cluster.stop())
    const plan = storePlanOf(
      cluster.servers.map(({ port }) => port),
      { kind: 'cluster' },
    )
    await shares(new Peer(plan), new Peer(plan))
    const sizes = await Promise.all(cluster.servers.map((server) => server.command('DBSIZE')))
    expect(sizes.filter((size) => Number(size) > 0).length).toBeGreaterThan(1)
  })

  test.skipIf(!hasSentinel)(
    `is shared behind sentinels (skipped when ${withoutSentinel})`,
    async () => {
      const group = await startSentinels('secret')
      onTestFinished(() => group.stop())
      const plan = storePlanOf(group.sentinelPorts, {
        kind: 'sentinel',
        masterSet: 'shop',
        password: 'secret',
      })
      await shares(new Peer(plan), new Peer(plan))
    },
  )

  test('is shared through TLS', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'sluice-redis-tls-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const words =
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=redis ' +
      '-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem'
    execFileSync('openssl', words.split(' '), { cwd: folder, stdio: 'pipe' })
    const [cert, key] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')]
    const redis = await startRedis({ tls: { ca: cert, cert, key } })
    onTestFinished(() => redis.stop())
    const caPem = readFileSync(cert, 'utf8')
    const tls = { caPem, certPem: '', keyPem: '', insecureSkipVerify: false }
    await shares(
      new Peer(storePlanOf([redis.port], { tls })),
      new Peer(storePlanOf([redis.port], { tls })),
    )
  })

  test('that is full takes nothing, and what is there is read', async () => {
    const redis = await startRedis({ more: ['--maxmemory-policy', 'noeviction'] })
    onTestFinished(() => redis.stop())
    const peer = new Peer(storePlanOf([redis.port]))
    await peer.ready()
    await peer.write(entryOf('before'))
    await redis.command('CONFIG', 'SET', 'maxmemory', '1')
    peer.tier.write('router\nhttp://a/after', entryOf('after'))
    await eventually('an error', () => peer.counted('writes error') === 1)
    expect(await peer.ask('router\nhttp://a/before')).toBeDefined()
    expect(peer.log.join()).toContain('OOM')
  })

  test('has a bound of bytes under way to it, and beyond that nothing is written', async () => {
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    const peer = new Peer(storePlanOf([redis.port]))
    await peer.ready()
    for (let i = 0; i < 20; i++) {
      const entry = entryOf(`large${i}`, MEGABYTE)
      peer.tier.write(entry.key, entry)
    }
    expect(peer.counted('writes busy')).toBeGreaterThanOrEqual(16) // of 4 MiB
    await eventually(
      'the rest',
      () => peer.counted('writes stored') + peer.counted('writes busy') === 20,
    )
    await peer.write(entryOf('small'))
  })

  test('that stands still holds the first request for its timeout, and no later one', async () => {
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    const peer = new Peer(storePlanOf([redis.port], { timeoutMs: 50 }))
    await peer.ready()
    redis.child.kill('SIGSTOP')
    expect(await peer.ask('router\nhttp://a/b')).toBe(undefined)
    expect(peer.counted('requests late')).toBe(1)
    for (let i = 0; i < 100; i++) expect(await peer.ask('router\nhttp://a/b')).toBe(null)
    expect(peer.counted('requests away')).toBe(100)
    redis.child.kill('SIGCONT')
    await peer.ready()
  })
})

test('what speaks something else than Redis is away, and ends nothing', async () => {
  const answers = [
    'HTTP/1.1 400 Bad Request\r\n\r\n',
    '$-7\r\n',
    '*1000000\r\n:1\r\n',
    '\0\0\0',
    ':1\r\n:2\r\n:3\r\n',
  ]
  for (const answer of answers) {
    const server = net.createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', () => socket.write(answer))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const { port } = server.address() as net.AddressInfo
    const peer = new Peer(storePlanOf([port], { timeoutMs: 50 }))
    await eventually('it to be noticed', () => peer.log.length > 0)
    expect(await peer.ask('router\nhttp://a/b')).toBe(null)
    expect([peer.answers, peer.purges]).toEqual([false, []])
  }
})
