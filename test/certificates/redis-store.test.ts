// Certificates in Redis: the promises of every store, and several gateways with one account.

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { CertificateManager } from '../../certificates/manager/manager.ts'
import { RedisStore } from '../../certificates/storage/redis.ts'
import { RedisClient } from '../../certificates/storage/redis-client.ts'
import type { CertificatePlan } from '../../config/protocol-plans.ts'
import { staticSchema } from '../../config/static.ts'
import { eventually } from '../support/wait.ts'
import { ChallengeAnswers } from './challenge-answers.ts'
import { type Pebble, hasPebble, startPebble, withoutPebble } from './pebble.ts'
import { type Redis, hasRedis, startRedis, withoutRedis } from './redis.ts'
import { storeSuite } from './store-suite.ts'

describe.skipIf(!hasRedis)(`The Redis store (skipped when ${withoutRedis})`, () => {
  let redis: Redis
  beforeAll(async () => {
    redis = await startRedis('--requirepass', 'secret')
  })
  afterAll(() => redis?.stop())

  const open = () =>
    new RedisStore(`redis://127.0.0.1:${redis.port}/2?prefix=test`, {
      SLUICE_REDIS_PASSWORD: 'secret',
    })
  storeSuite(open)

  test('A gateway whose lock has ended can not overwrite what its successor wrote', async () => {
    const [one, two] = [open(), open()]
    const late = (await one.acquire('fenced'))!
    const address = {
      host: '127.0.0.1',
      port: redis.port,
      tls: false,
      username: '',
      password: 'secret',
      database: 2,
    }
    const client = new RedisClient(address)
    await client.command('DEL', 'test:acme:{fenced}:lock') // as if its time had ended
    const next = (await two.acquire('fenced'))!
    await two.write(next, () => ({ by: 'two' }))
    await expect(one.write(late, () => ({ by: 'one' }))).rejects.toThrow('the lock was lost')
    await one.release(late)
    expect(await two.renew(next)).toBe(true)
    expect(await one.read('fenced')).toEqual({ by: 'two' })
    await Promise.all([one.close(), two.close(), client.close()])
  })

  test('A lock ends by itself', async () => {
    const store = open()
    const client = new RedisClient({
      host: '127.0.0.1',
      port: redis.port,
      tls: false,
      username: '',
      password: 'secret',
      database: 2,
    })
    await store.acquire('ends')
    const left = await client.command('PTTL', 'test:acme:{ends}:lock')
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThanOrEqual(60_000)
    await Promise.all([store.close(), client.close()])
  })

  test('A value of megabytes comes whole, and the connection is opened anew after it broke', async () => {
    const store = open()
    const lease = (await store.acquire('long'))!
    const text = 'x'.repeat(3_000_000)
    await store.write(lease, () => ({ text }))
    expect((await store.read('long'))['text']).toHaveLength(text.length)
    await store.close()
    expect((await store.read('long'))['text']).toHaveLength(text.length)
    await store.close()
  })

  test('A wrong password and a Redis that is away are errors without the password', async () => {
    const wrong = new RedisStore(`redis://:guess@127.0.0.1:${redis.port}`, {})
    const fault = await wrong.read('x').catch(String)
    expect(fault).toMatch(/WRONGPASS|invalid/)
    expect(fault).not.toContain('guess')
    const gone = new RedisStore('redis://127.0.0.1:1', {})
    await expect(gone.read('x')).rejects.toThrow('127.0.0.1:1: connect ECONNREFUSED')
  })
})

const hasAll = hasRedis && hasPebble
describe.skipIf(!hasAll)(
  `Several gateways (skipped when ${withoutRedis}, or ${withoutPebble})`,
  () => {
    let redis: Redis
    let pebble: Pebble
    const answers = new ChallengeAnswers()

    beforeAll(async () => {
      ;[redis, pebble] = await Promise.all([startRedis(), startPebble()])
      await answers.listen(pebble.httpPort, pebble.tlsPort)
    })
    afterAll(() => {
      answers.close()
      redis?.stop()
      pebble?.stop()
    })

    // The authority reaches the second gateway only; the first one orders.
    test('An order of one is proven by another, and both have the certificate', async () => {
      const log: string[] = []
      const [one, two] = await Promise.all([
        gateway(async () => {}, log),
        gateway(answers.publish, log),
      ])
      const wishes = [{ resolver: 'le', names: ['shared.example.org'], by: 'shop@file' }]
      one.manager.want(wishes, [])
      await eventually(`a certificate\n${log.join('\n')}`, () => one.plans().length === 1, 20_000)
      expect(answers.seen).toBeGreaterThan(0)
      two.manager.want(wishes, [])
      await eventually('the same', () => two.plans()[0]?.id === one.plans()[0]!.id)
      expect(log.filter((line) => line.includes('ordering'))).toHaveLength(1)
    })

    async function gateway(publish: ChallengeAnswers['publish'], log: string[]) {
      let plans: readonly CertificatePlan[] = []
      const say = (message: string) => void log.push(message)
      const acme = {
        caServer: pebble.directoryUrl,
        caCertificates: [pebble.caPem],
        storage: `redis://127.0.0.1:${redis.port}`,
        keyType: 'EC256',
        httpChallenge: {},
      }
      const manager = new CertificateManager({
        resolvers: staticSchema.parse({ certificatesResolvers: { le: { acme } } })
          .certificatesResolvers,
        environment: {},
        log: { debug: say, info: say, warn: say, error: say },
        onCertificates: (now) => void (plans = now),
        publishChallenges: publish,
      })
      onTestFinished(() => manager.close())
      await manager.start()
      return { manager, plans: () => plans }
    }
  },
)
