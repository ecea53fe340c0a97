// The loads against servers that fail in the way each must find: a load that forgives would make every peer good.

import { readFileSync, rmSync } from 'node:fs'
import { constants } from 'node:crypto'
import dgram from 'node:dgram'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import tls from 'node:tls'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { StoodStill } from '../../test/support/stood-still.ts'
import { benchCertificate } from '../certificate.ts'
import { workFolder } from '../folders.ts'
import type { Generator, LoadPlan, LoadResult } from './contract.ts'
import { smallRequest } from './contract.ts'
import { runLoad } from './load.ts'

function load(
  generator: Generator,
  port: number,
  more: Partial<LoadPlan> = {},
): Promise<LoadResult> {
  const plan: LoadPlan = {
    generator,
    port,
    isSecure: generator === 'tls-resume',
    streams: 1,
    connections: 4,
    seconds: 2, // enough for hundreds of requests, though the machine may stand still for most of it
    requests: [smallRequest],
    isClosing: false,
    ratePerSecond: 0,
    ...more,
  }
  return runLoad(plan, null)
}

// A test's process may be ended before its exit handlers have run.
afterAll(() => rmSync(workFolder, { recursive: true, force: true }))

const unharmed = { failedStatus: 0, failedConnections: 0, timeouts: 0 }

function startHttp(answer: http.RequestListener): Promise<number> {
  const server = http.createServer(answer)
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  )
}

// 40 requests fall due, and the first of them holds the only connection.
const paced = { connections: 1, seconds: 1, ratePerSecond: 40 }

test('What falls due and is answered after the end is no failure, and no part of the rate.', async () => {
  let asked = 0
  const port = await startHttp((_request, response) => {
    if (++asked === 1) setTimeout(() => response.end('late'), 1200) // after the end
    else response.end('ok')
  })
  expect(await load('own', port, paced)).toMatchObject({ ...unharmed, requests: 0 })
  expect(asked).toBeGreaterThan(30)
})

test('What falls due and is never answered has timed out, sent or not.', async () => {
  const result = await load('own', await startHttp(() => {}), paced)
  expect(result).toMatchObject({ requests: 0, failedStatus: 0, failedConnections: 0 })
  expect(result.timeouts).toBeGreaterThan(30)
})

test('What is asked after the end and refused is a failure.', async () => {
  let asked = 0
  const port = await startHttp((_request, response) => {
    if (++asked === 1) setTimeout(() => response.end('late'), 1200)
    else response.writeHead(503).end('no')
  })
  const result = await load('own', port, paced)
  expect(result).toMatchObject({ requests: 0, timeouts: 0 })
  expect(result.failedStatus).toBeGreaterThan(30)
})

// Echoes what `answer` makes of the n-th datagram; null drops it.
function startUdp(answer: (bytes: Buffer, count: number) => Buffer | null): Promise<number> {
  const socket = dgram.createSocket('udp4')
  let count = 0
  socket.on('message', (bytes, from) => {
    const echo = answer(bytes, ++count)
    if (echo !== null) socket.send(echo, from.port, from.address)
  })
  onTestFinished(() => void socket.close())
  return new Promise((resolve) => socket.bind(0, '127.0.0.1', () => resolve(socket.address().port)))
}

// Who gets no answer for 200 ms sends again, and this process may not have run for so long: once for each of the four.
async function loadUdp(port: number) {
  const still = new StoodStill()
  const result = await load('udp', port)
  const lateMax = 4 * Math.ceil(still.ms / 200)
  still.stop()
  return { result, lateMax }
}

function expectOneAndLate(timeouts: number, lateMax: number): void {
  expect(timeouts).toBeGreaterThanOrEqual(1)
  expect(timeouts).toBeLessThanOrEqual(1 + lateMax)
}

test('Datagrams that all come back are no failure.', async () => {
  const { result, lateMax } = await loadUdp(await startUdp((bytes) => bytes))
  expect(result).toMatchObject({ failedStatus: 0, failedConnections: 0 })
  expect(result.timeouts).toBeLessThanOrEqual(lateMax)
  expect(result.requests).toBeGreaterThan(100)
})

test('A lost datagram is sent again and counted once as a timeout.', async () => {
  const port = await startUdp((bytes, count) => (count === 9 ? null : bytes))
  const { result, lateMax } = await loadUdp(port)
  expect(result).toMatchObject({ failedStatus: 0, failedConnections: 0 })
  expectOneAndLate(result.timeouts, lateMax)
  expect(result.maxUs).toBeGreaterThanOrEqual(200_000)
})

test('A datagram that comes back changed is a failed answer.', async () => {
  const port = await startUdp((bytes, count) => (count === 9 ? Buffer.alloc(100) : bytes))
  const { result, lateMax } = await loadUdp(port)
  expect(result).toMatchObject({ failedStatus: 1, failedConnections: 0 })
  expectOneAndLate(result.timeouts, lateMax)
})

// Echoes, or does what `fail` does with the n-th message and returns true for.
function startWebSocket(
  fail: (server: WebSocketServer, count: number) => boolean,
): Promise<number> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  let count = 0
  server.on('connection', (socket) =>
    socket.on('message', (bytes) => {
      if (!fail(server, ++count)) socket.send(bytes)
    }),
  )
  onTestFinished(() => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  })
  return new Promise((resolve) =>
    server.on('listening', () => resolve((server.address() as AddressInfo).port)),
  )
}

test('WebSocket messages that all come back are no failure.', async () => {
  const result = await load('websocket', await startWebSocket(() => false))
  expect(result).toMatchObject(unharmed)
  expect(result.requests).toBeGreaterThan(100)
})

test('Lost WebSocket connections are counted each, and the load goes on without them.', async () => {
  let isCut = false
  const port = await startWebSocket((server, count) => {
    if (isCut || count < 50) return false
    isCut = true
    for (const socket of server.clients) socket.terminate()
    return true
  })
  const result = await load('websocket', port)
  expect(result).toMatchObject({ ...unharmed, failedConnections: 4 })
  expect(result.requests).toBeGreaterThan(100)
})

// One answer a connection. Without tickets Node's server hands out sessions that it will not resume.
function startTls(secureOptions: number, status = '200 OK'): Promise<number> {
  const { certFile, keyFile } = benchCertificate()
  const [cert, key] = [readFileSync(certFile), readFileSync(keyFile)]
  const server = tls.createServer({ cert, key, secureOptions }, (socket) => {
    socket.on('error', () => {})
    socket.on('data', () => socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 2\r\n\r\nhi`))
  })
  server.on('tlsClientError', () => {})
  onTestFinished(() => void server.close())
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  )
}

test('Sessions that are resumed are no failure.', async () => {
  const result = await load('tls-resume', await startTls(0))
  expect(result).toMatchObject(unharmed)
  expect(result.requests).toBeGreaterThan(20)
})

test('Handshakes that are not resumed are all failures.', async () => {
  const result = await load('tls-resume', await startTls(constants.SSL_OP_NO_TICKET))
  expect(result).toMatchObject({ requests: 0, failedStatus: 0 })
  expect(result.failedConnections).toBeGreaterThan(4)
})

test('A server that answers with errors is told, and not measured.', async () => {
  const port = await startTls(0, '503 Service Unavailable')
  await expect(load('tls-resume', port)).rejects.toThrow('answered with 503')
})
