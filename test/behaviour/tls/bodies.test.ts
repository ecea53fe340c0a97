// test/behaviour/tls/bodies.test.ts: what passes through TLS arrives whole, in both directions, and is bounded on the way.

import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type tls from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TlsScene, routers, run, shake, startTlsScene } from '../../support/tls-scene.ts'

const MIB = 1024 * 1024
const body = randomBytes(32 * MIB)
const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

let origin: http.Server
let sent = 0 // bytes that the server could write of an endless answer
let scene: TlsScene

beforeAll(async () => {
  origin = http.createServer((request, response) => {
    response.on('error', () => undefined)
    if (request.url === '/endless') return endless(response)
    if (request.method === 'GET') return void response.end(body)
    const hash = createHash('sha256')
    let length = 0
    request.on('data', (piece: Buffer) => {
      hash.update(piece)
      length += piece.length
    })
    request.on('end', () => response.end(`${length} ${hash.digest('hex')}`))
  })
  origin.on('upgrade', (_request, socket) => {
    socket.on('error', () => undefined)
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`
  scene = await startTlsScene(() => ({
    http: {
      routers: routers({ all: ['PathPrefix(`/`)', {}] }),
      services: { origin: { loadBalancer: { servers: [{ url }] } } },
    },
  }))
}, 60_000)
afterAll(async () => {
  await scene.stop()
  origin.closeAllConnections()
  origin.close()
})

function endless(response: http.ServerResponse): void {
  const piece = Buffer.alloc(64 * 1024, 1)
  const fill = (): void => {
    let more = !response.destroyed
    while (more) {
      sent += piece.length
      more = response.write(piece)
    }
  }
  response.on('drain', fill)
  fill()
}

const url = (path: string): string => `https://127.0.0.1:${scene.secure}${path}`

for (const version of ['--tls-max 1.2', '--tlsv1.3'] as const) {
  for (const http1 of ['--http1.1', '--http2']) {
    test(`32 MiB down and up are the same bytes (${version}, ${http1})`, async () => {
      const fixed = `curl -sSk --max-time 60 ${version} ${http1}`
      const down = await run('sh', ['-c', `${fixed} ${url('/')} | sha256sum`])
      expect(down.stdout.slice(0, 64)).toBe(digest(body))
      const make = `head -c ${9 * MIB + 1} /dev/zero`
      const up = await run('sh', ['-c', `${make} | ${fixed} -H 'Expect:' -T - ${url('/')}`])
      const zeros = Buffer.alloc(9 * MIB + 1)
      expect(up.stdout).toBe(`${zeros.length} ${digest(zeros)}`)
    }, 60_000)
  }
}

test('a client that does not read holds the server back, and costs bounded memory', async () => {
  const { socket } = await shake(scene.secure)
  const before = residentBytes()
  socket.pause()
  socket.write('GET /endless HTTP/1.1\r\nHost: a.example\r\n\r\n')
  let last = -1
  await expect
    .poll(
      () => {
        const same = sent > 0 && sent === last
        last = sent
        return same
      },
      { timeout: 20_000, interval: 500 },
    )
    .toBe(true)
  expect(sent).toBeLessThan(64 * MIB) // the kernel's buffers on four sockets are part of it
  expect(residentBytes() - before).toBeLessThan(32 * MIB)
  socket.destroy()
})

function residentBytes(): number {
  const status = readFileSync(`/proc/${scene.gateway.child.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024
}

test('a tunnel passes bytes both ways over TLS, and ends with its server', async () => {
  const { socket } = await shake(scene.secure)
  const pieces: Buffer[] = []
  socket.on('data', (piece: Buffer) => pieces.push(piece))
  socket.write(
    'GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n',
  )
  await expect.poll(() => Buffer.concat(pieces).includes('101 Switching')).toBe(true)
  await expect.poll(() => Buffer.concat(pieces).includes('\r\n\r\n')).toBe(true)
  pieces.length = 0
  const sentBytes = randomBytes(3 * MIB)
  socket.write(sentBytes)
  await expect.poll(() => pieces.reduce((sum, p) => sum + p.length, 0)).toBe(sentBytes.length)
  expect(digest(Buffer.concat(pieces))).toBe(digest(sentBytes))
  const ended = once(socket, 'end')
  socket.end()
  await ended
})

async function put(socket: tls.TLSSocket, path: string): Promise<string> {
  const got = once(socket, 'data')
  socket.write(`PUT ${path} HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nok`)
  return String((await got)[0])
}

test('requests that come in one record, and records that cut requests, are answered in order', async () => {
  const { socket } = await shake(scene.secure)
  const one = 'PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\n'
  let text = ''
  socket.on('data', (piece: Buffer) => (text += piece.latin1Slice()))
  socket.write(`${one}aa${one}bbb`.slice(0, -1) + one.slice(0, 20))
  socket.write(one.slice(20) + 'cc')
  await expect.poll(() => text.split('HTTP/1.1 200').length - 1).toBe(3)
  socket.destroy()
})

test('SIGTERM closes idle TLS connections and handshakes that have not begun', async () => {
  const kept = await shake(scene.secure)
  expect(await put(kept.socket, '/')).toContain('200 OK')
  const ended = once(kept.socket, 'end')
  const from = performance.now()
  await scene.gateway.stop('SIGTERM')
  await ended
  expect(performance.now() - from).toBeLessThan(8000)
  expect(scene.gateway.exit).toEqual({ code: 0, signal: null })
})
