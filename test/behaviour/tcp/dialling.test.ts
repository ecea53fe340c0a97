// A client while its server is dialled: one that resets ends the dial at once; what others say meanwhile is kept.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { plainServerTls } from '../../../config/facts.ts'
import { type Issued, TestAuthority } from '../../support/certificates.ts'
import { all, clientOf, untilNothingIsLeft, workerOf } from '../../support/tcp-scene.ts'
import { type TcpPlans, routerOf, serviceOf, transportOf } from '../../support/tcp-worker.ts'
import { eventually } from '../../support/wait.ts'

const LONG_MS = 60_000 // no test lasts until the dial itself gives up

let authority: TestAuthority
let leaf: Issued

beforeAll(() => {
  authority = new TestAuthority()
  leaf = authority.issue('server', { names: ['IP:127.0.0.1'] })
})
afterAll(() => authority.remove())

function plans(port: number, secure: boolean): TcpPlans {
  const servers = [{ address: `127.0.0.1:${port}`, tls: secure }]
  const tlsPlan = { ...plainServerTls, rootCas: authority.root.certPem }
  return {
    routers: [routerOf(all)],
    services: [serviceOf([], { servers })],
    transports: [transportOf({ dialTimeoutMs: LONG_MS, tls: tlsPlan })],
  }
}

// Node's resetAndDestroy() would half-close first, which is not the same.
function reset(socket: net.Socket): void {
  const { _handle } = socket as unknown as { _handle: { reset(done: () => void): void } }
  _handle.reset(() => {})
}

// A listener whose process stands still and whose queue is full: the kernel answers no further SYN.
async function portThatHangs(): Promise<number> {
  const program =
    'const s = require("net").createServer().listen({ host: "127.0.0.1", port: 0, backlog: 1 }, ' +
    '() => console.log(s.address().port))'
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'ignore'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(String(line))
  child.kill('SIGSTOP')
  const fillers: net.Socket[] = []
  onTestFinished(() => {
    for (const filler of fillers) filler.destroy()
    child.kill('SIGKILL')
  })
  for (let opened = true; opened && fillers.length < 16;) {
    const filler = net.connect(port, '127.0.0.1')
    filler.on('error', () => {})
    fillers.push(filler)
    const timer = setTimeout(() => filler.emit('late'), 1000) // a SYN of the loopback is answered at once, or never
    opened = await Promise.race([
      once(filler, 'connect').then(() => true),
      once(filler, 'late').then(() => false),
    ])
    clearTimeout(timer)
  }
  return port
}

test('a client that resets while its server does not answer ends the dial at once', async () => {
  const worker = await workerOf(plans(await portThatHangs(), false))
  const client = await clientOf(worker)
  await eventually('the connection to be taken', () => worker.connections() === 1)
  reset(client.socket)
  await untilNothingIsLeft(worker)
})

test('a client that resets during the handshake with its server ends that too', async () => {
  let ended = false
  const silent = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.on('close', () => (ended = true))
    socket.resume()
  })
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void silent.close())
  const worker = await workerOf(plans((silent.address() as AddressInfo).port, true))
  const client = await clientOf(worker)
  await once(silent, 'connection')
  reset(client.socket)
  await untilNothingIsLeft(worker)
  await eventually('the server to see it', () => ended)
})

// Answers nothing to a ClientHello before it is released.
async function slowServer(): Promise<{ port: number; release: () => void; got: () => string }> {
  let received = ''
  let release = (): void => {}
  const released = new Promise<void>((resolve) => (release = resolve))
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    socket.on('error', () => {})
    void released.then(() => {
      const context = { cert: leaf.certPem, key: leaf.keyPem, isServer: true, allowHalfOpen: true }
      const secured = new tls.TLSSocket(socket, context as tls.TLSSocketOptions)
      secured.on('error', () => {})
      secured.on('data', (bytes: Buffer) => (received += bytes.latin1Slice()))
      secured.on('end', () => secured.end('answer'))
      socket.resume()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { port: (server.address() as AddressInfo).port, release, got: () => received }
}

test('what a client says meanwhile, and its half-close, reach the server in order', async () => {
  const server = await slowServer()
  const worker = await workerOf(plans(server.port, true))
  const client = await clientOf(worker)
  client.send('one ')
  await eventually('the dial to have begun', () => worker.connections() === 1)
  client.send('two ').send('three').end()
  await new Promise((resolve) => setImmediate(resolve))
  server.release()
  await client.untilEnded()
  expect(client.received).toBe('answer')
  expect(server.got()).toBe('one two three')
  await untilNothingIsLeft(worker)
  expect(worker.count('sluice_tcp_received_bytes_total')).toBe('one two three'.length)
})

test('more than a little of it waits with the client, and arrives whole', async () => {
  const server = await slowServer()
  const worker = await workerOf(plans(server.port, true))
  const client = await clientOf(worker)
  const sent = 'x'.repeat(4 * 1024 * 1024)
  client.send(sent).end()
  await eventually('the dial to have begun', () => worker.connections() === 1)
  server.release()
  await client.untilEnded()
  expect(server.got() === sent).toBe(true)
  await untilNothingIsLeft(worker)
})
