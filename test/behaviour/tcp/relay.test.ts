import { createHash, randomBytes } from 'node:crypto'
import net from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { UPSTREAM_RESET, WRITE_TIMEOUT } from '../../../core/errors.ts'
import {
  all,
  clientOf,
  relayTo,
  serverOf,
  untilNothingIsLeft,
  workerOf,
} from '../../support/tcp-scene.ts'
import { echo } from '../../support/tcp-server.ts'
import { routerOf, serviceOf, transportOf, type TcpPlans } from '../../support/tcp-worker.ts'
import { eventually, untilStill } from '../../support/wait.ts'

function hashOf(text: string | Buffer): string {
  return createHash('sha256')
    .update(typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
    .digest('hex')
}

describe('bytes', () => {
  test('of 20 MiB pass both ways exactly as they were sent', async () => {
    const worker = await relayTo(await serverOf(echo))
    const client = await clientOf(worker)
    const sent = randomBytes(20 * 1024 * 1024)
    const hash = createHash('sha256')
    client.socket.on('data', (bytes) => hash.update(bytes))
    client.send(sent).end()
    await client.untilEnded(20_000)
    expect(client.receivedBytes).toBe(sent.length)
    expect(hash.digest('hex')).toBe(hashOf(sent))
    await untilNothingIsLeft(worker)
    expect(worker.count('sluice_tcp_received_bytes_total')).toBe(sent.length)
    expect(worker.count('sluice_tcp_sent_bytes_total')).toBe(sent.length)
    expect(worker.count('sluice_tcp_connections_total')).toBe(1)
  })

  test('that are small and answered in turn are not held back', async () => {
    const worker = await relayTo(await serverOf(echo))
    const client = await clientOf(worker)
    for (let i = 0; i < 200; i++) {
      client.send(`ping ${i}\n`)
      await client.untilText(`ping ${i}\n`)
      client.take(client.received.length)
    }
  })

  test('of a server that speaks first reach a client that has said nothing', async () => {
    const server = await serverOf((socket) => socket.write('220 ready\r\n'))
    const client = await clientOf(await relayTo(server))
    await client.untilText('220 ready\r\n')
  })

  test('wait for a server that does not read, within bounds, and arrive when it does', async () => {
    const server = await serverOf((socket) => void socket.pause())
    const worker = await relayTo(server)
    const client = await clientOf(worker)
    const sent = randomBytes(32 * 1024 * 1024)
    client.send(sent)
    const behind = await server.next()
    // The kernel's buffers on both hops, our own one of 256 KiB, and the bound; the rest stays with the client.
    await untilStill('what the client could not send', () => client.socket.writableLength)
    expect(client.socket.writableLength).toBeGreaterThan(0)
    const heldBack = process.memoryUsage().arrayBuffers
    expect(heldBack).toBeLessThan(200 * 1024 * 1024)
    const hash = createHash('sha256')
    behind.socket.on('data', (bytes: Buffer) => hash.update(bytes))
    behind.socket.resume()
    await behind.until('all bytes', () => behind.receivedBytes === sent.length, 20_000)
    expect(hash.digest('hex')).toBe(hashOf(sent))
  })
})

describe('an end', () => {
  test('of the client reaches the server, whose long answer still arrives whole', async () => {
    const server = await serverOf()
    const worker = await relayTo(server)
    const client = await clientOf(worker)
    client.send('what is there?').end()
    const behind = await server.next()
    await behind.untilEnded()
    expect(behind.received).toBe('what is there?')
    const answer = randomBytes(8 * 1024 * 1024)
    behind.send(answer).end()
    await client.untilEnded()
    expect(hashOf(client.received)).toBe(hashOf(answer))
    await untilNothingIsLeft(worker)
  })

  test('of the server reaches the client, which may still send', async () => {
    const server = await serverOf()
    const worker = await relayTo(server, { terminationDelayMs: -1 })
    const client = await clientOf(worker)
    const behind = await server.next()
    behind.send('bye').end()
    await client.untilEnded()
    client.send('one more thing').end()
    await behind.untilEnded()
    expect(behind.received).toBe('one more thing')
    await untilNothingIsLeft(worker)
  })

  test('of one side closes a silent other side after terminationDelay, and never when that is negative', async () => {
    const server = await serverOf()
    const plans = (delay: number): TcpPlans => ({
      routers: [routerOf(all)],
      services: [serviceOf([server.port], { terminationDelayMs: delay })],
    })
    const worker = await workerOf(plans(-1))
    const patient = await clientOf(worker)
    patient.end()
    const patientBehind = await server.next()
    await patientBehind.untilEnded()
    worker.adopt(plans(300))
    const client = await clientOf(worker)
    const from = performance.now()
    client.end()
    const behind = await server.next()
    await client.untilEnded()
    expect(performance.now() - from).toBeGreaterThan(300)
    await behind.until('the close', () => behind.ended)
    expect(patient.ended || patient.closed).toBe(false)
    patientBehind.send('still there')
    await patient.untilText('still there')
  })

  test('comes after idleTimeout to a connection on which nothing passes, and to no other', async () => {
    const server = await serverOf(echo)
    const worker = await workerOf({
      routers: [routerOf(all)],
      services: [serviceOf([server.port])],
      transports: [transportOf({ idleTimeoutMs: 2000 })],
    })
    const [idle, busy] = [await clientOf(worker), await clientOf(worker)]
    const from = performance.now()
    let answered = 0
    while (!idle.ended && !idle.closed) {
      busy.send('x')
      await busy.until('an answer', () => busy.receivedBytes > answered)
      answered = busy.receivedBytes
    }
    expect(performance.now() - from).toBeGreaterThan(1850)
    expect(busy.ended || busy.closed).toBe(false)
  })

  test('comes after idleTimeout to a half that terminationDelay lets stay for ever', async () => {
    const server = await serverOf()
    const worker = await workerOf({
      routers: [routerOf(all)],
      services: [serviceOf([server.port], { terminationDelayMs: -1 })],
      transports: [transportOf({ idleTimeoutMs: 1000 })],
    })
    const client = await clientOf(worker)
    client.end()
    await (await server.next()).untilEnded()
    await untilNothingIsLeft(worker)
  })

  test('of both at once leaves nothing behind', async () => {
    const server = await serverOf((socket) => socket.end())
    const worker = await relayTo(server)
    const clients = await Promise.all(Array.from({ length: 20 }, () => clientOf(worker)))
    for (const client of clients) client.end()
    await Promise.all(clients.map((client) => client.untilEnded()))
    await untilNothingIsLeft(worker)
  })

  test('by a reset of the server is a reset for the client, and the other way round', async () => {
    const server = await serverOf()
    const worker = await relayTo(server)
    const client = await clientOf(worker)
    const behind = await server.next()
    behind.send('half of')
    await client.untilText('half of')
    behind.reset()
    await client.until('the reset', () => client.fault === 'ECONNRESET')
    expect(worker.errors(UPSTREAM_RESET)).toBe(1)
    const other = await clientOf(worker)
    const otherBehind = await server.next()
    other.send('half of')
    await otherBehind.untilText('half of')
    other.reset()
    await otherBehind.until('the reset', () => otherBehind.fault === 'ECONNRESET')
    await untilNothingIsLeft(worker)
  })

  test('comes by itself to a client that never reads what waits for it', async () => {
    const server = await serverOf((socket) => {
      socket.on('error', () => {})
      socket.write(randomBytes(32 * 1024 * 1024))
    })
    const worker = await relayTo(
      server,
      {},
      {
        times: { writeStallTimeoutMs: 300 },
      },
    )
    const socket = net.connect({ port: worker.port, host: '127.0.0.1' })
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => {})
    await eventually('the connection to be cut', () => worker.errors(WRITE_TIMEOUT) === 1)
    await untilNothingIsLeft(worker)
  })
})
