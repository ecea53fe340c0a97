// What a new routing file changes and what it leaves alone, seen from outside.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import {
  type HttpOrigin,
  type ScriptedOrigin,
  startHttpOrigin,
  startScriptedOrigin,
} from '../../support/origin.ts'
import { type RawClient, type Response, connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'

let first: HttpOrigin
let second: HttpOrigin
let slow: ScriptedOrigin
let gateway: Gateway
let connectionsOfFirst = 0

beforeAll(async () => {
  first = await startHttpOrigin((request, response) => response.end(`first ${request.url}`))
  first.server.on('connection', () => connectionsOfFirst++)
  second = await startHttpOrigin((request, response) => response.end(`second ${request.url}`))
  slow = await startScriptedOrigin()
  gateway = await startGateway({ workers: 2, routes: routesOf({}) })
})

afterAll(async () => {
  await gateway.stop()
  await Promise.all([first.stop(), second.stop(), slow.stop()])
})

interface Parts {
  readonly routers?: Keys
  readonly middlewares?: Keys
  readonly services?: Keys
}

function routesOf(parts: Parts): Keys {
  const routers = { first: router('Path(`/first`)', 'first'), ...parts.routers }
  const services = { first: serversOf(first.url), ...parts.services }
  return {
    http: {
      routers,
      services,
      ...(parts.middlewares === undefined ? {} : { middlewares: parts.middlewares }),
    },
  }
}

function router(rule: string, service: string, further: Keys = {}): Keys {
  return { rule, service, entryPoints: ['web'], ...further }
}

function serversOf(...urls: string[]): Keys {
  return { loadBalancer: { servers: urls.map((url) => ({ url })) } }
}

async function ask(client: RawClient, target: string): Promise<Response> {
  client.send(`GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
  return client.readResponse()
}

async function get(target: string): Promise<Response> {
  const client = await connectRaw(gateway.port)
  const answer = await ask(client, target)
  client.destroy()
  return answer
}

interface Overview {
  readonly sluice: {
    readonly generation: { readonly number: number; readonly convergenceMs: number }
    readonly workers: readonly { readonly generation: number }[]
  }
}

async function overview(): Promise<Overview['sluice']> {
  return (JSON.parse((await gateway.admin('/api/overview')).body) as Overview).sluice
}

// Writes the file and waits until every worker serves by it.
async function load(parts: Parts): Promise<void> {
  const before = (await overview()).generation.number
  gateway.writeRoutes(routesOf(parts))
  await eventually('every worker to adopt the new generation', async () => {
    const { generation, workers } = await overview()
    return generation.number > before && workers.every((w) => w.generation === generation.number)
  })
}

test('a new router is served by every worker, and a removed one is a 404 again', async () => {
  expect((await get('/new')).status).toBe(404)
  await load({ routers: { new: router('Path(`/new`)', 'first') } })
  for (let i = 0; i < 8; i++) expect((await get('/new')).body).toBe('first /new')
  expect((await overview()).generation.convergenceMs).toBeGreaterThan(0)
  await load({})
  for (let i = 0; i < 8; i++) expect((await get('/new')).status).toBe(404)
})

test('a changed list of servers keeps the connections of those that stay', async () => {
  const client = await connectRaw(gateway.port)
  await ask(client, '/first')
  const before = connectionsOfFirst
  await load({ services: { first: serversOf(first.url, second.url) } })
  const answers = new Set<string>()
  for (let i = 0; i < 6; i++) answers.add((await ask(client, '/first')).body)
  expect([...answers].toSorted()).toEqual(['first /first', 'second /first'])
  await load({})
  for (let i = 0; i < 4; i++) expect((await ask(client, '/first')).body).toBe('first /first')
  expect(connectionsOfFirst).toBe(before)
  client.destroy()
})

test('an exchange in flight ends by the generation that it began with', async () => {
  const mark = (value: string) => ({
    mark: { headers: { customResponseHeaders: { 'X-Mark': value } } },
  })
  const routers = { slow: router('Path(`/slow`)', 'slow', { middlewares: ['mark'] }) }
  const services = { slow: serversOf(slow.url) }
  await load({ routers, services, middlewares: mark('old') })
  const client = await connectRaw(gateway.port)
  client.send('GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n')
  const server = await slow.connection(slow.connections.length)
  await server.readRequest()
  await load({ routers: { slow: router('Path(`/slow`)', 'first') } }) // without middleware and server
  server.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone')
  const answer = await client.readResponse()
  expect([answer.body, answer.headers.get('x-mark')]).toEqual(['done', 'old'])
  const next = await ask(client, '/slow')
  expect([next.body, next.headers.get('x-mark')]).toEqual(['first /slow', undefined])
  client.destroy()
})

test('a changed middleware reaches the routers that name it', async () => {
  const routers = {
    a: router('Path(`/a`)', 'first', { middlewares: ['add'] }),
    b: router('Path(`/b`)', 'first'),
  }
  await load({ routers, middlewares: { add: { addPrefix: { prefix: '/one' } } } })
  expect((await get('/a')).body).toBe('first /one/a')
  await load({ routers, middlewares: { add: { addPrefix: { prefix: '/two' } } } })
  expect((await get('/a')).body).toBe('first /two/a')
  expect((await get('/b')).body).toBe('first /b')
})

test('the count of a middleware that did not change survives the reload of its router', async () => {
  const limit = { limit: { inFlightReq: { amount: 1 } } }
  const slowRouter = (rule: string) => ({
    slow: router(rule, 'slow', { middlewares: ['limit'] }),
  })
  const services = { slow: serversOf(slow.url) }
  await load({ routers: slowRouter('Path(`/limited`)'), services, middlewares: limit })
  const client = await connectRaw(gateway.port)
  client.send('GET /limited HTTP/1.1\r\nHost: a.test\r\n\r\n')
  const server = await slow.connection(slow.connections.length)
  await server.readRequest()
  await load({
    routers: slowRouter('Path(`/limited`) || Path(`/more`)'),
    services,
    middlewares: limit,
  })
  const statuses = new Set<number>()
  // Counts are kept per worker: some of these reach the one that holds the first request.
  await eventually('the second request to be refused', async () => {
    const probe = await connectRaw(gateway.port)
    probe.send('GET /limited HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n')
    const served = slow.connections.length
    await eventually(
      'an answer, or the server to be asked',
      () => probe.received !== '' || slow.connections.length > served,
    )
    if (probe.received !== '') statuses.add((await probe.readResponse()).status)
    probe.destroy()
    return statuses.has(429)
  })
  server.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  expect((await client.readResponse()).status).toBe(200)
  client.destroy()
})

test('a child router is matched after the middlewares of its parent', async () => {
  const routers = {
    parent: {
      rule: 'PathPrefix(`/tree`)',
      entryPoints: ['web'],
      middlewares: ['tag'],
    },
    low: { rule: 'Header(`X-Tag`, `low`)', parentRefs: ['parent'], service: 'first' },
    high: { rule: 'Header(`X-Tag`, `high`)', parentRefs: ['parent'], service: 'second' },
  }
  const tag = (value: string) => ({
    tag: { headers: { customRequestHeaders: { 'X-Tag': value } } },
  })
  const services = { second: serversOf(second.url) }
  await load({ routers, services, middlewares: tag('low') })
  expect((await get('/tree/x')).body).toBe('first /tree/x')
  await load({ routers, services, middlewares: tag('high') })
  expect((await get('/tree/x')).body).toBe('second /tree/x')
  await load({ routers, services, middlewares: tag('neither') })
  expect((await get('/tree/x')).status).toBe(404)
})

test('middlewares of a service run behind those of the router', async () => {
  const routers = { s: router('Path(`/s`)', 'wrapped', { middlewares: ['outer'] }) }
  const middlewares = {
    outer: { addPrefix: { prefix: '/outer' } },
    inner: { addPrefix: { prefix: '/inner' } },
  }
  const wrapped = { ...serversOf(first.url), middlewares: ['inner'] }
  await load({ routers, services: { wrapped }, middlewares })
  expect((await get('/s')).body).toBe('first /inner/outer/s')
})

test('a weighted service shares by weight', async () => {
  const routers = { w: router('Path(`/w`)', 'both') }
  const services = {
    second: serversOf(second.url),
    both: {
      weighted: {
        services: [
          { name: 'first', weight: 3 },
          { name: 'second', weight: 1 },
        ],
      },
    },
  }
  await load({ routers, services })
  const client = await connectRaw(gateway.port)
  const bodies: string[] = []
  for (let i = 0; i < 40; i++) bodies.push((await ask(client, '/w')).body)
  expect(bodies.filter((body) => body === 'first /w').length).toBe(30)
  expect(bodies.filter((body) => body === 'second /w').length).toBe(10)
  client.destroy()
})
