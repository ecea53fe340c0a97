// Tunnels whose server does not read: the client is paused then, and nobody is told that it has left.

import { randomBytes } from 'node:crypto'
import http2 from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, type Keys, routesTo, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { eventually, untilStill } from '../../support/wait.ts'

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: own\r\n\r\n'
const ASK = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: own\r\n\r\n'

const accepted: net.Socket[] = []
const server = net.createServer((socket) => {
  accepted.push(socket)
  socket.on('error', () => {})
  socket.once('data', () => {
    socket.pause()
    socket.write(SWITCH)
  })
})
// The same over HTTP/2 (RFC 8441): no window is ever given to the stream.
const sessions: http2.ServerHttp2Session[] = []
const server2 = http2.createServer({ settings: { enableConnectProtocol: true } })
server2.on('session', (session) => sessions.push(session))
server2.on('stream', (stream) => {
  stream.on('error', () => {})
  stream.pause()
  stream.respond({ ':status': 200 })
})
let gateway: Gateway

async function listen(on: net.Server): Promise<number> {
  await new Promise<void>((resolve) => on.listen(0, '127.0.0.1', resolve))
  return (on.address() as AddressInfo).port
}

beforeAll(async () => {
  const [port, port2] = [await listen(server), await listen(server2)]
  const transport = { stallTimeout: '2s' }
  const routes = routesTo([`http://127.0.0.1:${port}`], transport)
  gateway = await startGateway({ routes: withSecond(routes, `h2c://127.0.0.1:${port2}`) })
})

// A router of host "h2.test" to that server.
function withSecond(routes: Keys, url: string): Keys {
  const http = routes['http'] as Record<string, Keys>
  const second = { rule: 'Host(`h2.test`)', entryPoints: ['web'], service: 'second', priority: 100 }
  const loadBalancer = { servers: [{ url }], serversTransport: 'origin' }
  return {
    http: {
      ...http,
      routers: { ...http['routers'], second },
      services: { ...http['services'], second: { loadBalancer } },
    },
  }
}

afterAll(async () => {
  await gateway.stop()
  for (const socket of accepted) socket.destroy()
  for (const session of sessions) session.destroy()
  server.close()
  server2.close()
})

async function metric(name: string, label: string): Promise<number> {
  return metricSum((await gateway.admin('/metrics')).body, name, label)
}

const openConnections = () => metric('traefik_open_connections', 'entrypoint="web"')
const stalls = () => metric('sluice_errors_total', 'code="UPSTREAM_STALL"')

const WEBSOCKET =
  'GET / HTTP/1.1\r\nHost: h2.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

// More than anybody on the way holds.
async function sendUntilHeld(client: RawClient): Promise<void> {
  client.send(randomBytes(32 * 1024 * 1024))
  await untilStill('what the client could not send', () => client.socket.writableLength)
}

test.each([
  ['HTTP/1.1', ASK],
  ['HTTP/2', WEBSOCKET],
])(
  'a tunnel whose server takes nothing over %s for stallTimeout ends, though its client has left unseen',
  async (_protocol, ask) => {
    const before = await stalls()
    const client = await connectRaw(gateway.port)
    client.send(ask)
    await client.untilText('101 Switching Protocols')
    await sendUntilHeld(client)
    client.reset()
    await eventually('nobody to be connected', async () => (await openConnections()) === 0)
    expect(await stalls()).toBe(before + 1)
  },
)
