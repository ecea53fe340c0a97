// Mirroring and failover: what the client sees, and what each service has got.

import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { eventually } from '../../support/wait.ts'

interface Got {
  readonly by: string
  readonly method: string
  readonly url: string
  readonly host: string
  readonly forwardedFor: string
  readonly body: string
}

const got: Got[] = []
const statuses = new Map<string, number>() // what a server answers; 200 else, 0 resets the connection
const servers: http.Server[] = []
let gateway: Gateway

async function serve(by: string): Promise<string> {
  const server = http.createServer((request, response) => {
    let body = ''
    request.on('data', (bytes: Buffer) => (body += bytes.toString()))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const { host = '' } = headers
      got.push({ by, method, url, host, forwardedFor: String(headers['x-forwarded-for']), body })
      const status = statuses.get(by) ?? 200
      if (status === 0) return void request.socket.destroy()
      response.writeHead(status, { 'X-By': by }).end(`${by} ${body.length}`)
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const balancer = (url: string): Keys => ({ loadBalancer: { servers: [{ url }] } })
const router = (path: string, service: string, more: Keys = {}): Keys => {
  return { rule: `PathPrefix(\`${path}\`)`, entryPoints: ['web'], service, ...more }
}

beforeAll(async () => {
  const [one, two, three] = [await serve('one'), await serve('two'), await serve('three')]
  const errors = { status: ['500-504'], maxRequestBodyBytes: 1000 }
  gateway = await startGateway({
    routes: {
      http: {
        routers: {
          mirrored: router('/mirrored', 'mirrored'),
          half: router('/half', 'one', { middlewares: ['half'] }),
          during: router('/during', 'one', { middlewares: ['during'] }),
          bodiless: router('/bodiless', 'one', { middlewares: ['bodiless'] }),
          failover: router('/failover', 'failover'),
          chained: router('/chained', 'chained'),
          unbounded: router('/unbounded', 'unbounded'),
        },
        middlewares: {
          half: { mirror: { service: 'two', percent: 50 } },
          during: { mirror: { service: 'two', when: 'during' } },
          bodiless: { mirror: { service: 'two', mirrorBody: false } },
        },
        services: {
          one: balancer(one),
          two: balancer(two),
          three: balancer(three),
          mirrored: {
            mirroring: {
              service: 'one',
              maxBodySize: 1000,
              mirrors: [{ name: 'two', percent: 100 }],
            },
          },
          failover: { failover: { service: 'one', fallback: 'two', errors } },
          chained: { failover: { service: 'failover', fallback: 'three', errors } },
          unbounded: { failover: { service: 'one', fallback: 'two', errors: { status: ['503'] } } },
        },
      },
    },
  })
})

beforeEach(() => {
  got.length = 0
  statuses.clear()
})

afterAll(async () => {
  await gateway.stop()
  for (const server of servers) server.closeAllConnections()
  for (const server of servers) server.close()
})

async function ask(path: string, method = 'GET', body?: string | ReadableStream): Promise<string> {
  const init = { method, body: body ?? null, duplex: 'half' } as RequestInit
  const response = await fetch(`http://127.0.0.1:${gateway.port}${path}`, init)
  return `${response.status} ${await response.text()}`
}

async function count(name: string, label: string): Promise<number> {
  const { body } = await gateway.admin('/metrics')
  return metricSum(body, name, label)
}

const by = (name: string): Got[] => got.filter((request) => request.by === name)

function chunks(...pieces: string[]): ReadableStream {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece))
      controller.close()
    },
  })
}

test('a mirror gets what the service got, and the client sees only the service', async () => {
  statuses.set('two', 500)
  // One after the other: copies have connections of their own, and any order.
  const copied = (count: number) => eventually(`copy ${count}`, () => by('two').length === count)
  expect(await ask('/mirrored/a?b=c')).toBe('200 one 0')
  await copied(1)
  expect(await ask('/mirrored/post', 'POST', 'hello')).toBe('200 one 5')
  await copied(2)
  expect(await ask('/mirrored/chunked', 'POST', chunks('he', 'llo'))).toBe('200 one 5')
  await copied(3)
  const shape = ({ method, url, host, forwardedFor, body }: Got) => [
    method,
    url,
    host,
    forwardedFor,
    body,
  ]
  expect(by('two').map(shape)).toEqual(by('one').map(shape))
  expect(by('two').map((request) => request.body)).toEqual(['', 'hello', 'hello'])
})

test('a longer body than maxBodySize passes and is not copied', async () => {
  const dropped = await count('sluice_mirrored_requests_total', 'dropped')
  expect(await ask('/mirrored', 'POST', 'x'.repeat(1001))).toBe('200 one 1001')
  expect(await ask('/mirrored', 'POST', chunks('x'.repeat(600), 'y'.repeat(600)))).toBe(
    '200 one 1200',
  )
  expect(await ask('/mirrored', 'POST', 'last')).toBe('200 one 4')
  await eventually('the last copy', () => by('two').length === 1)
  expect(by('two')[0]!.body).toBe('last')
  expect(await count('sluice_mirrored_requests_total', 'dropped')).toBe(dropped + 2)
})

test('percent is exact', async () => {
  for (let i = 0; i < 20; i++) await ask('/half')
  await eventually('ten copies', () => by('two').length === 10)
  expect(by('one').length).toBe(20)
})

test('a copy may go at once, and without its body', async () => {
  statuses.set('one', 0)
  expect(await ask('/during', 'POST', 'hello')).toMatch(/^502/)
  await eventually('a copy of a request that failed', () => by('two').length === 1)
  expect(by('two')[0]!.body).toBe('hello')
  statuses.clear()
  await ask('/bodiless', 'POST', 'hello')
  await eventually('a copy without body', () => by('two').length === 2)
  expect(by('two')[1]).toMatchObject({ method: 'POST', url: '/bodiless', body: '' })
})

test('a failover asks its fallback when the first one answers with a status that it must not', async () => {
  const before = await count('sluice_failovers_total', 'failover@file')
  expect(await ask('/failover')).toBe('200 one 0')
  statuses.set('one', 503)
  expect(await ask('/failover?x')).toBe('200 two 0')
  expect(await ask('/failover', 'POST', 'hello')).toBe('200 two 5')
  expect(await ask('/failover', 'POST', chunks('he', 'llo'))).toBe('200 two 5')
  expect(by('two').map(({ url, body }) => [url, body])).toEqual([
    ['/failover?x', ''],
    ['/failover', 'hello'],
    ['/failover', 'hello'],
  ])
  statuses.set('one', 404)
  expect(await ask('/failover')).toBe('404 one 0')
  statuses.set('one', 0)
  expect(await ask('/failover')).toBe('200 two 0')
  expect(await count('sluice_failovers_total', 'failover@file')).toBe(before + 4)
})

test('the answer of the last one counts, whatever it is', async () => {
  statuses.set('one', 500).set('two', 502)
  expect(await ask('/failover')).toBe('502 two 0')
  expect(await ask('/chained', 'PUT', 'abc')).toBe('200 three 3')
  statuses.set('three', 503)
  expect(await ask('/chained')).toBe('503 three 0')
})

test('a body that could not be sent again is refused where a bound is set, and passes where none is', async () => {
  expect(await ask('/failover', 'POST', 'x'.repeat(1001))).toMatch(/^413 /)
  expect(await ask('/failover', 'POST', chunks('x'.repeat(600), 'y'.repeat(600)))).toMatch(/^413 /)
  statuses.set('one', 503)
  expect(await ask('/unbounded', 'POST', 'x'.repeat(200_000))).toBe('200 two 200000')
})
