// Clients that leave while their upload is held up by a server that reads nothing. Such a client need not be seen to leave: what it
// has sent fills the socket, and the end stands behind that. The server's stallTimeout ends it, and all that it holds.

import { type Socket, connect, createServer } from 'node:net'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { type Gateway, startGateway } from '../../support/gateway.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'

const AMOUNT = 3
const BODY_BYTES = 20_000_000

describe.each(['node', 'uws'] as const)('with the engine %s', (engine) => {
  const held = new Set<Socket>() // accepted by the server, and never read
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    held.add(socket.on('error', () => undefined))
  })
  let gateway: Gateway

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    gateway = await startGateway({
      engine,
      routes: {
        http: {
          routers: { all: { rule: 'PathPrefix(`/`)', middlewares: ['few'], service: 'silent' } },
          middlewares: { few: { inFlightReq: { amount: AMOUNT } } },
          serversTransports: { short: { stallTimeout: '3s' } },
          services: {
            silent: {
              loadBalancer: {
                serversTransport: 'short',
                servers: [{ url: `http://127.0.0.1:${port}` }],
              },
            },
          },
        },
      },
    })
  })
  afterAll(async () => {
    await gateway.stop()
    for (const socket of held) socket.destroy()
    server.close()
  })

  // Whether one more is refused; else it gets to the server, where it waits.
  async function isFull(host: string): Promise<boolean> {
    const before = held.size
    const client = await connectRaw(gateway.port)
    client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    await eventually('an answer', () => client.received !== '' || held.size > before)
    client.destroy()
    return held.size === before
  }

  function upload(host: string): Promise<Socket> {
    return new Promise((resolve) => {
      const client = connect(gateway.port, '127.0.0.1', () => {
        client.write(`POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`)
        client.write(Buffer.alloc(BODY_BYTES / 2))
        resolve(client)
      })
      client.on('error', () => undefined)
    })
  }

  test.each(['end', 'destroy', 'resetAndDestroy'] as const)('after %s', async (leave) => {
    const before = held.size
    const host = `${leave}.test`.toLowerCase() // inFlightReq counts by it
    const clients = await Promise.all(Array.from({ length: AMOUNT }, () => upload(host)))
    await eventually('all to be passed on', () => held.size === before + AMOUNT)
    await eventually('all to be held up', async () => {
      const left = clients.map((client) => client.writableLength)
      await new Promise((resolve) => setTimeout(resolve, 200))
      return clients.every((client, i) => client.writableLength === left[i])
    })
    for (const client of clients) client[leave]()
    await eventually('the places to be free', async () => !(await isFull(host)))
    for (const client of clients) client.destroy()
  })
})
