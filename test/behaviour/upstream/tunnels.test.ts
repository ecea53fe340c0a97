// Tunnels whose server does not read: the client is paused then, and nobody is told that it has left.

import { randomBytes } from 'node:crypto'
import net, { type AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import { connectRaw } from '../../support/raw-client.ts'
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
let gateway: Gateway

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const routes = routesTo([`http://127.0.0.1:${port}`], { stallTimeout: '2s' })
  gateway = await startGateway({ routes })
})

afterAll(async () => {
  await gateway.stop()
  for (const socket of accepted) socket.destroy()
  server.close()
})

async function openConnections(): Promise<number> {
  const { body } = await gateway.admin('/metrics')
  const line = /open_connections\{[^}]*entrypoint="web"[^}]*\} (\d+)/.exec(body)
  return line === null ? 0 : Number(line[1])
}

test('a tunnel whose server takes nothing for stallTimeout ends, though its client has left unseen', async () => {
  const client = await connectRaw(gateway.port)
  client.send(ASK)
  await client.untilText('101 Switching Protocols')
  client.send(randomBytes(32 * 1024 * 1024))
  await untilStill('what the client could not send', () => client.socket.writableLength)
  client.reset()
  await eventually('nobody to be connected', async () => (await openConnections()) === 0)
  expect((await gateway.admin('/metrics')).body).toMatch(/UPSTREAM_STALL"[^}]*\} 1/)
})
