// Limits that are counted in Redis: by one server, a cluster, behind sentinels, with TLS and passwords; and a Redis that is
// away, slow, full, or holds something else.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { StoreAsk, StoreDecision, StorePlan } from '../../../core/rate/store.ts'
import { RedisLimitStore } from '../../../workers/store/limit-store.ts'
import {
  type RedisServer,
  hasRedis,
  hasSentinel,
  startCluster,
  startRedis,
  startSentinels,
  storePlanOf,
  withoutRedis,
  withoutSentinel,
} from '../../support/redis.ts'
import { freePorts } from '../../support/gateway.ts'
import { eventually } from '../../support/wait.ts'

let scope = 0
// `burst` at once, then `average` per hour: time plays no part in a test.
function bucket(burst: number, over: Partial<StoreAsk> = {}): StoreAsk {
  const parameters = [String(1 / 3_600_000_000), String(burst), '3600', '0']
  const prefix = `rate:test${scope++}@file:`
  return { script: 'bucket', prefix, parameters, maxDelayMs: 0, lease: 1, leaseMs: 100, ...over }
}

const quota = (limit: number, periodMs: number): StoreAsk => ({
  ...bucket(1),
  script: 'quota',
  parameters: [String(limit), String(periodMs)],
})

interface Opened {
  readonly store: RedisLimitStore
  readonly log: string[]
}

function open(plan: StorePlan): Opened {
  const log: string[] = []
  const store = new RedisLimitStore(plan, (message) => void log.push(message))
  onTestFinished(() => store.close())
  return { store, log }
}

function ask({ store }: Opened, question: StoreAsk, source: string): Promise<StoreDecision> {
  return new Promise((resolve) => {
    const decision = store.take(question, source, { onDecision: resolve })
    if (decision !== null) resolve(decision)
  })
}

async function passed(opened: Opened, question: StoreAsk, source: string, times: number) {
  const all = await Promise.all(Array.from({ length: times }, () => ask(opened, question, source)))
  expect(all.filter((decision) => decision.failed)).toEqual([])
  return all.filter((decision) => decision.waitMs <= question.maxDelayMs).length
}

async function untilAnswers(opened: Opened): Promise<void> {
  await eventually('the store to answer', async () => !(await ask(opened, bucket(1), 'x')).failed)
}

describe.skipIf(!hasRedis)(`One Redis (skipped when ${withoutRedis})`, () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis({ password: 'pa:ss word' })
  })
  afterAll(() => redis?.stop())
  const plan = () => storePlanOf([redis.port], { password: 'pa:ss word', database: 3 })

  test('gives a burst to all workers together, however many ask at the same time', async () => {
    const workers = [open(plan()), open(plan()), open(plan())]
    const question = bucket(20)
    const counts = await Promise.all(workers.map((one) => passed(one, question, '192.0.2.7', 50)))
    expect(counts.reduce((sum, count) => sum + count)).toBe(20)
    expect(await passed(workers[0]!, question, '192.0.2.8', 5)).toBe(5)
  })

  // As a pipelining client does: its next request is read within the decision on the one before.
  test('answers those who ask again within a decision, while others still wait for permits', async () => {
    const opened = open(plan())
    const question = { ...quota(1000, 3_600_000), lease: 2 }
    await untilAnswers(opened)
    let told = 0
    const take = (thenTake: () => void) => {
      const onDecision = ({ failed }: StoreDecision) => {
        if (!failed) told++
        thenTake()
      }
      expect(opened.store.take(question, 'a', { onDecision })).toBe(null)
    }
    // One question for all ten: it asks for two permits, and eight wait on when the first two ask again. What was known has
    // nothing to say then and is forgotten, so those two begin anew beside the eight.
    for (let i = 0; i < 10; i++) take(() => told <= 2 && take(() => undefined))
    await eventually('twelve answers', () => told === 12)
  })

  test('keeps what Traefik keeps: tokens and the time of the last change, in microseconds', async () => {
    const opened = open(plan())
    const question = bucket(10)
    expect(await passed(opened, question, 'a', 3)).toBe(3)
    const key = `${question.prefix}a`
    const [tokens, last] = await fields(redis, 3, key)
    expect(Number(tokens)).toBeCloseTo(7, 3)
    expect(Math.abs(Number(last) / 1000 - Date.now())).toBeLessThan(60_000)
  })

  test('lets a request wait that the limit allows to wait', async () => {
    const opened = open(plan())
    const parameters = [String(10 / 1_000_000), '1', '3600', '50000'] // 10 per second, 50 ms
    const question = bucket(1, { parameters, maxDelayMs: 100 })
    expect((await ask(opened, question, 'a')).waitMs).toBe(0)
    await eventually('half an interval to pass', async () => {
      const decision = await ask(opened, question, 'a')
      return decision.waitMs > 0 && decision.waitMs <= 50
    })
  })

  test('counts a sliding quota, and says when the next request fits', async () => {
    const opened = open(plan())
    const question = quota(4, 3_600_000)
    expect(await passed(opened, question, 'a', 9)).toBe(4)
    const { waitMs, remaining } = await ask(opened, question, 'a')
    expect(remaining).toBe(0)
    expect(waitMs).toBeGreaterThan(0)
    expect(waitMs).toBeLessThan(2 * 3_600_000)
  })

  test('a lease takes permits in one question, and no more than there are', async () => {
    const [one, two] = [open(plan()), open(plan())]
    const question = bucket(100, { lease: 20, leaseMs: 60_000 })
    const before = await calls(redis)
    const counts = await Promise.all([
      passed(one, question, 'a', 200),
      passed(two, question, 'a', 200),
    ])
    expect(counts[0]! + counts[1]!).toBe(100)
    expect((await calls(redis)) - before).toBeLessThan(40)
  })

  test.each([1, 20])(
    'a source that is refused asks once a second until a request can pass, with a lease of %d',
    async (lease) => {
      const opened = open(plan())
      const question = bucket(1, { lease, leaseMs: 60_000 })
      for (const first of [1, 0]) expect(await passed(opened, question, 'a', 1)).toBe(first)
      const from = performance.now()
      const before = await calls(redis)
      let asked = 0
      await eventually('it to be asked twice', async () => {
        expect(await passed(opened, question, 'a', 1000)).toBe(0)
        asked = (await calls(redis)) - before
        return asked >= 2
      })
      expect(asked).toBeLessThanOrEqual(1 + (performance.now() - from) / 1000)
    },
  )

  test.each([1, 20])(
    'a source that is refused passes soon when its key is deleted, with a lease of %d',
    async (lease) => {
      const opened = open(plan())
      const question = { ...quota(2, 720 * 3_600_000), lease, leaseMs: 60_000 }
      expect(await passed(opened, question, 'a', 3)).toBe(2)
      expect((await ask(opened, question, 'a')).waitMs).toBeGreaterThan(3_600_000)
      await redisIn(redis, 3, ['DEL', `${question.prefix}a`])
      await eventually('one to pass', async () => (await passed(opened, question, 'a', 1)) === 1)
      expect(await passed(opened, question, 'a', 2)).toBe(1)
    },
  )

  test('a source that is refused passes at once when its limit is raised, and Redis has counted on', async () => {
    const opened = open(plan())
    const question = quota(2, 720 * 3_600_000)
    expect(await passed(opened, question, 'a', 3)).toBe(2)
    const raised = { ...question, parameters: ['5', question.parameters[1]!] }
    expect(await passed(opened, raised, 'a', 9)).toBe(3)
    expect(await passed(opened, question, 'a', 1)).toBe(0)
  })

  test('a key that holds something else fails, and breaks nothing', async () => {
    const opened = open(plan())
    const question = bucket(5)
    await redisIn(redis, 3, ['SET', `${question.prefix}a`, 'text'])
    expect((await ask(opened, question, 'a')).failed).toBe(true)
    expect((await ask(opened, question, 'b')).failed).toBe(false)
    expect(opened.log.join()).toContain('WRONGTYPE')
  })

  test('a wrong password fails at once and appears nowhere', async () => {
    const opened = open({ ...plan(), password: 'guess-me' })
    expect((await ask(opened, bucket(1), 'a')).failed).toBe(true)
    expect((await ask(opened, bucket(1), 'a')).failed).toBe(true)
    expect(opened.log.join()).toMatch(/WRONGPASS|invalid username/)
    expect(opened.log.join()).not.toContain('guess-me')
  })
})

async function redisIn(redis: RedisServer, db: number, words: string[]) {
  const script = `redis.call('SELECT', ARGV[1]) return redis.call(unpack(ARGV, 2))`
  return redis.command('EVAL', script, '0', String(db), ...words)
}

async function fields(redis: RedisServer, db: number, key: string) {
  return (await redisIn(redis, db, ['HMGET', key, 'tokens', 'last'])) as string[]
}

async function calls(redis: RedisServer): Promise<number> {
  const text = String(await redis.command('INFO', 'commandstats'))
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(text)?.[1] ?? 0)
}

describe.skipIf(!hasRedis)(`A Redis in trouble (skipped when ${withoutRedis})`, () => {
  test('that is not there costs nothing but the first question, and is found when it comes', async () => {
    const [port = 0] = await freePorts(1)
    const opened = open(storePlanOf([port]))
    expect((await ask(opened, bucket(1), 'a')).failed).toBe(true)
    const before = performance.now()
    for (let i = 0; i < 1000; i++) expect((await ask(opened, bucket(1), 'a')).failed).toBe(true)
    expect((performance.now() - before) / 1000).toBeLessThan(5) // ms per request
    expect(opened.log.join()).toContain('ECONNREFUSED')
    const redis = await startRedis({ port })
    onTestFinished(() => redis.stop())
    await untilAnswers(opened)
  })

  test('that dies and comes back is asked again', async () => {
    const redis = await startRedis()
    const opened = open(storePlanOf([redis.port]))
    await untilAnswers(opened)
    await redis.stop()
    await eventually('failures', async () => (await ask(opened, bucket(1), 'x')).failed)
    const before = performance.now()
    for (let i = 0; i < 500; i++) expect((await ask(opened, bucket(1), 'a')).failed).toBe(true)
    expect((performance.now() - before) / 500).toBeLessThan(5)
    const again = await startRedis({ port: redis.port })
    onTestFinished(() => again.stop())
    await untilAnswers(opened)
    expect(opened.log.at(-1)).toContain('answers again')
  })

  test('that hangs holds the first questions for its timeout, and no later ones', async () => {
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    const opened = open(storePlanOf([redis.port], { timeoutMs: 300 }))
    await untilAnswers(opened)
    redis.child.kill('SIGSTOP')
    const held = await Promise.all([1, 2, 3].map((i) => ask(opened, bucket(1), `s${i}`)))
    expect(held.every((decision) => decision.failed)).toBe(true)
    const before = performance.now()
    for (let i = 0; i < 500; i++) expect((await ask(opened, bucket(1), 'a')).failed).toBe(true)
    expect((performance.now() - before) / 500).toBeLessThan(5)
    redis.child.kill('SIGCONT')
    await untilAnswers(opened)
  })

  test('that pauses its clients is as one that hangs', async () => {
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    const opened = open(storePlanOf([redis.port], { timeoutMs: 200 }))
    await untilAnswers(opened)
    await redis.command('CLIENT', 'PAUSE', '4000') // much longer than the 200 ms, however late they are over
    expect((await ask(opened, bucket(1), 'a')).failed).toBe(true)
    await untilAnswers(opened)
  })

  test('that is full refuses to count, and says so', async () => {
    const redis = await startRedis({
      more: ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'],
    })
    onTestFinished(() => redis.stop())
    const opened = open(storePlanOf([redis.port]))
    expect((await ask(opened, bucket(1), 'a')).failed).toBe(true)
    expect(opened.log.join()).toContain('OOM')
    await redis.command('CONFIG', 'SET', 'maxmemory', '0')
    await untilAnswers(opened)
  })
})

describe.skipIf(!hasRedis)(`Redis with TLS (skipped when ${withoutRedis})`, () => {
  let folder = ''
  let redis: RedisServer
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'sluice-redis-tls-'))
    const words =
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=redis ' +
      '-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem'
    execFileSync('openssl', words.split(' '), { cwd: folder, stdio: 'pipe' })
    const [cert, key] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')]
    redis = await startRedis({ tls: { ca: cert, cert, key } })
  })
  afterAll(async () => {
    await redis?.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  const tls = (caPem: string, insecureSkipVerify = false) => ({
    tls: { caPem, certPem: '', keyPem: '', insecureSkipVerify },
  })

  test('is trusted by its authority, and by nobody else', async () => {
    const ca = readFileSync(path.join(folder, 'cert.pem'), 'utf8')
    expect(await passed(open(storePlanOf([redis.port], tls(ca))), bucket(2), 'a', 5)).toBe(2)
    expect(await passed(open(storePlanOf([redis.port], tls('', true))), bucket(2), 'a', 5)).toBe(2)
    const stranger = open(storePlanOf([redis.port], tls('')))
    expect((await ask(stranger, bucket(1), 'a')).failed).toBe(true)
    expect(stranger.log.join()).toMatch(/self-signed|certificate/)
  })
})

describe.skipIf(!hasRedis)(`A cluster of three (skipped when ${withoutRedis})`, () => {
  test('counts each source at its node, and goes on without the one that dies', async () => {
    const cluster = await startCluster()
    onTestFinished(() => cluster.stop())
    const ports = cluster.servers.map(({ port }) => port)
    const [one, two] = [ports, ports.slice(0, 1)].map((some) =>
      open(storePlanOf(some, { kind: 'cluster' })),
    )
    const question = bucket(5)
    for (const source of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const counts = await Promise.all([
        passed(one!, question, source, 4),
        passed(two!, question, source, 4),
      ])
      expect(counts[0]! + counts[1]!).toBe(5)
    }
    const keys = await Promise.all(cluster.servers.map((server) => server.command('DBSIZE')))
    expect(keys.filter((count) => Number(count) > 0).length).toBeGreaterThan(1)
    await cluster.servers[2]!.stop()
    const after = bucket(1)
    await eventually(
      'sources of the other nodes to be counted, and those of the dead one to fail',
      async () => {
        const sources = Array.from({ length: 30 }, (_, i) => ask(one!, after, `late ${i}`))
        const failed = (await Promise.all(sources)).filter((decision) => decision.failed).length
        return failed > 0 && failed < 30
      },
    )
  })
})

describe.skipIf(!hasSentinel)(`Sentinels (skipped when ${withoutSentinel})`, () => {
  test('lead to the master, and to the next one when it dies', { timeout: 60_000 }, async () => {
    const group = await startSentinels('secret')
    onTestFinished(() => group.stop())
    const plan = storePlanOf(group.sentinelPorts, {
      kind: 'sentinel',
      masterSet: 'shop',
      password: 'secret',
    })
    const opened = open(plan)
    await untilAnswers(opened)
    expect(await passed(opened, bucket(5), 'a', 9)).toBe(5)
    await group.master.stop()
    await eventually(
      'the replica to count',
      async () => {
        const decision = await ask(opened, bucket(1), 'x')
        if (decision.failed) return false
        return /role:master/.test(String(await group.replica.command('INFO', 'replication')))
      },
      40_000,
    )
    expect(await passed(opened, bucket(5), 'b', 9)).toBe(5)
  })
})
