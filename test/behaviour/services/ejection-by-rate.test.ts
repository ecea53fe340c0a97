// Ejection by success rate and by failure percentage in a running gateway of two workers: six servers, of which one
// answers badly, but never so often in a row that the rules for that would see it (5).

import http from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { eventually } from '../../support/wait.ts'

const SERVERS = 6
const BAD = 3 // the one that answers badly
const AT_ONCE = 20
const MERGED_MS = 3000 // an interval

const origins: HttpOrigin[] = []
const asked = new Map<string, number>() // 'service server': requests
let isWell = false // the bad one is as the others
let gateway: Gateway

const requestsOf = (service: string, server: number): number =>
  asked.get(`${service} ${server}`) ?? 0

// Of ten requests in turn: 30 % of them fail, or 80 %.
const failing: Readonly<Record<string, readonly number[]>> = {
  some: [1, 4, 7],
  most: [0, 1, 2, 3, 5, 6, 7, 8],
}

async function serve(server: number): Promise<void> {
  const origin = await startHttpOrigin((request, response) => {
    const service = String(request.headers.host).split('.')[0]!
    const count = requestsOf(service, server)
    asked.set(`${service} ${server}`, count + 1)
    const places = failing[service === 'percent' ? 'most' : 'some']!
    const isBad = server === BAD && !isWell && places.includes(count % 10)
    response.writeHead(isBad ? 500 : 200).end()
  })
  origins.push(origin)
}

beforeAll(async () => {
  for (let i = 0; i < SERVERS; i++) await serve(i)
  const servers = origins.map(({ url }) => ({ url }))
  const service = (outlierDetection: Keys): Keys => ({
    loadBalancer: {
      servers,
      outlierDetection: { interval: '2s', baseEjectionTime: '1h', ...outlierDetection },
    },
  })
  const services = {
    rates: service({ successRate: { minRequests: 10 } }),
    few: service({ successRate: { minRequests: 100_000 } }),
    small: service({ successRate: { minRequests: 10, minServers: SERVERS + 1 } }),
    nobody: service({ successRate: { minRequests: 10 }, maxEjectionPercent: 0 }),
    back: service({ successRate: { minRequests: 10 }, baseEjectionTime: '500ms' }),
    percent: service({ consecutive5xx: 0, failurePercentage: { minRequests: 10, threshold: 75 } }),
    merged: service({ interval: `${MERGED_MS}ms`, successRate: { minRequests: 30 } }),
  }
  const routers = Object.keys(services).map((name) => {
    return [name, { rule: `Host(\`${name}.test\`)`, entryPoints: ['web'], service: name }]
  })
  gateway = await startGateway({
    workers: 2,
    routes: { http: { routers: Object.fromEntries(routers) as Keys, services } },
  })
})

afterAll(async () => {
  await gateway.stop()
  for (const origin of origins) await origin.stop()
})

// Each on a connection of its own, so that the kernel spreads them over workers.
function ask(service: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { Host: `${service}.test` }
    const options = { host: '127.0.0.1', port: gateway.port, agent: false, headers }
    const request = http.get(options, (response) => response.resume().on('end', resolve))
    request.on('error', reject)
  })
}

// So many requests for each server.
async function burst(service: string, each: number): Promise<void> {
  let left = each * SERVERS
  const client = async (): Promise<void> => {
    while (left-- > 0) await ask(service)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, client))
}

// Numbers of the servers that are out.
async function downOf(service: string): Promise<number[]> {
  const { body } = await gateway.admin(`/api/http/services/${service}@file`)
  const { serverStatus } = JSON.parse(body) as { serverStatus: Record<string, string> }
  return origins.flatMap(({ url }, i) => (serverStatus[url] === 'DOWN' ? [i] : []))
}

async function ejectionsOf(service: string, ...labels: string[]): Promise<number> {
  const { body } = await gateway.admin('/metrics')
  const name = `service="${service}@file"`
  return metricSum(body, 'sluice_service_ejections_total', name, ...labels)
}

test('The server whose success rate is far below the others is ejected, by no worker twice; too few requests or servers eject nobody', async () => {
  // All have the same intervals, and "rates" is asked last: whoever is judged has been judged when it is.
  await eventually('the bad server to be ejected', async () => {
    for (const service of ['few', 'small', 'nobody', 'rates']) await burst(service, 20)
    return (await downOf('rates')).length > 0
  })
  expect(await downOf('rates')).toEqual([BAD])
  for (const service of ['few', 'small', 'nobody']) {
    expect(requestsOf(service, BAD), service).toBeGreaterThanOrEqual(20)
    expect([service, await downOf(service), await ejectionsOf(service)]).toEqual([service, [], 0])
  }
  const before = requestsOf('rates', BAD)
  await burst('rates', 20)
  expect(requestsOf('rates', BAD)).toBe(before)
  const { url } = origins[BAD]!
  expect(await ejectionsOf('rates')).toBe(1)
  expect(await ejectionsOf('rates', 'reason="success_rate"', `url="${url}"`)).toBe(1)
  await gateway.untilStderr(`server ${url} of rates@file is ejected: success rate `)
})

test('The server that fails most requests is ejected by its failure percentage', async () => {
  await eventually('the bad server to be ejected', async () => {
    await burst('percent', 20)
    return (await downOf('percent')).length > 0
  })
  expect(await downOf('percent')).toEqual([BAD])
  expect(await ejectionsOf('percent')).toBe(1)
  expect(await ejectionsOf('percent', 'reason="failure_percentage"')).toBe(1)
  const { url } = origins[BAD]!
  await gateway.untilStderr(`server ${url} of percent@file is ejected: failure percentage `)
  expect(gateway.stderr()).toContain('expected below 75.0%')
})

// Each worker sees half of the 40 requests that a server gets in an interval, give or take: for 30 of them one
// would have to be given 180 of 240 connections, 8 standard deviations away from 120.
test('Requests of both workers are counted together', async () => {
  await eventually('the bad server to be ejected', async () => {
    const began = performance.now()
    await burst('merged', 40)
    await eventually('an interval to be over', () => performance.now() - began > MERGED_MS)
    await ask('merged')
    return (await downOf('merged')).length > 0
  })
  expect(await downOf('merged')).toEqual([BAD])
  expect(await ejectionsOf('merged')).toBe(1)
})

test('An ejected server is asked again after its time, and stays when it has become well', async () => {
  await eventually('the bad server to be ejected', async () => {
    await burst('back', 20)
    return (await ejectionsOf('back')) > 0
  })
  isWell = true
  const before = requestsOf('back', BAD)
  await eventually('it to be asked again', async () => {
    await burst('back', 1)
    return requestsOf('back', BAD) > before
  })
  await eventually('all to be up', async () => (await downOf('back')).length === 0)
})
