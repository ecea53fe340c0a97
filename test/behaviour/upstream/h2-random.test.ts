// A server of HTTP/2 that sends frames at random: whatever it does, each client gets one answer or the end of its
// connection, the worker has no defect, and other servers are served.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, startGateway } from '../../support/gateway.ts'
import {
  END_HEADERS,
  type FrameConnection,
  type FrameServer,
  HEADERS,
  block,
  frame,
  startFrameServer,
} from '../../support/frame-server.ts'
import { type H2Origin, startH2Origin } from '../../support/h2-origin.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { requestText } from '../../support/scene.ts'

const ROUNDS = 200
const AT_ONCE = 8
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
let state = seed
let server: FrameServer
let good: H2Origin
let gateway: Gateway

// A small generator, so that a seed repeats a run.
function random(below: number): number {
  state = (state * 1_103_515_245 + 12_345) % 2 ** 31
  return Math.floor((state / 2 ** 31) * below)
}

const pick = <T>(from: readonly T[]): T => from[random(from.length)]!

const heads = [
  [[':status', '200']],
  [
    [':status', '200'],
    ['content-length', '5'],
  ],
  [[':status', '204']],
  [[':status', '103']],
  [
    [':status', '200'],
    ['x-a', '1\r\n'],
  ],
  [['grpc-status', '0']],
  [],
] as const

function randomFrame(stream: number): Buffer {
  const id = pick([stream, stream, stream, stream, 0, stream + 2, 1, 2])
  const flags = pick([0, 1, 4, 5, 8, 9, 32, random(256)])
  switch (random(6)) {
    case 0:
    case 1:
      return frame(HEADERS, pick([END_HEADERS, END_HEADERS | 1, flags]), id, block(pick(heads)))
    case 2:
    case 3:
      return frame(0, flags, id, Buffer.alloc(pick([0, 1, 5, 300, 16_384]), random(256)))
    case 4:
      return frame(
        pick([2, 3, 4, 5, 6, 7, 8, 9, 10, 99]),
        flags,
        id,
        Buffer.alloc(pick([0, 4, 5, 6, 8, 12]), random(256)),
      )
    default: {
      const bytes = frame(
        random(10),
        flags,
        id,
        Buffer.from(Array.from({ length: random(40) }, () => random(256))),
      )
      return random(4) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes
    }
  }
}

function answer(connection: FrameConnection, stream: number): void {
  const count = 1 + random(6)
  for (let i = 0; i < count; i++) connection.send(randomFrame(stream))
  if (random(3) === 0) connection.socket.destroy()
}

beforeAll(async () => {
  server = await startFrameServer((connection, { type, stream }) => {
    if (type === HEADERS) answer(connection, stream)
  })
  good = await startH2Origin((stream) => {
    stream.respond({ ':status': 200 })
    stream.end('good')
  })
  const service = (name: string, url: string, serversTransport: string) => ({
    [name]: { loadBalancer: { serversTransport, servers: [{ url }] } },
  })
  const router = (name: string) => ({
    [name]: { rule: `Path(\`/${name}\`)`, entryPoints: ['web'], service: name },
  })
  gateway = await startGateway({
    routes: {
      http: {
        routers: { ...router('bad'), ...router('good') },
        services: {
          ...service('bad', server.url, 'short'),
          ...service('good', good.url, 'patient'),
        },
        serversTransports: {
          patient: {}, // what is good may be late
          short: {
            stallTimeout: '300ms',
            forwardingTimeouts: { responseHeaderTimeout: '300ms', dialTimeout: '1s' },
          },
        },
      },
    },
  })
})

afterAll(async () => {
  await gateway.stop()
  await server.stop()
  await good.stop()
})

async function oneRequest(): Promise<void> {
  const client = await connectRaw(gateway.port)
  const body = random(2) === 0 ? '' : 'x'.repeat(random(20_000))
  client.send(requestText(body === '' ? 'GET' : 'POST', '/bad', 'Connection: close\r\n', body))
  await client.untilEnded()
  expect(client.received === '' || /^HTTP\/1\.1 \d{3} /.test(client.received)).toBe(true)
  client.destroy()
}

test(`${ROUNDS * AT_ONCE} random answers (seed ${seed}) end their requests and nothing else`, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(Array.from({ length: AT_ONCE }, oneRequest))
    const client = await connectRaw(gateway.port)
    client.send(requestText('GET', '/good'))
    expect((await client.readResponse()).body).toBe('good')
    client.destroy()
  }
  expect(gateway.stderr()).not.toContain('defect')
}, 240_000)
