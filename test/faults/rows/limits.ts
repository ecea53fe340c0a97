// Rows 23 and 42: limits, and the Redis that they may be counted in.

import { spawn, spawnSync } from 'node:child_process'
import {
  type Gateway,
  type Keys,
  freePorts,
  routesTo,
  startGateway,
} from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { hasRedis, startRedis, withoutRedis } from '../../support/redis.ts'
import { type FaultRow, finding } from '../contract.ts'
import { pause, startLedgerOrigin, startTraffic } from '../ledger.ts'

function limited(url: string, rateLimit: Keys): Keys {
  const routes = structuredClone(routesTo([url])) as {
    http: { routers: { all: Record<string, unknown> }; middlewares?: Keys }
  }
  routes.http.routers.all['middlewares'] = ['limit']
  routes.http.middlewares = { limit: { rateLimit } }
  return routes as unknown as Keys
}

const AVERAGE = 500
const BURST = 200

const exact: FaultRow = {
  number: 42,
  name: 'A rate limit over four workers',
  accept: 'at the most 1 % more than the limit allows',
  smoke: false,
  missing: () => (spawnSync('wrk', ['-v']).error ? 'wrk is not installed' : ''),
  run: async ({ full }) => {
    const origin = await startLedgerOrigin()
    const limit = { average: AVERAGE, burst: BURST, mode: 'reject' }
    const gateway = await startGateway({ workers: 4, routes: limited(origin.url, limit) })
    const wanted = full ? 1_000_000 : 50_000
    const from = performance.now()
    let asked = 0
    // Each round ends before the next begins; the bucket is the same.
    while (asked < wanted && performance.now() - from < 300_000) {
      const wrk = spawn('wrk', ['-t2', '-c64', '-d10s', `http://127.0.0.1:${gateway.port}/`], {
        stdio: 'ignore',
      })
      await new Promise((resolve) => wrk.once('close', resolve))
      asked = await countOf(gateway)
    }
    const seconds = (performance.now() - from) / 1000
    const allowed = await countOf(gateway, 'code="200"')
    const atMost = BURST + AVERAGE * seconds
    await gateway.stop()
    await origin.stop()
    const over = (allowed / atMost - 1) * 100
    return finding(
      over <= 1 && asked >= wanted,
      `${asked} asked in ${seconds.toFixed(1)} s, ${allowed} allowed, ${atMost.toFixed(0)} would be exact (${over.toFixed(2)} %)`,
    )
  },
}

async function countOf(gateway: Gateway, ...labels: string[]): Promise<number> {
  const { body } = await gateway.admin('/metrics')
  return metricSum(body, 'traefik_entrypoint_requests_total', 'entrypoint="web"', ...labels)
}

// What an answer costs more when the store is away, once that is known.
const away: FaultRow = {
  number: 23,
  name: 'Redis is down, slow, and back',
  accept: 'as onStoreError says; at the most 5 ms more once it is known; in use again by itself',
  smoke: true,
  missing: () => (hasRedis ? '' : withoutRedis),
  run: async () => {
    const origin = await startLedgerOrigin()
    const [port = 0] = await freePorts(1)
    let redis = await startRedis({ port })
    const store = { endpoints: [`127.0.0.1:${port}`], readTimeout: '200ms' }
    const limit = (onStoreError: string): Keys => {
      return limited(origin.url, { average: 100_000, burst: 100_000, redis: store, onStoreError })
    }
    const open = await startGateway({ routes: limit('allow') })
    const closed = await startGateway({ routes: limit('deny') })
    const before = await medianOf(open.port)
    await redis.stop()
    await pause(1500)
    const [during, denied] = [await medianOf(open.port), await statusOf(closed.port)]
    const traffic = startTraffic({ port: open.port, perSecond: 100 })
    await pause(2000)
    await traffic.stop()
    redis = await startRedis({ port })
    const from = performance.now()
    let back = 0
    while (back === 0 && performance.now() - from < 10_000) {
      if ((await statusOf(closed.port)) === 200) back = performance.now() - from
      else await pause(20)
    }
    await Promise.all([open.stop(), closed.stop()])
    await Promise.all([redis.stop(), origin.stop()])
    const failed = traffic.failures().length
    const more = during - before
    return finding(
      failed === 0 && denied === 500 && more <= 5 && back > 0,
      `allow: ${failed} of ${traffic.ended.length} failed, ${more.toFixed(1)} ms more; deny: ${denied}; in use again after ${back.toFixed(0)} ms`,
    )
  },
}

async function statusOf(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/`)
  await response.arrayBuffer()
  return response.status
}

async function medianOf(port: number): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < 60; i++) {
    const from = performance.now()
    await statusOf(port)
    times.push(performance.now() - from)
  }
  return times.toSorted((a, b) => a - b)[30]!
}

export const limitRows: readonly FaultRow[] = [away, exact]
