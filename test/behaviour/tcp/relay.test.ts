import { createHash, randomBytes } from 'node:crypto'
import net from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import {
  IN_FLIGHT,
  NO_SERVER,
  REFUSED_ADDRESS,
  SHED_CONNECTIONS,
  UPSTREAM_REFUSED,
  UPSTREAM_RESET,
  WRITE_TIMEOUT,
} from '../../../core/errors.ts'
import { healthKey } from '../../../workers/health/board.ts'
import { freePorts } from '../../support/gateway.ts'
import { connectRaw, type RawClient } from '../../support/raw-client.ts'
import { echo, startTcpServer, type TcpServer } from '../../support/tcp-server.ts'
import {
  routerOf,
  serviceOf,
  startTcpWorker,
  transportOf,
  type Arrival,
  type TcpPlans,
  type TcpWorker,
} from '../../support/tcp-worker.ts'
import { eventually } from '../../support/wait.ts'

const all = 'HostSNI(`*`)'
const ends: (() => unknown)[] = []

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

async function serverOf(answer?: (socket: net.Socket) => void): Promise<TcpServer> {
  const server = await startTcpServer(answer)
  ends.push(() => server.close())
  return server
}

async function workerOf(plans: TcpPlans, arrival: Arrival = {}): Promise<TcpWorker> {
  const worker = await startTcpWorker(plans, arrival)
  ends.push(() => worker.close())
  return worker
}

async function clientOf(worker: TcpWorker): Promise<RawClient> {
  const client = await connectRaw(worker.port)
  ends.push(() => client.destroy())
  return client
}

// One server behind one router.
async function relayTo(
  server: TcpServer,
  over: Parameters<typeof serviceOf>[1] = {},
  arrival: Arrival = {},
): Promise<TcpWorker> {
  return workerOf({ routers: [routerOf(all)], services: [serviceOf([server.port], over)] }, arrival)
}

// Nothing is left of any connection: every count is where it began.
async function untilNothingIsLeft(worker: TcpWorker): Promise<void> {
  await eventually('all connections to be gone', () => {
    return worker.connections() === 0 && worker.upstreamConnections() === 0
  })
  expect(worker.context.inFlight.size).toBe(0)
  expect(worker.context.sweeper.size).toBe(0)
}

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
    let before = -1
    await eventually('the client to be stopped', async () => {
      const now = client.socket.writableLength
      const same = now === before && now > 0
      before = now
      await new Promise((resolve) => setTimeout(resolve, 100))
      return same
    })
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
      transports: [transportOf({ idleTimeoutMs: 400 })],
    })
    const [idle, busy] = [await clientOf(worker), await clientOf(worker)]
    const from = performance.now()
    let answered = 0
    while (!idle.ended && !idle.closed) {
      busy.send('x')
      await busy.until('an answer', () => busy.receivedBytes > answered)
      answered = busy.receivedBytes
    }
    expect(performance.now() - from).toBeGreaterThan(300)
    expect(busy.ended || busy.closed).toBe(false)
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
    ends.push(() => socket.destroy())
    socket.on('error', () => {})
    await eventually('the connection to be cut', () => worker.errors(WRITE_TIMEOUT) === 1)
    await untilNothingIsLeft(worker)
  })
})

describe('servers', () => {
  test('take turns', async () => {
    const servers = await Promise.all(
      ['a', 'b', 'c'].map((name) => serverOf((socket) => socket.end(name))),
    )
    const ports = servers.map((server) => server.port)
    const worker = await workerOf({ routers: [routerOf(all)], services: [serviceOf(ports)] })
    const answers: string[] = []
    for (let i = 0; i < 6; i++) {
      const client = await clientOf(worker)
      await client.untilEnded()
      answers.push(client.received)
    }
    expect(answers.join('')).toBe('abcabc')
  })

  test('of weighted services get their shares', async () => {
    const [a, b] = await Promise.all(
      ['a', 'b'].map((name) => serverOf((socket) => socket.end(name))),
    )
    const worker = await workerOf({
      routers: [routerOf(all)],
      services: [
        {
          kind: 'weighted',
          name: 'db@file',
          services: [
            { name: 'a@file', weight: 3 },
            { name: 'b@file', weight: 1 },
          ],
        },
        serviceOf([a!.port], { name: 'a@file' }),
        serviceOf([b!.port], { name: 'b@file' }),
      ],
    })
    let answers = ''
    for (let i = 0; i < 8; i++) {
      const client = await clientOf(worker)
      await client.untilEnded()
      answers += client.received
    }
    expect(answers.replaceAll('b', '')).toHaveLength(6)
    expect(answers).toHaveLength(8)
  })

  test('that refuse are passed over once; then the client is closed and the failure is counted', async () => {
    const dead = await freePorts(2)
    const live = await serverOf(echo)
    const first = { routers: [routerOf(all)], services: [serviceOf([dead[0]!, live.port])] }
    const worker = await workerOf(first)
    for (let i = 0; i < 3; i++) {
      const client = await clientOf(worker)
      client.send('hello')
      await client.untilText('hello')
      client.destroy()
    }
    expect(worker.errors(UPSTREAM_REFUSED)).toBe(0)
    worker.adopt({ routers: [routerOf(all)], services: [serviceOf([...dead, live.port])] })
    const unlucky = await clientOf(worker)
    await unlucky.untilEnded()
    expect(worker.errors(UPSTREAM_REFUSED)).toBe(1)
    await untilNothingIsLeft(worker)
  })

  test('that are down get nothing, and when all are the client is closed', async () => {
    const check = {
      port: 0,
      send: '',
      expect: '',
      intervalMs: 1000,
      unhealthyIntervalMs: 1000,
      timeoutMs: 1000,
    }
    const [a, b] = await Promise.all(
      ['a', 'b'].map((name) => serverOf((socket) => socket.end(name))),
    )
    const service = serviceOf([a!.port, b!.port], { healthCheck: check })
    const worker = await workerOf({ routers: [routerOf(all)], services: [service] })
    const keys = [a!, b!].map(({ port }) => healthKey('tcp', 'db@file', `127.0.0.1:${port}`, check))
    worker.context.health.replace([keys[0]!])
    for (let i = 0; i < 3; i++) {
      const client = await clientOf(worker)
      await client.untilEnded()
      expect(client.received).toBe('b')
    }
    worker.context.health.replace(keys)
    const client = await clientOf(worker)
    await client.untilEnded()
    expect(client.received).toBe('')
    expect(worker.errors(NO_SERVER)).toBe(1)
    worker.context.health.replace([])
    const again = await clientOf(worker)
    await again.untilEnded()
    expect(again.received).not.toBe('')
  })

  test('of a list that is empty close the client', async () => {
    const worker = await workerOf({ routers: [routerOf(all)], services: [serviceOf([])] })
    await (await clientOf(worker)).untilEnded()
    expect(worker.errors(NO_SERVER)).toBe(1)
  })

  test.each([1, 2] as const)('are told of the client by PROXY version %i', async (version) => {
    const server = await serverOf()
    const transport = transportOf({ proxyProtocol: version })
    const plans = { routers: [routerOf(all)], services: [serviceOf([server.port])] }
    const worker = await workerOf(
      { ...plans, transports: [transport] },
      {
        facts: {
          clientAddress: '192.0.2.7',
          clientPort: 4711,
          localAddress: '192.0.2.1',
          localPort: 5432,
        },
      },
    )
    const client = await clientOf(worker)
    client.send('hello')
    const behind = await server.next()
    await behind.untilText('hello')
    const header = Buffer.from(behind.received.slice(0, -5), 'latin1')
    if (version === 1)
      expect(header.toString()).toBe('PROXY TCP4 192.0.2.7 192.0.2.1 4711 5432\r\n')
    else
      expect(header.toString('latin1')).toContain(
        '\xc0\x00\x02\x07\xc0\x00\x02\x01\x12\x67\x15\x38',
      )
  })
})

describe('middlewares', () => {
  test('ipAllowList closes those that are not in its ranges', async () => {
    const server = await serverOf(echo)
    const allow = (range: string) => ({
      routers: [routerOf(all, { middlewares: ['allow@file'] })],
      services: [serviceOf([server.port])],
      middlewares: [
        { name: 'allow@file', kind: 'ipAllowList' as const, options: { sourceRange: [range] } },
      ],
    })
    const worker = await workerOf(allow('192.0.2.0/24'))
    const refused = await clientOf(worker)
    await refused.untilEnded()
    expect(worker.errors(REFUSED_ADDRESS)).toBe(1)
    expect(server.accepted).toHaveLength(0)
    worker.adopt(allow('127.0.0.0/8'))
    const client = await clientOf(worker)
    client.send('hello')
    await client.untilText('hello')
  })

  test('inFlightConn closes those above its amount until another one has ended', async () => {
    const server = await serverOf(echo)
    const worker = await workerOf({
      routers: [routerOf(all, { middlewares: ['few@file'] })],
      services: [serviceOf([server.port])],
      middlewares: [{ name: 'few@file', kind: 'inFlightConn', options: { amount: 2 } }],
    })
    const [one, two] = [await clientOf(worker), await clientOf(worker)]
    for (const client of [one, two]) {
      client.send('in')
      await client.untilText('in')
    }
    const third = await clientOf(worker)
    await third.untilEnded()
    expect(worker.errors(IN_FLIGHT)).toBe(1)
    one.end()
    await one.untilEnded()
    const fourth = await clientOf(worker)
    fourth.send('in')
    await fourth.untilText('in')
    for (const client of [two, fourth]) client.destroy()
    await untilNothingIsLeft(worker)
  })

  test('connections above connectionsMax are closed and leave no place taken', async () => {
    const server = await serverOf(echo)
    const worker = await relayTo(
      server,
      {},
      {
        bounds: { connectionsMax: 1 },
      },
    )
    const one = await clientOf(worker)
    one.send('in')
    await one.untilText('in')
    await (await clientOf(worker)).untilEnded()
    expect(worker.errors(SHED_CONNECTIONS)).toBe(1)
    one.destroy()
    await untilNothingIsLeft(worker)
  })
})

describe('a reload', () => {
  test('leaves connections alone whose router and server are gone, and sends new ones elsewhere', async () => {
    const [before, after] = [await serverOf(echo), await serverOf((socket) => socket.end('new'))]
    const worker = await relayTo(before)
    const client = await clientOf(worker)
    client.send('one')
    await client.untilText('one')
    const name = 'other@file'
    worker.adopt({
      routers: [routerOf(all, { name: 'r@file', service: name })],
      services: [serviceOf([after.port], { name })],
    })
    const next = await clientOf(worker)
    await next.untilEnded()
    expect(next.received).toBe('new')
    client.send('two')
    await client.untilText('onetwo')
  })

  test('shares services and routers that did not change, so that turns go on', async () => {
    const servers = await Promise.all(
      ['a', 'b', 'c'].map((name) => serverOf((socket) => socket.end(name))),
    )
    const router = routerOf(all)
    const service = serviceOf(servers.map((server) => server.port))
    const transports = [transportOf()]
    const worker = await workerOf({ routers: [router], services: [service], transports })
    let answers = ''
    for (let i = 0; i < 6; i++) {
      const other = serviceOf([1], { name: `other${i}@file` })
      worker.adopt({ routers: [router], services: [service, other], transports })
      const client = await clientOf(worker)
      await client.untilEnded()
      answers += client.received
    }
    expect(answers).toBe('abcabc')
  })
})
