// Coalescing is worth its risk only if the requests of one turn really leave in one write.

import { Buffer } from 'node:buffer'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { emptyGeneration } from '../../../config/generation.ts'
import { Connection } from '../../../workers/downstream/node/connection.ts'
import { EntryPoint } from '../../../workers/entry-point.ts'
import * as pipeline from '../../../workers/pipeline.ts'
import { type Handle, Socket } from '../../../workers/socket.ts'
import { adopt, generationOf, newContext } from '../../support/live.ts'
import { eventually } from '../../support/wait.ts'

const CLIENTS = 24
const REQUEST = Buffer.from('GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n')
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

const ends: (() => void)[] = []
afterEach(() => {
  vi.restoreAllMocks()
  for (const end of ends.splice(0)) end()
})

// A client whose bytes we deliver by hand, so that many arrive in one turn.
function clientHandle(answers: string[]): Handle {
  const done = (): number => 0
  return {
    readStart: done,
    readStop: done,
    useUserBuffer: done,
    shutdown: done,
    close: done,
    setNoDelay: done,
    setKeepAlive: done,
    getpeername: done,
    writeQueueSize: 0,
    writeLatin1String: (_request: object, text: string) => (answers.push(text), 0),
  } as unknown as Handle
}

async function countingOrigin(): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      const requests = bytes.toString('latin1').split('\r\n\r\n').length - 1
      socket.write(ANSWER.repeat(requests))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => server.close())
  return (server.address() as AddressInfo).port
}

test('the requests that one turn brings leave in one write for each shared connection', async () => {
  const port = await countingOrigin()
  const context = newContext()
  pipeline.install(context)
  const routes = {
    http: {
      routers: { all: { rule: 'PathPrefix(`/`)', service: 'origin' } },
      services: {
        origin: {
          loadBalancer: {
            serversTransport: 'shared',
            servers: [{ url: `http://127.0.0.1:${port}` }],
          },
        },
      },
      serversTransports: { shared: { coalesce: { connections: 2, slowAfter: '20s' } } },
    },
  }
  adopt(context, emptyGeneration(), generationOf(routes, 1))
  context.sweeper.start()
  const point = new EntryPoint(context.plan.entryPoints[0]!, 0, context)
  const answers: string[] = []
  const clients = Array.from({ length: CLIENTS }, () => {
    const client = new Connection(new Socket(clientHandle(answers), null), point, null, 0)
    point.connectionOpened(client)
    return client
  })
  const writes = vi.spyOn(Socket.prototype, 'writeText')
  const requestsOf = (text: string): number => text.split('GET /a HTTP/1.1').length - 1
  const upstreamWrites = (): number[] =>
    writes.mock.calls.map(([text]) => requestsOf(text)).filter((count) => count > 0)

  // Rounds of all clients until the server has proved itself and both shared connections are open.
  let biggest = 0
  for (let round = 0; round < 20 && biggest < CLIENTS / 2; round++) {
    writes.mockClear()
    answers.length = 0
    for (const client of clients) client.onBytes(REQUEST, REQUEST.length)
    await eventually('all answers', () => answers.length === CLIENTS)
    biggest = Math.max(...upstreamWrites())
  }

  expect(upstreamWrites()).toEqual([CLIENTS / 2, CLIENTS / 2])
  for (const client of clients) client.close()
})
