// Clients that send their bodies slowly can take half of a server's connections, and no more: the rest is for requests that are
// ready.

import { afterEach, describe, expect, test } from 'vitest'
import {
  type Gateway,
  type Keys,
  freePorts,
  routesTo,
  startGateway,
} from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { startHttpOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { requestText } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

const CONNECTIONS = 8
const stops: (() => unknown)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

interface Stage {
  readonly gateway: Gateway
  begun(): number // requests whose head has reached the server
}

// A server that says how many bytes it got, and whether they are what the clients send.
async function start(engine: 'node' | 'uws', limits: Keys = {}): Promise<Stage> {
  let begun = 0
  const origin = await startHttpOrigin((request, response) => {
    begun++
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      response.end(`${body.length} ${body.every((byte) => byte === 0x78)}`)
    })
  })
  stops.push(() => origin.stop())
  const transport = { maxConnections: CONNECTIONS, maxPending: 1 }
  const gateway = await startGateway({
    engine,
    routes: routesTo([origin.url], transport),
    web: { transport: { limits } },
  })
  stops.push(() => gateway.stop())
  return { gateway, begun: () => begun }
}

async function upload(port: number, length: number, framing: string, first = 'x') {
  const client = await connectRaw(port)
  stops.push(() => client.destroy())
  client.send(`POST / HTTP/1.1\r\nHost: a.test\r\n${framing.replace('N', String(length))}\r\n\r\n`)
  client.send(first)
  return client
}

function slowUploads(port: number, count: number, length: number): Promise<RawClient[]> {
  const one = (): Promise<RawClient> => upload(port, length, 'Content-Length: N')
  return Promise.all(Array.from({ length: count }, one))
}

async function inFlight(gateway: Gateway): Promise<number> {
  const { body } = await gateway.admin('/metrics')
  return Number(/^sluice_in_flight (\d+)$/m.exec(body)?.[1]) - 1 // less the question itself
}

async function askAll(port: number, count: number): Promise<number[]> {
  const statuses: number[] = []
  for (let i = 0; i < count; i++) {
    const client = await connectRaw(port)
    client.send(requestText())
    statuses.push((await client.readResponse()).status)
    client.destroy()
  }
  return statuses
}

describe.each(['node', 'uws'] as const)('engine %s', (engine) => {
  test('twenty slow uploads leave room for good requests, and each has its answer in the end', async () => {
    const { gateway, begun } = await start(engine)
    const slow = await slowUploads(gateway.port, 20, 100)
    await eventually('all uploads to be under way', async () => (await inFlight(gateway)) === 20)
    expect(await askAll(gateway.port, 10)).toEqual(Array.from({ length: 10 }, () => 200))
    expect(begun()).toBe(CONNECTIONS / 2 + 10)
    const page = (await gateway.admin('/metrics')).body
    expect(metricSum(page, 'sluice_awaited_bodies_total')).toBe(20 - CONNECTIONS / 2)
    for (const client of slow) {
      client.send('x'.repeat(99))
      expect((await client.readResponse()).body).toBe('100 true')
    }
  })

  test('with bodyAheadBytes 0 they take every connection', async () => {
    const { gateway, begun } = await start(engine, { bodyAheadBytes: 0 })
    await slowUploads(gateway.port, 20, 100)
    await eventually('every connection to be taken', () => begun() === CONNECTIONS)
    const [first] = await askAll(gateway.port, 1)
    expect(first).toBe(503)
  })

  test('a long body is waited for up to bodyAheadBytes, then it flows', async () => {
    const { gateway, begun } = await start(engine, { bodyAheadBytes: 1000 })
    await slowUploads(gateway.port, CONNECTIONS / 2, 100)
    await eventually('half of the connections to be taken', () => begun() === CONNECTIONS / 2)
    const [long] = await slowUploads(gateway.port, 1, 200_000)
    await eventually('it to be here', async () => (await inFlight(gateway)) === CONNECTIONS / 2 + 1)
    expect(begun()).toBe(CONNECTIONS / 2)
    long!.send('x'.repeat(1500))
    await eventually('the server to be asked', () => begun() === CONNECTIONS / 2 + 1)
    long!.send('x'.repeat(200_000 - 1501))
    expect((await long!.readResponse()).body).toBe('200000 true')
  })
})

test('a chunked body, and a client that waits for 100 Continue, are not waited for', async () => {
  const { gateway, begun } = await start('node')
  await slowUploads(gateway.port, CONNECTIONS / 2, 100)
  await eventually('half of the connections to be taken', () => begun() === CONNECTIONS / 2)
  const chunked = await upload(gateway.port, 0, 'Transfer-Encoding: chunked', '1\r\nx\r\n')
  await eventually('the server to be asked', () => begun() === CONNECTIONS / 2 + 1)
  chunked.send('0\r\n\r\n')
  expect((await chunked.readResponse()).body).toBe('1 true')
  const polite = await upload(gateway.port, 5, 'Content-Length: N\r\nExpect: 100-continue', '')
  expect((await polite.readResponse()).status).toBe(100)
  polite.send('xxxxx')
  expect((await polite.readResponse()).body).toBe('5 true')
})

test('a client that leaves while it is waited for leaves nothing behind', async () => {
  const { gateway } = await start('node')
  const slow = await slowUploads(gateway.port, 20, 100)
  await eventually('all uploads to be under way', async () => (await inFlight(gateway)) === 20)
  for (const client of slow) client.destroy()
  await eventually('none to be under way', async () => (await inFlight(gateway)) === 0)
  expect(await askAll(gateway.port, 3)).toEqual([200, 200, 200])
})

test('a body that the fallback waits for flows on, though the first service had it held back', async () => {
  const length = 17 * 1024 * 1024 // more than a failover keeps
  const origin = await startHttpOrigin((request, response) => {
    let bytes = 0
    request.on('data', (chunk: Buffer) => (bytes += chunk.length))
    request.on('end', () => response.end(String(bytes)))
  })
  stops.push(() => origin.stop())
  const [closed = 0] = await freePorts(1)
  const one = (url: string) => ({ loadBalancer: { serversTransport: 'few', servers: [{ url }] } })
  const router = { entryPoints: ['web'], service: 'both', rule: 'PathPrefix(`/`)' }
  const gateway = await startGateway({
    routes: {
      http: {
        routers: { all: router, slow: { ...router, service: 'up', rule: 'Path(`/slow`)' } },
        services: {
          both: { failover: { service: 'down', fallback: 'up', errors: { status: ['502'] } } },
          down: one(`http://127.0.0.1:${closed}`),
          up: one(origin.url),
        },
        serversTransports: { few: { maxConnections: 2 } },
      },
    },
  })
  stops.push(() => gateway.stop())
  const slow = await connectRaw(gateway.port)
  stops.push(() => slow.destroy())
  slow.send('POST /slow HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nx')
  await eventually('it to be under way', async () => (await inFlight(gateway)) === 1)
  const [long] = await slowUploads(gateway.port, 1, length)
  await eventually('it to be waited for', async () => {
    const { body } = await gateway.admin('/metrics')
    return metricSum(body, 'sluice_awaited_bodies_total') === 1
  })
  long!.send('x'.repeat(length - 1))
  expect((await long!.readResponse()).body).toBe(String(length))
})
