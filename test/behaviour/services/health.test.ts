// Health of servers in a running gateway: checks, passive means that workers share, ejection, and who sees it.

import http from 'node:http'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Gateway, type Keys, freePorts, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { eventually } from '../../support/wait.ts'

interface Server {
  readonly url: string
  readonly origin: HttpOrigin
  status: number // of requests
  health: number // of checks
  hits: number
}

const servers: Server[] = []
let gone = '' // URL of a server that is not there
let gateway: Gateway

async function serve(): Promise<Server> {
  const origin = await startHttpOrigin((request, response) => {
    const isCheck = request.url === '/health'
    if (!isCheck) server.hits++
    const by = String(servers.indexOf(server))
    response.writeHead(isCheck ? server.health : server.status, { 'X-By': by }).end()
  })
  const server: Server = { url: origin.url, origin, status: 200, health: 200, hits: 0 }
  servers.push(server)
  return server
}

const router = (service: string): Keys => {
  return { rule: `Host(\`${service}.test\`)`, entryPoints: ['web'], service }
}

beforeAll(async () => {
  const [a, b] = [await serve(), await serve()]
  const both = { servers: [{ url: a.url }, { url: b.url }] }
  const healthCheck = { path: '/health', interval: '100ms', timeout: '2s' }
  const [port = 0] = await freePorts(1)
  gone = `http://127.0.0.1:${port}`
  const names = ['refused', 'checked', 'passive', 'window', 'ejecting', 'weighted']
  gateway = await startGateway({
    workers: 2,
    routes: {
      http: {
        routers: Object.fromEntries(names.map((name) => [name, router(name)])),
        services: {
          checked: { loadBalancer: { ...both, healthCheck } },
          passive: { loadBalancer: { ...both, passiveHealthCheck: { failureWindow: '1h' } } },
          refused: {
            loadBalancer: {
              servers: [{ url: gone }, { url: a.url }],
              passiveHealthCheck: { failureWindow: '1h' },
            },
          },
          window: {
            loadBalancer: {
              ...both,
              passiveHealthCheck: { failureWindow: '200ms', maxFailedAttempts: 2 },
            },
          },
          ejecting: {
            loadBalancer: {
              ...both,
              outlierDetection: { consecutive5xx: 3, maxEjectionPercent: 50 },
            },
          },
          one: { loadBalancer: { servers: [{ url: a.url }], healthCheck } },
          two: { loadBalancer: { servers: [{ url: b.url }], healthCheck } },
          weighted: {
            weighted: {
              healthCheck: {},
              services: [{ name: 'one', weight: 9 }, { name: 'two' }],
            },
          },
        },
      },
    },
  })
})

beforeEach(() => {
  for (const server of servers) Object.assign(server, { status: 200, health: 200, hits: 0 })
})

afterAll(async () => {
  await gateway.stop()
  for (const { origin } of servers) await origin.stop()
})

// Each on a connection of its own, so that the kernel spreads them over workers.
function ask(service: string): Promise<{ status: number; by: string }> {
  return new Promise((resolve, reject) => {
    const headers = { Host: `${service}.test` }
    const options = { host: '127.0.0.1', port: gateway.port, agent: false, headers }
    const request = http.get(options, (response) => {
      response.resume()
      const by = String(response.headers['x-by'] ?? '')
      resolve({ status: response.statusCode ?? 0, by })
    })
    request.on('error', reject)
  })
}

async function statusOf(service: string): Promise<Record<string, string>> {
  const { body } = await gateway.admin(`/api/http/services/${service}@file`)
  return (JSON.parse(body) as { serverStatus: Record<string, string> }).serverStatus
}

async function upMetric(service: string, { url }: Server): Promise<number> {
  const { body } = await gateway.admin('/metrics')
  const labels = [`service="${service}@file"`, `url="${url}"`]
  return metricSum(body, 'traefik_service_server_up', ...labels)
}

test('A server whose check fails gets no requests until it is well again, and everybody sees it', async () => {
  const [a, b] = servers as [Server, Server]
  await eventually('both to be asked', async () => {
    await ask('checked')
    return a.hits > 0 && b.hits > 0
  })
  a.health = 503
  await eventually('a to be down', async () => (await statusOf('checked'))[a.url] === 'DOWN')
  expect((await statusOf('checked'))[b.url]).toBe('UP')
  expect([await upMetric('checked', a), await upMetric('checked', b)]).toEqual([0, 1])
  await gateway.untilStderr(`server ${a.url} of checked@file is down: it answered 503`)
  await eventually('workers to know', async () => {
    a.hits = 0
    for (let i = 0; i < 10; i++) await ask('checked')
    return a.hits === 0
  })
  b.health = 500
  await eventually('no server to be left', async () => (await ask('checked')).status === 503)
  a.health = 200
  await eventually('a to be back', async () => (await ask('checked')).by === '0')
  expect(await upMetric('checked', a)).toBe(1)
})

test('A weighted service follows the health of its children', async () => {
  const [a] = servers as [Server]
  await eventually('the first child to be asked', async () => (await ask('weighted')).by === '0')
  a.health = 500
  await eventually('the other one to take everything', async () => {
    a.hits = 0
    for (let i = 0; i < 10; i++) await ask('weighted')
    return a.hits === 0
  })
  a.health = 200
  await eventually('the first child to be back', async () => (await ask('weighted')).by === '0')
})

test('A failure that one worker sees keeps the server from all of them', async () => {
  const [a, b] = servers as [Server, Server]
  a.status = 500
  const statuses: number[] = []
  // With two workers that counted by themselves there would be two failures: 40 connections do not all go to one.
  for (let i = 0; i < 40; i++) statuses.push((await ask('passive')).status)
  expect(statuses.filter((status) => status === 500)).toHaveLength(1)
  expect([a.hits, b.hits]).toEqual([1, 39])
  expect((await statusOf('passive'))[a.url]).toBe('DOWN')
  expect(await upMetric('passive', a)).toBe(0)
  const { body } = await gateway.admin('/metrics')
  const labels = ['service="passive@file"', `url="${a.url}"`]
  expect(metricSum(body, 'sluice_service_passive_downs_total', ...labels)).toBe(1)
  await gateway.untilStderr(`server ${a.url} of passive@file is down: its answers failed`)
})

test('A server that cannot be reached is down, and the client does not notice', async () => {
  for (let i = 0; i < 6; i++) expect(await ask('refused')).toEqual({ status: 200, by: '0' })
  expect(await statusOf('refused')).toEqual({ [gone]: 'DOWN', [servers[0]!.url]: 'UP' })
})

test('When all servers are down by passive means all are used', async () => {
  const [a, b] = servers as [Server, Server]
  b.status = 500 // a is down since the test before this one
  expect((await ask('passive')).status).toBe(500)
  Object.assign(a, { status: 200 })
  Object.assign(b, { status: 200 })
  for (let i = 0; i < 10; i++) expect((await ask('passive')).status).toBe(200)
  expect(Math.min(a.hits, b.hits)).toBeGreaterThan(0)
})

test('Failures within the window take a server out, and it is asked again after the window', async () => {
  const [a] = servers as [Server]
  a.status = 502
  await eventually('a to be down', async () => {
    await ask('window')
    return (await statusOf('window'))[a.url] === 'DOWN'
  })
  a.status = 200
  await eventually('a to be asked again', async () => (await ask('window')).by === '0')
  await eventually('a to be up', async () => (await statusOf('window'))[a.url] === 'UP')
})

test('A server that answers with errors in a row is ejected, and not more of them than may be', async () => {
  const [a, b] = servers as [Server, Server]
  a.status = 500
  await eventually('a to be ejected', async () => {
    await ask('ejecting')
    return (await statusOf('ejecting'))[a.url] === 'DOWN'
  })
  expect(a.hits).toBe(3)
  b.status = 500
  for (let i = 0; i < 10; i++) await ask('ejecting')
  expect([a.hits, (await statusOf('ejecting'))[b.url]]).toEqual([3, 'UP'])
  const { body } = await gateway.admin('/metrics')
  const labels = ['reason="5xx"', 'service="ejecting@file"']
  expect(metricSum(body, 'sluice_service_ejections_total', ...labels)).toBe(1)
})

test('What cannot be followed or sent is refused, with its place', async () => {
  const url = servers[0]!.url
  const plain = { loadBalancer: { servers: [{ url }] } }
  const bad = (services: Keys): void => gateway.writeRoutes({ http: { services } })
  const check = (healthCheck: Keys): Keys => ({
    app: { loadBalancer: { servers: [{ url }], healthCheck } },
  })
  bad({ app: plain, top: { weighted: { services: [{ name: 'app' }], healthCheck: {} } } })
  await gateway.untilStderr('healthCheck: nobody looks after app@file')
  bad(check({ scheme: 'ftp' }))
  await gateway.untilStderr('healthCheck.scheme: expected http, https or h2c')
  bad(check({ port: 70_000 }))
  await gateway.untilStderr('healthCheck.port: is not a port')
  bad(check({ headers: { 'X Y': 'secret-value' } }))
  await gateway.untilStderr('healthCheck.headers.X Y: cannot be sent')
  expect(gateway.stderr()).not.toContain('secret-value')
})
