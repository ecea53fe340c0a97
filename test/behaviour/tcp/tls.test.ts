import { randomBytes } from 'node:crypto'
import net, { type AddressInfo } from 'node:net'
import { Duplex } from 'node:stream'
import tls from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { UPSTREAM_CERTIFICATE, UPSTREAM_MALFORMED, UPSTREAM_RESET } from '../../../core/errors.ts'
import { helloMessage, recordsOf } from '../../../core/tls/hello.fixture.ts'
import { type Issued, TestAuthority } from '../../support/certificates.ts'
import { RawClient, connectRaw } from '../../support/raw-client.ts'
import { plainServerTls } from '../../../config/facts.ts'
import { echo, startTcpServer } from '../../support/tcp-server.ts'
import {
  type Arrival,
  type TcpPlans,
  type TcpWorker,
  routerOf,
  serviceOf,
  startTcpWorker,
  transportOf,
} from '../../support/tcp-worker.ts'
import { eventually } from '../../support/wait.ts'

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])

let authority: TestAuthority
let a: Issued
let b: Issued
const ends: (() => unknown)[] = []

beforeAll(() => {
  authority = new TestAuthority()
  a = authority.issue('a.example')
  b = authority.issue('b.example')
})
afterAll(() => authority.remove())
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

// Speaks TLS, says its name first, and then sends back what it gets.
async function tlsServerOf(name: string, leaf: Issued): Promise<{ port: number }> {
  const options = { cert: leaf.certPem, key: leaf.keyPem, allowHalfOpen: true }
  const server = tls.createServer(options, (socket) => {
    socket.on('error', () => {})
    socket.write(`${name}:`)
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => server.close())
  return { port: (server.address() as AddressInfo).port }
}

async function workerOf(plans: TcpPlans, arrival: Arrival = {}): Promise<TcpWorker> {
  const worker = await startTcpWorker(plans, arrival)
  ends.push(() => worker.close())
  return worker
}

async function secureClientOf(
  worker: TcpWorker,
  servername: string,
  over: tls.ConnectionOptions = {},
): Promise<RawClient> {
  const to = { port: worker.port, host: '127.0.0.1', ...over }
  const socket = tls.connect({
    ...to,
    servername,
    ca: authority.root.certPem,
    allowHalfOpen: true,
  } as object)
  ends.push(() => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.once('error', reject)
  })
  return new RawClient(socket)
}

const bothNames = (portA: number, portB: number, clear: number): TcpPlans => ({
  routers: [
    routerOf('HostSNI(`a.example`)', { name: 'a', service: 'a', tls: 'passthrough' }),
    routerOf('HostSNI(`*.example`)', { name: 'b', service: 'b', tls: 'passthrough' }),
    routerOf('HostSNI(`*`)', { name: 'clear', service: 'clear' }),
  ],
  services: [
    serviceOf([portA], { name: 'a' }),
    serviceOf([portB], { name: 'b' }),
    serviceOf([clear], { name: 'clear' }),
  ],
})

const plansToTls = (port: number, rootCas: string): TcpPlans => ({
  routers: [routerOf('HostSNI(`*`)')],
  services: [serviceOf([], { servers: [{ address: `127.0.0.1:${port}`, tls: true }] })],
  transports: [transportOf({ tls: { ...plainServerTls, serverName: 'a.example', rootCas } })],
})

const plansToPostgres = (port: number): TcpPlans => ({
  routers: [routerOf('HostSNI(`a.example`)', { tls: 'passthrough' })],
  services: [serviceOf([port])],
})

describe('passthrough', () => {
  test('on one port: names lead to their servers, which terminate, and clear text to its own', async () => {
    const [serverA, serverB] = [await tlsServerOf('A', a), await tlsServerOf('B', b)]
    const clear = await startTcpServer(echo)
    ends.push(() => clear.close())
    const worker = await workerOf(bothNames(serverA.port, serverB.port, clear.port))
    const toA = await secureClientOf(worker, 'a.example')
    const toB = await secureClientOf(worker, 'b.example')
    toA.send('one')
    toB.send('two')
    await toA.untilText('A:one')
    await toB.untilText('B:two')
    const inClear = await connectRaw(worker.port)
    ends.push(() => inClear.destroy())
    inClear.send('three')
    await inClear.untilText('three')
    await expect(secureClientOf(worker, 'other.org')).rejects.toThrow()
  })

  test('of a hello in records of one byte, in segments of one byte, leads to its server and arrives as it was sent (CVE-2026-32305)', async () => {
    const [server, other] = [await startTcpServer(), await startTcpServer()]
    ends.push(
      () => server.close(),
      () => other.close(),
    )
    const worker = await workerOf(bothNames(server.port, other.port, other.port))
    const bytes = recordsOf(helloMessage({ names: ['A.Example'], alpn: ['h2'] }), 1)
    const client = await connectRaw(worker.port)
    ends.push(() => client.destroy())
    for (const byte of bytes) {
      client.send(Buffer.of(byte))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const behind = await server.next()
    await behind.until('the hello', () => behind.receivedBytes === bytes.length)
    expect(behind.received).toBe(Buffer.from(bytes).toString('latin1'))
    expect(other.accepted).toHaveLength(0)
  })

  test('of a hello in segments of one byte is no other than of a whole one', async () => {
    const serverA = await tlsServerOf('A', a)
    const worker = await workerOf(bothNames(serverA.port, 1, 1))
    const raw = net.connect({ port: worker.port, host: '127.0.0.1', noDelay: true })
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        const sendByte = (at: number): void => {
          if (at === chunk.length) return done()
          raw.write(chunk.subarray(at, at + 1), () => setImmediate(sendByte, at + 1))
        }
        sendByte(0)
      },
    })
    raw.on('data', (bytes) => wire.push(bytes))
    raw.on('error', () => {})
    ends.push(() => raw.destroy())
    const client = await secureClientOf(worker, 'a.example', { socket: wire })
    client.send('hello')
    await client.untilText('A:hello')
  })
})

describe('termination', () => {
  test('relays 8 MiB to a server in clear text and back, and a half-close', async () => {
    const server = await startTcpServer(echo)
    ends.push(() => server.close())
    const worker = await workerOf(
      {
        routers: [routerOf('HostSNI(`a.example`)', { tls: 'terminate' })],
        services: [serviceOf([server.port])],
      },
      { context: tls.createSecureContext({ cert: a.certPem, key: a.keyPem }) },
    )
    const client = await secureClientOf(worker, 'a.example')
    const sent = randomBytes(8 * 1024 * 1024)
    client.send(sent).end()
    await client.untilEnded()
    expect(client.receivedBytes).toBe(sent.length)
    expect(Buffer.from(client.received, 'latin1').equals(sent)).toBe(true)
    await eventually('nothing to be left', () => worker.connections() === 0)
  })
})

describe('TLS to the server', () => {
  test('carries what the client sends in clear, once the certificate is verified', async () => {
    const server = await tlsServerOf('A', a)
    const worker = await workerOf(plansToTls(server.port, authority.root.certPem))
    const client = await connectRaw(worker.port)
    ends.push(() => client.destroy())
    const sent = randomBytes(4 * 1024 * 1024).toString('latin1')
    client.send(sent).end()
    await client.untilEnded()
    expect(client.received === 'A:' + sent).toBe(true)
    await eventually('nothing to be left', () => worker.upstreamConnections() === 0)
  })

  test('is refused when the certificate is of another name, and the client is closed', async () => {
    const server = await tlsServerOf('B', b)
    const worker = await workerOf(plansToTls(server.port, authority.root.certPem))
    const client = await connectRaw(worker.port)
    await client.untilEnded()
    expect(client.received).toBe('')
    expect(worker.errors(UPSTREAM_CERTIFICATE)).toBe(1)
    await eventually('nothing to be left', () => worker.connections() === 0)
  })
})

describe('a Postgres client', () => {
  const postgres = { facts: { postgres: true } }
  test('whose TLS is passed through meets a server that was asked for TLS in its name', async () => {
    const context = { cert: a.certPem, key: a.keyPem }
    const asked: string[] = []
    const server = net.createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', (bytes) => {
        asked.push(bytes.toString('hex'))
        socket.write('S')
        const secured = new tls.TLSSocket(socket, { isServer: true, ...context })
        secured.on('error', () => {})
        secured.write('ready')
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ends.push(() => server.close())
    const worker = await workerOf(plansToPostgres((server.address() as AddressInfo).port), postgres)
    const client = await secureClientOf(worker, 'a.example')
    await client.untilText('ready')
    expect(asked).toEqual([SSL_REQUEST.toString('hex')])
  })

  test.each([
    ['refuses TLS', 'N', UPSTREAM_MALFORMED],
    ['says more than one byte before the handshake', 'Sx', UPSTREAM_MALFORMED],
    ['ends', '', UPSTREAM_RESET],
  ])('is closed when the server %s', async (_what, answer, code) => {
    const server = await startTcpServer((socket) =>
      socket.once('data', () => (answer === '' ? socket.end() : socket.write(answer))),
    )
    ends.push(() => server.close())
    const worker = await workerOf(plansToPostgres(server.port), postgres)
    await expect(secureClientOf(worker, 'a.example')).rejects.toThrow()
    expect(worker.errors(code)).toBe(1)
    await eventually('nothing to be left', () => worker.connections() === 0)
    expect(worker.upstreamConnections()).toBe(0)
  })
})
