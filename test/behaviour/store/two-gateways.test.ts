// Two gateways with one routing file and one Redis: their limits are one; and what becomes of requests when Redis is away.

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Gateway, type Keys, freePorts, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { type RedisServer, hasRedis, startRedis, withoutRedis } from '../../support/redis.ts'
import { requestText } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

const PASSWORD = 'not-for-logs'

function routes(port: number): Keys {
  const hub = { redis: { endpoints: [`127.0.0.1:${port}`], password: PASSWORD, timeout: '20s' } }
  const redis = { endpoints: [`127.0.0.1:${port}`], password: PASSWORD, readTimeout: '20s' }
  const hour = { period: '1h' }
  const middlewares: Keys = {
    rate: { rateLimit: { average: 1, ...hour, burst: 20, mode: 'reject', redis } },
    denied: { rateLimit: { average: 1, ...hour, burst: 20, mode: 'reject', redis } },
    leased: { rateLimit: { average: 1, ...hour, burst: 60, mode: 'reject', redis, lease: 10 } },
    hub: {
      plugin: {
        distributedRateLimit: { limit: 1, ...hour, burst: 9, responseHeaders: true, store: hub },
      },
    },
    month: { quota: { limit: 12, period: '720h', store: hub, standardHeaders: true } },
    open: { distributedRateLimit: { limit: 1, ...hour, denyOnError: false, store: hub } },
    own: { quota: { limit: 3, ...hour, store: hub, onStoreError: 'local' } },
  }
  const routers = Object.keys(middlewares).map((name) => [
    name,
    { rule: `Path(\`/${name}\`)`, middlewares: [name], service: 'noop@internal' },
  ])
  return { http: { routers: Object.fromEntries(routers), middlewares } }
}

async function responses(gateway: Gateway, path: string, times: number) {
  const one = async () => {
    const client = await connectRaw(gateway.port)
    client.send(requestText('GET', path))
    const response = await client.readResponse()
    client.destroy()
    return response
  }
  return Promise.all(Array.from({ length: times }, one))
}

async function passed(gateways: readonly Gateway[], path: string, times: number): Promise<number> {
  const all = await Promise.all(gateways.map((gateway) => responses(gateway, path, times)))
  const statuses = all.flat().map(({ status }) => status)
  expect(statuses.filter((status) => status === 500)).toEqual([])
  return statuses.filter((status) => status !== 429).length
}

describe.skipIf(!hasRedis)(`Two gateways and one Redis (skipped when ${withoutRedis})`, () => {
  let redis: RedisServer
  const gateways: Gateway[] = []

  beforeAll(async () => {
    redis = await startRedis({ password: PASSWORD })
    const options = { workers: 2, routes: routes(redis.port) }
    for (let i = 0; i < 2; i++) gateways.push(await startGateway(options))
  })
  afterAll(async () => {
    await Promise.all(gateways.map((gateway) => gateway.stop()))
    await redis?.stop()
  })

  test('have one limit', async () => {
    expect(await passed(gateways, '/rate', 40)).toBe(20)
    expect(await passed(gateways, '/hub', 20)).toBe(9)
    expect(await passed(gateways, '/month', 20)).toBe(12)
  })

  test('never give more than the limit by leases', async () => {
    const count = await passed(gateways, '/leased', 100)
    expect(count).toBeLessThanOrEqual(60)
    expect(count).toBeGreaterThan(60 - 4 * 10) // four workers may hold ten each that nobody asks them for
  })

  test('tell the limit that they share', async () => {
    const [hub] = await responses(gateways[0]!, '/hub', 1)
    expect(hub!.headers.get('x-ratelimit-limit')).toBe('9')
    expect(hub!.headers.get('x-ratelimit-remaining')).toBe('0')
    const [month] = await responses(gateways[1]!, '/month', 1)
    expect(month!.headers.get('ratelimit')).toMatch(/^"month@file";r=0;t=\d+$/)
  })

  test('do as each limit says when Redis is away, at once, and count again when it is back', async () => {
    const { port } = redis
    const gateway = gateways[0]!
    await redis.stop()
    const [denied] = await responses(gateway, '/denied', 1)
    expect([denied!.status, denied!.body.trim()]).toEqual([
      500,
      'Internal Server Error (LIMIT_STORE)',
    ])
    const open = await responses(gateway, '/open', 20)
    expect(open.filter(({ status }) => status === 429 || status === 500)).toEqual([])
    expect(await passed([gateway], '/own', 20)).toBe(3)
    const began = performance.now()
    for (let i = 0; i < 100; i++) await responses(gateway, '/open', 1)
    expect((performance.now() - began) / 100).toBeLessThan(50) // connection and all, on a busy machine
    const { body } = await gateway.admin('/metrics')
    const errors = metricSum(body, 'sluice_limit_decisions_total', 'decision="store_error"')
    expect(errors).toBeGreaterThan(100)
    redis = await startRedis({ port, password: PASSWORD })
    await eventually('a request to be counted', async () => {
      return (await responses(gateway, '/denied', 1))[0]!.status !== 500
    })
    expect(gateway.stderr()).toContain('can not be asked')
    expect(gateway.stderr()).not.toContain(PASSWORD)
    expect((await gateway.admin('/api/http/middlewares')).body).not.toContain(PASSWORD)
  })
})

test('a Redis that is away when the gateway starts holds nothing up', async () => {
  const [port = 0] = await freePorts(1)
  const gateway = await startGateway({ routes: routes(port) })
  onTestFinished(() => gateway.stop())
  const [denied] = await responses(gateway, '/denied', 1)
  expect(denied!.status).toBe(500)
  expect(await passed([gateway], '/own', 10)).toBe(3)
})
