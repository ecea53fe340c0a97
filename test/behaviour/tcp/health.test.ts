import { plainServerTls } from '../../../config/facts.ts'
import net from 'node:net'
import tls from 'node:tls'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { TcpHealthCheckPlan, TcpServicePlan } from '../../../config/protocol-plans.ts'
import { HealthChecks, type HealthTarget } from '../../../workers/health/checks.ts'
import { tcpHealthTargets } from '../../../workers/tcp/health.ts'
import { TestAuthority } from '../../support/certificates.ts'
import { freePorts } from '../../support/gateway.ts'
import { startTcpServer, type TcpServer } from '../../support/tcp-server.ts'
import { serviceOf, transportOf } from '../../support/tcp-worker.ts'
import { Wait } from '../../support/wait.ts'

const ends: (() => unknown)[] = []
let authority: TestAuthority

beforeAll(() => {
  authority = new TestAuthority()
})
afterAll(() => authority.remove())
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

const check: TcpHealthCheckPlan = {
  port: 0,
  send: '',
  expect: '',
  intervalMs: 100,
  unhealthyIntervalMs: 100,
  timeoutMs: 10_000,
}

interface Watched {
  readonly log: string[]
  readonly checks: HealthChecks
  use(services: readonly TcpServicePlan[], transport?: Parameters<typeof transportOf>[0]): void
  untilDown(count: number): Promise<void>
}

function watch(): Watched {
  const wait = new Wait()
  const log: string[] = []
  let told = 0
  let down = 0
  const say = (message: string): number => log.push(message)
  const checks = new HealthChecks(
    (keys) => {
      told++
      down = keys.length
      wait.look()
    },
    { info: say, warn: say },
  )
  ends.push(() => checks.stop())
  return {
    log,
    checks,
    use: (services, transport) =>
      checks.use(
        tcpHealthTargets({
          tcpServices: new Map(services.map((s) => [s.name, s])),
          tcpTransports: new Map([['', transportOf(transport)]]),
        }),
      ),
    untilDown: (count) =>
      wait.until(
        () => told > 0 && down === count,
        () => `${count} servers to be down, not ${down}: ${log.join('; ')}`,
      ),
  }
}

async function serverOf(answer?: (socket: net.Socket) => void): Promise<TcpServer> {
  const server = await startTcpServer((socket) => {
    socket.on('error', () => {})
    answer?.(socket)
  })
  ends.push(() => server.close())
  return server
}

// The verdict of the first probe.
function verdictOf(target: HealthTarget): Promise<string> {
  return new Promise((resolve) => target.probe(resolve))
}

function targetOf(
  port: number,
  over: Partial<TcpHealthCheckPlan>,
  transport: Parameters<typeof transportOf>[0] = {},
  isTls = false,
): HealthTarget {
  const servers = [{ address: `127.0.0.1:${port}`, tls: isTls }]
  const service = serviceOf([], { servers, healthCheck: { ...check, ...over } })
  return tcpHealthTargets({
    tcpServices: new Map([[service.name, service]]),
    tcpTransports: new Map([['', transportOf(transport)]]),
  })[0]!
}

test('a server that goes and comes back is told as down and as up, once each', async () => {
  const [port = 0] = await freePorts(1)
  const watched = watch()
  watched.use([serviceOf([port], { healthCheck: check })])
  await watched.untilDown(1)
  expect(watched.checks.isUp('db@file', `127.0.0.1:${port}`)).toBe(false)
  expect(watched.checks.isUp('other@file', `127.0.0.1:${port}`)).toBe(true)
  const server = net
    .createServer((socket) => socket.on('error', () => {}))
    .listen(port, '127.0.0.1')
  ends.push(() => server.close())
  await watched.untilDown(0)
  expect(watched.log).toEqual([
    `server 127.0.0.1:${port} of db@file is down: ECONNREFUSED`,
    `server 127.0.0.1:${port} of db@file is up again`,
  ])
  expect(watched.checks.states).toEqual([
    { service: 'db@file', address: `127.0.0.1:${port}`, up: true },
  ])
})

test('a reload keeps the state of what did not change and forgets what is gone', async () => {
  const ports = await freePorts(2)
  const services = ports.map((port, i) =>
    serviceOf([port], {
      name: `s${i}@file`,
      healthCheck: { ...check, unhealthyIntervalMs: 60_000 },
    }),
  )
  const watched = watch()
  watched.use(services)
  await watched.untilDown(2)
  watched.use([services[0]!])
  await watched.untilDown(1)
  expect(watched.checks.down[0]).toContain('s0@file')
  expect(watched.log).toHaveLength(2)
})

test.each([
  ['says what is expected', { expect: '220 ' }, '220 mail ready\r\n', ''],
  ['says something else', { expect: '220 ' }, '554 no\r\n', 'another answer than expected'],
  ['says less and ends', { expect: '220 ' }, '22', 'the server closed the connection'],
])('a server that %s is judged by its first bytes', async (_what, over, banner, fault) => {
  const server = await serverOf((socket) => socket.end(banner))
  expect(await verdictOf(targetOf(server.port, over))).toBe(fault)
})

test('a check may wait for longer than a timer of Node can', async () => {
  const server = await serverOf((socket) => setTimeout(() => socket.end('220 ready\r\n'), 100))
  const over = { expect: '220 ', timeoutMs: 720 * 3_600_000 }
  expect(await verdictOf(targetOf(server.port, over))).toBe('')
})

test('what is to be sent is sent, and an answer in pieces is put together', async () => {
  const server = await serverOf((socket) => {
    socket.once('data', (bytes) => {
      if (bytes.toString() !== 'PING\r\n') return
      socket.write('+PO')
      setImmediate(() => socket.write('NG\r\n'))
    })
  })
  const target = targetOf(server.port, { send: 'PING\r\n', expect: '+PONG' })
  expect(await verdictOf(target)).toBe('')
})

test('a server that accepts and says nothing is down after the time-out', async () => {
  const server = await serverOf()
  const target = targetOf(server.port, { expect: 'x', timeoutMs: 150 })
  expect(await verdictOf(target)).toBe('no answer in time')
})

test('another port is asked where one is given', async () => {
  const server = await serverOf((socket) => socket.end('ok'))
  expect(await verdictOf(targetOf(1, { port: server.port, expect: 'ok' }))).toBe('')
})

test('a server that wants a PROXY header gets one that says that we speak for ourselves', async () => {
  const server = await serverOf()
  const verdict = verdictOf(
    targetOf(server.port, { expect: 'x', timeoutMs: 10_000 }, { proxyProtocol: 1 }),
  )
  const behind = await server.next()
  await behind.untilText('PROXY UNKNOWN\r\n')
  behind.send('x')
  expect(await verdict).toBe('')
})

test('the certificate of a server with TLS is verified by its check too', async () => {
  const leaf = authority.issue('a.example')
  const server = tls.createServer({ cert: leaf.certPem, key: leaf.keyPem }, (s) => {
    s.on('error', () => {})
    s.write('hello')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => server.close())
  const { port } = server.address() as AddressInfo
  const verdict = (serverName: string): Promise<string> => {
    const options = { ...plainServerTls, serverName, rootCas: authority.root.certPem }
    return verdictOf(targetOf(port, { expect: 'hello' }, { tls: options }, true))
  }
  expect(await verdict('a.example')).toBe('')
  expect(await verdict('b.example')).toBe('HOST_MISMATCH')
})
