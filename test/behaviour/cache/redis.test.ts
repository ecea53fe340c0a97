// httpCache with a second tier in Redis: two gateways, one Redis, one server whose requests are counted.

import http from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { run } from '../../cli/run.ts'
import {
  type Asked,
  type CacheScene,
  ask,
  fresh,
  routesOf,
  startCacheScene,
} from '../../support/cache-scene.ts'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { type RedisServer, hasRedis, startRedis, withoutRedis } from '../../support/redis.ts'
import { eventually } from '../../support/wait.ts'

const PASSWORD = 'not-for-logs'
const writable = { api: { insecure: true, writable: true } }

describe.skipIf(!hasRedis)(`A cache of two gateways (skipped when ${withoutRedis})`, () => {
  let redis: RedisServer
  let scene: CacheScene
  let other: Gateway
  let cache: Keys
  const both = (): Gateway[] => [scene.gateway, other]

  beforeAll(async () => {
    redis = await startRedis({ password: PASSWORD })
    const endpoints = [`127.0.0.1:${redis.port}`]
    cache = {
      cacheStatus: true,
      // Machines that run tests are slow at times: a timeout that none of them reaches but by a Redis that stands still.
      store: { redis: { endpoints, password: PASSWORD, timeout: '2s', entryLimit: '64Ki' } },
    }
    scene = await startCacheScene({ cache, static: writable })
    other = await startGateway({ static: writable, routes: routesOf({ cache }, scene.url) })
    await Promise.all(both().map(answers))
  }, 90_000)

  afterAll(async () => {
    await other?.stop()
    await scene?.stop()
    await redis?.stop()
  })

  async function rowOf(gateway: Gateway): Promise<{ redis: string; entries: number }> {
    return JSON.parse((await gateway.admin('/api/http/cache')).body)[0]
  }

  const answers = (gateway: Gateway): Promise<void> =>
    eventually('Redis to answer', async () => (await rowOf(gateway)).redis === 'answers')

  // By the name that both have: their ports are part of a URL too.
  const askBy = ({ port }: Gateway, path: string, headers = {}, method = 'GET'): Promise<Asked> =>
    ask(port, path, { Host: 'shop.example', ...headers }, method)
  const here = (path: string, headers = {}): Promise<Asked> => askBy(scene.gateway, path, headers)
  const there = (path: string, headers = {}): Promise<Asked> => askBy(other, path, headers)

  async function metric(gateway: Gateway, name: string, ...labels: string[]): Promise<number> {
    return metricSum((await gateway.admin('/metrics')).body, name, ...labels)
  }

  const written = (outcome = 'stored'): Promise<number> =>
    metric(scene.gateway, 'sluice_cache_redis_writes_total', `outcome="${outcome}"`)

  const read = (outcome: string): Promise<number> =>
    metric(other, 'sluice_cache_redis_requests_total', `outcome="${outcome}"`)

  // Asks here, until Redis has it.
  async function fill(path: string, headers = {}): Promise<Asked> {
    const before = await written()
    const answer = await here(path, headers)
    await eventually(`${path} to be written`, async () => (await written()) > before)
    return answer
  }

  const keys = async (): Promise<string[]> => {
    const all = (await redis.command('KEYS', '*')) as string[]
    return all.filter((key) => !key.endsWith(':purges'))
  }

  async function keyOf(path: string): Promise<string> {
    const before = new Set(await keys())
    await fill(path)
    const [key = ''] = (await keys()).filter((name) => !before.has(name))
    expect(key).toMatch(/^cache:cache@file:1:[\w-]{43}$/)
    return key
  }

  function purge(query: string, by = scene.gateway): Promise<{ purged: number; late?: string[] }> {
    return new Promise((resolve, reject) => {
      const options = { port: by.adminPort, host: '127.0.0.1', method: 'DELETE' }
      const request = http.request(
        { ...options, path: `/api/http/cache?${query}`, agent: false },
        (response) => {
          let text = ''
          response.on('data', (bytes) => (text += String(bytes)))
          response.on('end', () => resolve(JSON.parse(text)))
        },
      )
      request.on('error', reject)
      request.end()
    })
  }

  test('one fills it, the other answers from it, and its server is not asked', async () => {
    await fill('/shared')
    const first = await there('/shared')
    expect([first.status, first.body, first.cache]).toEqual([200, '/shared 1', 'HIT'])
    expect(first.headers['cache-status']).toMatch(/^sluice; hit; ttl=\d+; detail=redis$/)
    expect(Number(first.headers['age'])).toBeLessThan(60)
    const second = await there('/shared')
    expect(second.headers['cache-status']).toMatch(/^sluice; hit; ttl=\d+$/)
    expect(scene.count('/shared')).toBe(1)
    expect(await read('hit')).toBe(1)
    expect(
      await metric(other, 'sluice_cache_redis_bytes_total', 'direction="read"'),
    ).toBeGreaterThan(100)
  })

  test('the age goes on, whoever tells it', async () => {
    scene.answer('/aged', (response) =>
      response.writeHead(200, { 'Cache-Control': 'max-age=600', Age: '100' }).end('old'),
    )
    await fill('/aged')
    const answer = await there('/aged')
    expect(answer.cache).toBe('HIT')
    expect(Number(answer.headers['age'])).toBeGreaterThanOrEqual(100)
    expect(Number(answer.headers['age'])).toBeLessThan(200)
  })

  test('it ends when it is stale, and what is stale is asked about', async () => {
    scene.answer('/short', (response, request, count) => {
      const head = { 'Cache-Control': 'max-age=6', ETag: '"a"' }
      if (request.headers['if-none-match'] === '"a"') response.writeHead(304, head).end()
      else response.writeHead(200, head).end(`short ${count}`)
    })
    const key = await keyOf('/short')
    const ttl = Number(await redis.command('PTTL', key))
    expect(ttl).toBeGreaterThan(0)
    expect(ttl).toBeLessThanOrEqual(6000)
    await there('/short')
    await eventually('Redis to forget it', async () => !(await keys()).includes(key))
    const renewed = await there('/short')
    expect([renewed.body, renewed.cache]).toEqual(['short 1', 'HIT'])
    expect(scene.requests.at(-1)!.headers['if-none-match']).toBe('"a"')
  })

  test('what one has renewed the other takes from it', async () => {
    scene.answer('/renewed', (response, _request, count) =>
      response
        .writeHead(200, { 'Cache-Control': count === 1 ? 'max-age=6' : 'max-age=60' })
        .end(`renewed ${count}`),
    )
    const before = await written()
    await fill('/renewed')
    await there('/renewed')
    await eventually('it to be stale', async () => (await here('/renewed')).body === 'renewed 2')
    await eventually('it to be written', async () => (await written()) >= before + 2)
    const count = scene.count('/renewed')
    await eventually(
      'the other to have the new one',
      async () => (await there('/renewed')).body !== 'renewed 1',
    )
    expect(scene.count('/renewed')).toBe(count)
  })

  test('what varies is found by the fields that it varies by', async () => {
    scene.answer('/vary', (response, request) =>
      response
        .writeHead(200, { ...fresh, Vary: 'Accept-Language' })
        .end(String(request.headers['accept-language'])),
    )
    await fill('/vary', { 'Accept-Language': 'de' })
    await fill('/vary', { 'Accept-Language': 'fr' })
    for (const language of ['fr', 'de']) {
      const answer = await there('/vary', { 'Accept-Language': language })
      expect([answer.body, answer.cache]).toEqual([language, 'HIT'])
    }
    expect((await there('/vary', { 'Accept-Language': 'it' })).cache).toBe('MISS')
    expect(scene.count('/vary')).toBe(3)
  })

  test('HEAD, ranges, conditions and only-if-cached are answered from it', async () => {
    scene.answer('/whole', (response) =>
      response.writeHead(200, { ...fresh, ETag: '"w"' }).end('0123'),
    )
    for (const path of ['/whole?1', '/whole?2', '/whole?3', '/whole?4']) await fill(path)
    const head = await askBy(other, '/whole?1', {}, 'HEAD')
    expect([head.cache, head.headers['content-length']]).toEqual(['HIT', '4'])
    expect(await there('/whole?2', { Range: 'bytes=1-2' })).toMatchObject({
      status: 206,
      body: '12',
    })
    expect((await there('/whole?3', { 'If-None-Match': '"w"' })).status).toBe(304)
    const only = { 'Cache-Control': 'only-if-cached' }
    expect((await there('/whole?4', only)).status).toBe(200)
    expect((await there('/whole?5', only)).status).toBe(504)
    expect(scene.count('/whole')).toBe(4)
  })

  test('misses of one gateway for the same are one question and one request', async () => {
    scene.answer('/many', (response) =>
      setTimeout(() => response.writeHead(200, fresh).end('x'), 100),
    )
    const before = await read('miss')
    const all = await Promise.all(Array.from({ length: 20 }, () => there('/many')))
    expect(all.every(({ body }) => body === 'x')).toBe(true)
    expect(scene.count('/many')).toBe(1)
    expect((await read('miss')) - before).toBe(1)
  })

  test('what is private, has a cookie or a name, or is too long, never goes there', async () => {
    const before = await keys()
    scene.answer('/private', (response) =>
      response.writeHead(200, { 'Cache-Control': 'private, max-age=60' }).end(),
    )
    scene.answer('/cookie', (response) =>
      response.writeHead(200, { ...fresh, 'Set-Cookie': 'a=b' }).end(),
    )
    scene.answer('/long', (response) => response.writeHead(200, fresh).end('x'.repeat(100_000)))
    await here('/private')
    await here('/cookie')
    await here('/named', { Authorization: 'Basic Zm9v' })
    await here('/long')
    expect((await here('/long')).cache).toBe('HIT')
    await eventually('the long one to be refused', async () => (await written('too_large')) === 1)
    await fill('/last') // writes are in order
    expect((await keys()).length).toBe(before.length + 1)
  })

  test('what is no entry of ours is a miss', async () => {
    const junk = [
      'x',
      '\0'.repeat(200),
      'SLC\u0001'.repeat(50),
      '{"status":200}',
      'x'.repeat(400_000),
    ]
    for (const [i, text] of junk.entries()) {
      const key = await keyOf(`/garbage${i}`)
      const [field = ''] = (await redis.command('HKEYS', key)) as string[]
      await redis.command('HSET', key, field, text)
      const invalid = await read('invalid')
      const answer = await there(`/garbage${i}`)
      expect([answer.status, answer.body, answer.cache]).toEqual([200, `/garbage${i} 2`, 'MISS'])
      expect(await read('invalid')).toBe(invalid + 1)
    }
    const wrong = await keyOf('/wrong-type')
    await redis.command('DEL', wrong)
    await redis.command('SET', wrong, 'text')
    const errors = await read('error')
    expect((await there('/wrong-type')).cache).toBe('MISS')
    expect(await read('error')).toBe(errors + 1)
    await fill('/after') // and it is asked again at once
    expect((await there('/after')).cache).toBe('HIT')
  })

  test('a purge on one holds in Redis and, a moment later, on the other', async () => {
    scene.answer('/tagged', (response, _request, count) =>
      response.writeHead(200, { ...fresh, 'Cache-Tag': 'shoes' }).end(`tagged ${count}`),
    )
    const paths = ['/by-url', '/by-prefix/a', '/tagged', '/stays']
    for (const path of paths) {
      await fill(path)
      expect((await there(path)).cache).toBe('HIT')
    }
    expect(await purge('tag=shoes')).toEqual({ purged: 1 })
    expect(await purge('prefix=http://shop.example/by-prefix/')).toEqual({ purged: 1 })
    expect(await purge('url=http://shop.example/by-url')).toEqual({ purged: 1 })
    for (const path of paths.slice(0, 3)) {
      expect((await here(path)).body.endsWith(' 1')).toBe(false)
      await eventually(
        `${path} to be gone there`,
        async () => !(await there(path)).body.endsWith(' 1'),
      )
    }
    expect((await there('/stays')).body).toBe('/stays 1')
  })

  test('thousands of purges of others are all heard of, and end nothing else', async () => {
    for (const path of ['/of-many/2999/a', '/of-none']) await fill(path)
    const name = 'cache:cache@file:1:purges'
    for (let i = 0; i < 3000; i++)
      await redis.command('XADD', name, '*', 'w', `phttp://shop.example/of-many/${i}/`)
    await eventually(
      'the last to be heard of',
      async () => !(await here('/of-many/2999/a')).body.endsWith(' 1'),
    )
    expect((await here('/of-none')).cache).toBe('HIT')
    await eventually(
      'the other to hear of it',
      async () => !(await there('/of-many/2999/a')).body.endsWith(' 1'),
    )
    expect(scene.count('/of-none')).toBe(1)
  })

  test('an unsafe method ends what Redis has of its URL, for whatever router', async () => {
    const key = await keyOf('/changed')
    await askBy(scene.gateway, '/changed', {}, 'POST')
    await eventually('it to be gone', async () => !(await keys()).includes(key))
    expect((await there('/changed')).cache).toBe('MISS')
  })

  test('of two workers one tells Redis of a purge', async () => {
    const workers = await startGateway({
      workers: 2,
      static: writable,
      routes: routesOf({ cache }, scene.url),
    })
    onTestFinished(() => workers.stop())
    await answers(workers)
    const length = async (): Promise<number> =>
      Number(await redis.command('XLEN', 'cache:cache@file:1:purges'))
    const before = await length()
    await fill('/of-two')
    expect((await askBy(workers, '/of-two')).cache).toBe('HIT')
    await purge('tag=none', workers)
    await purge('url=http://shop.example/of-two', workers)
    expect(await length()).toBe(before + 2)
    await eventually('all to know', async () => {
      const all = await Promise.all([here('/of-two'), there('/of-two'), askBy(workers, '/of-two')])
      return all.every(({ body }) => body !== '/of-two 1')
    })
  })

  test('the API and explain say that there is Redis', async () => {
    expect(await rowOf(other)).toMatchObject({ name: 'cache@file', redis: 'answers' })
    const { body } = await other.admin('/api/http/cache')
    expect(body).not.toContain(PASSWORD)
    const file = join(other.folder, 'sluice.yml')
    const { out } = await run(['explain', 'http://shop.example/a', `--configFile=${file}`])
    expect(out).toContain('or else from Redis')
  })

  test('when Redis stands still or is gone, requests go on, and purges are told later', async () => {
    await fill('/survives')
    expect((await there('/survives')).cache).toBe('HIT')
    redis.child.kill('SIGSTOP')
    const late = await there('/paused')
    expect([late.status, late.cache]).toEqual([200, 'MISS'])
    expect(await read('late')).toBeGreaterThan(0)
    const away = await read('away')
    const began = performance.now()
    for (let i = 0; i < 20; i++) expect((await there(`/paused${i}`)).status).toBe(200)
    expect((performance.now() - began) / 20).toBeLessThan(1000) // of the two seconds that an answer may take
    expect(await read('away')).toBeGreaterThanOrEqual(away + 20)
    expect((await rowOf(other)).redis).toBe('away')
    redis.child.kill('SIGCONT')
    await Promise.all(both().map(answers))

    await redis.stop()
    await eventually('it to be missed', async () => (await rowOf(scene.gateway)).redis === 'away')
    expect((await there('/survives')).body).toBe('/survives 1')
    expect((await there('/while-away')).status).toBe(200)
    expect(await purge('url=http://shop.example/survives')).toEqual({
      purged: 1,
      late: ['cache@file'],
    })
    expect((await here('/survives')).body).toBe('/survives 2')
    redis = await startRedis({ port: redis.port, password: PASSWORD })
    await Promise.all(both().map(answers))
    await eventually(
      'the purge to be told',
      async () => (await there('/survives')).body !== '/survives 1',
    )
    await fill('/back')
    expect((await there('/back')).cache).toBe('HIT')
    for (const gateway of both()) {
      expect(gateway.stderr()).toContain('can not be asked')
      expect(gateway.stderr()).toContain('answers again')
      expect(gateway.stderr()).not.toContain(PASSWORD)
      expect((await gateway.admin('/api/http/middlewares')).body).not.toContain(PASSWORD)
      expect(gateway.exit).toBe(null)
    }
  })
})
