// https:// servers: ALPN tells which HTTP they speak.

import http2 from 'node:http2'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestAuthority } from '../../support/certificates.ts'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { requestText } from '../../support/scene.ts'

type Either = http2.Http2SecureServer | https.Server

const clients: RawClient[] = []
const servers: Either[] = []
const connections = new Map<string, number>() // handshakes by server
let authority: TestAuthority
let gateway: Gateway

const services: Record<string, Keys> = {}
const serversTransports: Record<string, Keys> = {}
const routers: Record<string, Keys> = {}

async function serve(name: string, server: Either, transport: Keys = {}): Promise<void> {
  servers.push(server)
  server.on('secureConnection', () => connections.set(name, (connections.get(name) ?? 0) + 1))
  server.on(
    'request',
    (
      request: https.ServerOptions & { httpVersion: string } & NodeJS.ReadableStream,
      response: { end(text: string): void },
    ) => {
      let length = 0
      request.on('data', (bytes: Buffer) => (length += bytes.length))
      request.on('end', () => response.end(`HTTP/${request.httpVersion} ${length}`))
    },
  )
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  serversTransports[name] = { rootCAs: [authority.root.certFile], ...transport }
  services[name] = { loadBalancer: { serversTransport: name, servers: [{ url }] } }
  routers[name] = { rule: `PathPrefix(\`/${name}\`)`, entryPoints: ['web'], service: name }
}

beforeAll(async () => {
  authority = new TestAuthority()
  const { certPem: cert, keyPem: key } = authority.issue('s', { names: ['IP:127.0.0.1'] })
  await serve('both', http2.createSecureServer({ cert, key, allowHTTP1: true }))
  await serve('old', https.createServer({ cert, key }))
  await serve('kept-old', http2.createSecureServer({ cert, key, allowHTTP1: true }), {
    disableHTTP2: true,
  })
  await serve('only-h2', http2.createSecureServer({ cert, key }))
  gateway = await startGateway({ routes: { http: { routers, services, serversTransports } } })
})

afterAll(async () => {
  for (const client of clients) client.destroy()
  await gateway.stop()
  for (const server of servers) server.close()
  authority.remove()
})

async function open(): Promise<RawClient> {
  const client = await connectRaw(gateway.port)
  clients.push(client)
  return client
}

async function ask(target: string, headers = '', body = '') {
  const client = await open()
  client.send(requestText(body === '' ? 'GET' : 'POST', target, headers, body))
  return client.readResponse()
}

test('a server that takes both is spoken to in HTTP/2, on one connection from the first requests on', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask('/both', '', 'abc')))
  expect(new Set(answers.map((a) => a.body))).toEqual(new Set(['HTTP/2.0 3']))
  expect(connections.get('both')).toBe(1)
})

test('a server without HTTP/2 is spoken to in HTTP/1.1, and the first connection is used', async () => {
  expect((await ask('/old', '', 'abc')).body).toBe('HTTP/1.1 3')
  expect((await ask('/old')).body).toBe('HTTP/1.1 0')
  expect(connections.get('old')).toBe(1)
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask('/old', '', 'abc')))
  expect(new Set(answers.map((a) => a.body))).toEqual(new Set(['HTTP/1.1 3']))
})

test('disableHTTP2 leaves HTTP/1.1', async () => {
  expect((await ask('/kept-old', '', 'abc')).body).toBe('HTTP/1.1 3')
})

test('a body of 5 MiB arrives whole by both protocols', async () => {
  const body = 'x'.repeat(5 * 1024 * 1024)
  expect((await ask('/both', '', body)).body).toBe(`HTTP/2.0 ${body.length}`)
  expect((await ask('/old', '', body)).body).toBe(`HTTP/1.1 ${body.length}`)
})

test('an upgrade goes to a server of both protocols by HTTP/1.1', async () => {
  const client = await open()
  client.send(requestText('GET', '/both', 'Connection: Upgrade\r\nUpgrade: echo\r\n'))
  await client.untilText('HTTP/1.1 101')
  client.send('ping through a tunnel')
  await client.untilText('ping through a tunnel')
  expect((await ask('/both')).body).toBe('HTTP/2.0 0')
})

test('a session that the server closes is replaced by a new one', async () => {
  await ask('/only-h2')
  const before = connections.get('only-h2')!
  const server = servers[3] as http2.Http2SecureServer
  const gone = new Promise<void>((resolve) => {
    server.once('stream', (stream) => {
      const { session } = stream
      session!.once('close', () => resolve())
      stream.once('close', () => session!.close())
    })
  })
  await ask('/only-h2')
  await gone
  expect((await ask('/only-h2')).body).toBe('HTTP/2.0 0')
  expect(connections.get('only-h2')).toBe(before + 1)
})
