// A response that gives way to another one is read to its end, so that its connection can be kept, but not for ever.

import { afterEach, expect, test } from 'vitest'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import {
  type OriginConnection,
  type ScriptedOrigin,
  startScriptedOrigin,
} from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { requestText, responseText } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

const HEAD = 'HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n'
const LONG = 'HTTP/1.1 503 Busy\r\nContent-Length: 1000000\r\n\r\nx'
const stops: (() => unknown)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

interface Scene {
  readonly origin: ScriptedOrigin // answers 503, and another server is asked instead
  readonly gateway: Gateway
}

async function sceneOf(
  serve: (connection: OriginConnection) => unknown,
  transport: Keys = {},
): Promise<Scene> {
  const origin = await startScriptedOrigin(serve)
  const other = await startScriptedOrigin(async (connection) => {
    for (;;) {
      await connection.readRequest(60_000)
      connection.send(responseText('other'))
    }
  })
  const loadBalancer = { serversTransport: 'bad', servers: [{ url: origin.url }] }
  const failover = { service: 'bad', fallback: 'other', errors: { status: ['503'] } }
  const gateway = await startGateway({
    routes: {
      http: {
        routers: { all: { rule: 'PathPrefix(`/`)', entryPoints: ['web'], service: 'both' } },
        services: {
          bad: { loadBalancer },
          other: { loadBalancer: { servers: [{ url: other.url }] } },
          both: { failover },
        },
        serversTransports: { bad: transport },
      },
    },
  })
  stops.push(
    () => origin.stop(),
    () => other.stop(),
    () => gateway.stop(),
  )
  return { origin, gateway }
}

async function clientOf(gateway: Gateway): Promise<RawClient> {
  const client = await connectRaw(gateway.port)
  stops.push(() => client.destroy())
  return client
}

async function ask(gateway: Gateway): Promise<string> {
  const client = await clientOf(gateway)
  return (await client.send(requestText()).readResponse()).body
}

function repeatUntilClosed(connection: OriginConnection, piece: string): void {
  const timer = setInterval(() => {
    if (connection.ended || connection.closed) clearInterval(timer)
    else connection.send(`${piece.length.toString(16)}\r\n${piece}\r\n`)
  }, 20)
  stops.push(() => clearInterval(timer))
}

test.each([
  ['has no end', 'x'.repeat(16 * 1024)],
  ['comes byte by byte', 'x'],
])('a chunked body that %s costs its connection', async (_what, piece) => {
  const { origin, gateway } = await sceneOf(
    async (connection) => {
      await connection.readRequest(60_000)
      connection.send(HEAD)
      repeatUntilClosed(connection, piece)
    },
    { maxConnections: 2 },
  )
  for (let i = 0; i < 4; i++) expect(await ask(gateway)).toBe('other')
  await eventually('all connections to be closed', () =>
    origin.connections.every(({ ended, closed }) => ended || closed),
  )
})

test('a short chunked body is thrown away, and its connection kept', async () => {
  const chunk = `7800\r\n${'x'.repeat(0x7800)}\r\n`
  const { origin, gateway } = await sceneOf(
    async (connection) => {
      for (;;) {
        await connection.readRequest(60_000)
        connection.send(HEAD + chunk)
        connection.send(`${chunk}0\r\n\r\n`)
      }
    },
    { maxConnections: 1 }, // the next request waits for it
  )
  for (let i = 0; i < 5; i++) expect(await ask(gateway)).toBe('other')
  expect(origin.connections.length).toBe(1)
})

test('requests that share the connection of a body that is too long to be read are sent again', async () => {
  const { gateway } = await sceneOf(
    async (connection) => {
      for (;;) {
        const { head } = await connection.readRequest(60_000)
        const target = head.split(' ')[1]!
        if (target === '/long') return connection.send(LONG)
        connection.send(responseText(target))
      }
    },
    { coalesce: { slowAfter: '1m' } },
  )
  const clients = await Promise.all(Array.from({ length: 16 }, () => clientOf(gateway)))
  const get = async (client: RawClient, target: string): Promise<string> =>
    (await client.send(requestText('GET', target)).readResponse()).body
  for (let i = 0; i < 40; i++) await get(clients[0]!, '/proof')
  await eventually('some to be sent again', async () => {
    const bodies = await Promise.all(
      clients.map((client, i) => get(client, i === 0 ? '/long' : `/${i}`)),
    )
    expect(bodies).toEqual(clients.map((_, i) => (i === 0 ? 'other' : `/${i}`)))
    const { body } = await gateway.admin('/metrics')
    return metricSum(body, 'traefik_service_retries_total') > 0
  })
})
