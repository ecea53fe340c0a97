// A server that can't be reached is passed over for another one; when none can, the client hears of it at once.

import { once } from 'node:events'
import { rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, expect, test } from 'vitest'
import {
  type Gateway,
  type Keys,
  freePorts,
  routesTo,
  startGateway,
} from '../../support/gateway.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { type Response, connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'

const stops: (() => unknown)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

async function gatewayTo(urls: readonly string[], transport: Keys = {}): Promise<Gateway> {
  const gateway = await startGateway({ routes: routesTo(urls, transport) })
  stops.push(() => gateway.stop())
  return gateway
}

async function originOf(body: string): Promise<HttpOrigin> {
  const origin = await startHttpOrigin((_request, response) => response.end(body))
  stops.push(() => origin.stop())
  return origin
}

async function closedUrl(): Promise<string> {
  const [port = 0] = await freePorts(1)
  return `http://127.0.0.1:${port}`
}

async function ask(gateway: Gateway, method = 'GET'): Promise<Response> {
  const client = await connectRaw(gateway.port)
  client.send(`${method} / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`)
  const answer = await client.readResponse()
  client.destroy()
  return answer
}

// Listens in a thread that never accepts; its queue is full, so the kernel answers no further connection.
async function urlOfFullQueue(): Promise<string> {
  const thread = new Worker(
    `const { parentPort } = require('node:worker_threads')
     const server = require('node:net').createServer()
     server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
       parentPort.postMessage(server.address().port)
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
     })`,
    { eval: true },
  )
  stops.push(() => thread.terminate())
  const [port] = (await once(thread, 'message')) as [number]
  const sockets = Array.from({ length: 4 }, () => net.connect(port, '127.0.0.1'))
  for (const socket of sockets) {
    socket.on('error', () => undefined)
    stops.push(() => socket.destroy())
  }
  await eventually('the queue to be full', () => {
    return sockets.filter((socket) => socket.readyState === 'open').length === 2
  })
  return `http://127.0.0.1:${port}`
}

test('a server that refuses connections is passed over for another one, for every method', async () => {
  const good = await originOf('good')
  const gateway = await gatewayTo([await closedUrl(), good.url])
  for (const method of ['GET', 'POST', 'GET', 'POST']) {
    expect((await ask(gateway, method)).body).toBe('good')
  }
})

test('when all servers refuse connections, the answer is a 502 at once', async () => {
  const gateway = await gatewayTo([await closedUrl(), await closedUrl()])
  const from = performance.now()
  const answer = await ask(gateway)
  expect([answer.status, answer.body]).toEqual([502, 'Bad Gateway (UPSTREAM_REFUSED)\n'])
  expect(performance.now() - from).toBeLessThan(5000) // a dial may take 30 s
})

test('a server that does not take the connection within dialTimeout is a 504', async () => {
  const gateway = await gatewayTo([await urlOfFullQueue()], {
    forwardingTimeouts: { dialTimeout: '3s' },
  })
  const from = performance.now()
  const answer = await ask(gateway, 'POST')
  expect([answer.status, answer.body]).toEqual([504, 'Gateway Timeout (UPSTREAM_DIAL_TIMEOUT)\n'])
  expect(performance.now() - from).toBeGreaterThan(2990)
  expect(performance.now() - from).toBeLessThan(5900) // the only server is not tried again
})

test('a unix socket is a server like any other', async () => {
  const file = path.join(tmpdir(), `sluice-test-${process.pid}.sock`)
  const origin = await originOf('by unix socket')
  const unix = net.createServer((socket) => {
    const through = net.connect(origin.port, '127.0.0.1')
    socket.pipe(through).pipe(socket)
    socket.on('error', () => through.destroy())
    through.on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve) => unix.listen(file, resolve))
  stops.push(
    () => rmSync(file, { force: true }),
    () => unix.close(),
  )
  const gateway = await gatewayTo([`unix://${file}`])
  for (let i = 0; i < 3; i++) expect((await ask(gateway)).body).toBe('by unix socket')
})

test('a unix socket that is not there is a 502', async () => {
  const gateway = await gatewayTo([`unix://${path.join(tmpdir(), 'sluice-nobody.sock')}`])
  expect((await ask(gateway)).status).toBe(502)
})

test('of a name with two families, the one that answers is used', async () => {
  const origin = await originOf('by name') // on 127.0.0.1 only; ::1 refuses
  const gateway = await gatewayTo([`http://localhost:${origin.port}`])
  for (let i = 0; i < 3; i++) expect((await ask(gateway)).body).toBe('by name')
})

test('a name that does not exist is a 502 that says so', async () => {
  const gateway = await gatewayTo(['http://nobody.invalid:80'])
  const answer = await ask(gateway)
  expect([answer.status, answer.body]).toEqual([502, 'Bad Gateway (UPSTREAM_DNS)\n'])
})
