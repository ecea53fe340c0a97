// Whatever two peers do to a relayed connection, each gets exactly what the other has sent, and the ends in order.

import net, { type AddressInfo } from 'node:net'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RawClient, connectRaw } from '../../support/raw-client.ts'
import { startTcpServer, type TcpServer } from '../../support/tcp-server.ts'
import { type TcpWorker, routerOf, serviceOf, startTcpWorker } from '../../support/tcp-worker.ts'
import { eventually } from '../../support/wait.ts'

let server: TcpServer
let worker: TcpWorker

beforeAll(async () => {
  server = await startTcpServer()
  worker = await startTcpWorker({
    routers: [routerOf('HostSNI(`*`)')],
    services: [serviceOf([server.port], { terminationDelayMs: -1 })],
  })
})

afterAll(async () => {
  worker.close()
  await server.close()
})

type Step =
  | { readonly side: 0 | 1; readonly kind: 'send'; readonly bytes: number }
  | { readonly side: 0 | 1; readonly kind: 'pause' | 'resume' | 'turn' }

const side = fc.constantFrom(0 as const, 1 as const)
const size = fc.oneof(
  fc.nat(20),
  fc.nat(20_000),
  fc.constantFrom(8191, 8192, 8193, 16_384, 65_536, 65_537, 262_144, 1_000_000),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ side, kind: fc.constant('send' as const), bytes: size }),
  fc.record({ side, kind: fc.constantFrom('pause' as const, 'resume' as const, 'turn' as const) }),
)

// Different for every place, so that a shift or a repetition shows.
function textOf(from: number, length: number): string {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i < length; i++) bytes[i] = ((from + i) * 7 + ((from + i) >> 8) * 13) & 255
  return bytes.toString('latin1')
}

async function play(steps: readonly Step[]): Promise<void> {
  const client = await connectRaw(worker.port)
  const peers = [client, await server.next()] as const
  const sent = [0, 0]
  for (const { side: at, ...what } of steps) {
    const peer = peers[at]
    if (what.kind === 'send') {
      peer.send(textOf(sent[at]!, what.bytes))
      sent[at]! += what.bytes
    } else if (what.kind === 'pause') peer.socket.pause()
    else if (what.kind === 'resume') peer.socket.resume()
    else await new Promise((resolve) => setImmediate(resolve))
  }
  for (const peer of peers) peer.end()
  for (const peer of peers) peer.socket.resume()
  await Promise.all(peers.map((peer) => peer.untilEnded()))
  for (const at of [0, 1] as const) {
    const got = peers[1 - at]!.received
    expect(got.length).toBe(sent[at])
    expect(got === textOf(0, sent[at]!)).toBe(true)
  }
}

test('random sends, pauses and turns lose, repeat and move nothing', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 25 }), play), { numRuns: 60 })
  await eventually('nothing to be left', () => worker.connections() === 0)
  expect(worker.upstreamConnections()).toBe(0)
}, 60_000)

test('peers that vanish at any moment leave nothing behind', async () => {
  let count = 0
  const quiet = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.write('x'.repeat(100_000))
    if (count++ % 2 === 0) setImmediate(() => socket.resetAndDestroy())
    else socket.resume()
  })
  await new Promise<void>((resolve) => quiet.listen(0, '127.0.0.1', resolve))
  worker.adopt({
    routers: [routerOf('HostSNI(`*`)')],
    services: [serviceOf([(quiet.address() as AddressInfo).port])],
  })
  const vanish = async (turns: number): Promise<void> => {
    const socket = net.connect({ port: worker.port, host: '127.0.0.1' })
    const client = new RawClient(socket)
    client.send('hello')
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
    if (turns % 2 === 0) client.reset()
    else client.destroy()
  }
  await Promise.all(Array.from({ length: 300 }, (_, i) => vanish(i % 30)))
  await eventually('nothing to be left', () => worker.connections() === 0)
  expect(worker.upstreamConnections()).toBe(0)
  expect(worker.context.sweeper.size).toBe(0)
  await new Promise<void>((resolve) => quiet.close(() => resolve()))
})
