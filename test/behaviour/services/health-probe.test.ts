// What one check of an HTTP server asks and how it judges the answer, against real servers.

import * as grpc from '@grpc/grpc-js'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import net, { type AddressInfo, type Server } from 'node:net'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type {
  HttpHealthCheckPlan,
  LoadBalancerPlan,
  TransportPlan,
} from '../../../config/generation.ts'
import { healthKey } from '../../../workers/health/board.ts'
import { HealthChecks } from '../../../workers/health/checks.ts'
import { httpHealthTargets } from '../../../workers/health/http.ts'
import { TestAuthority } from '../../support/certificates.ts'
import { freePorts, type Keys } from '../../support/gateway.ts'
import { generationOf } from '../../support/live.ts'

const ends: (() => unknown)[] = []
let authority: TestAuthority

beforeAll(() => {
  authority = new TestAuthority()
})
afterAll(() => authority.remove())
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

// `unseen`: what the check has besides, past the eyes of the configuration.
function targetsOf(
  url: string,
  check: Keys,
  transport: Partial<TransportPlan['tls']> = {},
  unseen: Partial<HttpHealthCheckPlan> = {},
) {
  const loadBalancer = { servers: [{ url }], healthCheck: { timeout: '2s', ...check } }
  const routes = { http: { services: { app: { loadBalancer } } } }
  const { services, transports } = generationOf(routes, 1)
  const plan = services.get('app@file') as LoadBalancerPlan
  expect(plan, JSON.stringify(check)).toBeDefined()
  const known = new Map([
    [plan.name, { ...plan, healthCheck: { ...plan.healthCheck!, ...unseen } }],
  ])
  const own = transports.get('')!
  const changed = new Map([['', { ...own, tls: { ...own.tls, ...transport } }]])
  return httpHealthTargets({ services: known, transports: changed }, () => {})
}

// '' or what was wrong.
function verdict(
  url: string,
  check: Keys = {},
  transport?: Partial<TransportPlan['tls']>,
): Promise<string> {
  return new Promise((resolve) => targetsOf(url, check, transport)[0]!.probe(resolve))
}

async function listen(server: Server | http2.Http2Server, where?: string): Promise<number> {
  await new Promise<void>((resolve) =>
    where === undefined ? server.listen(0, '127.0.0.1', resolve) : server.listen(where, resolve),
  )
  ends.push(() => new Promise((resolve) => server.close(resolve)))
  return where === undefined ? (server.address() as AddressInfo).port : 0
}

async function serve(listener: http.RequestListener): Promise<string> {
  const server = http.createServer(listener)
  ends.push(() => server.closeAllConnections())
  return `http://127.0.0.1:${await listen(server)}`
}

const answer = (status: number, headers: http.OutgoingHttpHeaders = {}) =>
  serve((_request, response) => response.writeHead(status, headers).end('body'))

test('statuses from 200 to 399 are well, others are not, and a status that is set is the only one', async () => {
  const verdicts = []
  for (const status of [200, 204, 304, 399, 400, 503])
    verdicts.push(await verdict(await answer(status)))
  expect(verdicts).toEqual(['', '', '', '', 'it answered 400', 'it answered 503'])
  expect(await verdict(await answer(418), { status: 418 })).toBe('')
  expect(await verdict(await answer(200), { status: 418 })).toBe('it answered 200')
})

test('the request has the method, path, query, host and headers of the check', async () => {
  const seen: string[] = []
  const url = await serve((request, response) => {
    const { method, url: target, headers } = request
    seen.push(`${method} ${target} ${headers.host} ${headers['x-key']}`)
    response.end()
  })
  const check = {
    method: 'HEAD',
    path: '/health?full=1',
    hostname: 'a.test',
    headers: { 'X-Key': 'k' },
  }
  expect(await verdict(`${url}/base`, check)).toBe('')
  expect(await verdict(`${url}/base/`, { path: 'up' })).toBe('')
  expect(seen).toEqual([
    'HEAD /health?full=1 a.test k',
    `GET /base/up ${url.slice('http://'.length)} undefined`,
  ])
})

test('port takes the place of that of the server', async () => {
  const url = await answer(200)
  const [closed = 0] = await freePorts(1)
  expect(await verdict(`http://127.0.0.1:${closed}`, { port: Number(new URL(url).port) })).toBe('')
  expect(await verdict(`http://127.0.0.1:${closed}`)).toBe('ECONNREFUSED')
})

describe('redirects', () => {
  test('are followed, with the method that HTTP says, and not carrying headers elsewhere', async () => {
    const seen: string[] = []
    const other = await serve((request, response) => {
      seen.push(`other ${request.method} ${request.headers['x-key']} ${request.headers.host}`)
      response.end()
    })
    const url = await serve((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers['x-key']}`)
      const location = request.url === '/b' ? `${other}/c` : '/b'
      response.writeHead(request.url === '/b' ? 307 : 303, { Location: location }).end()
    })
    const check = { method: 'POST', path: '/a', headers: { 'X-Key': 'k' } }
    expect(await verdict(url, check)).toBe('')
    expect(seen).toEqual(['POST /a k', 'GET /b k', `other GET undefined ${other.slice(7)}`])
  })

  test('that do not end are a failure, as is one to a server that fails', async () => {
    const endless = await answer(302, { Location: '/again' })
    expect(await verdict(endless)).toBe('more than 10 redirects')
    const sick = await answer(500)
    expect(await verdict(await answer(302, { Location: sick }))).toBe('it answered 500')
    expect(await verdict(await answer(302, { Location: 'ftp://x/' }))).toContain('no HTTP')
  })

  test('are an answer like any other when they are not to be followed', async () => {
    const url = await answer(302, { Location: '/again' })
    expect(await verdict(url, { followRedirects: false })).toBe('')
    expect(await verdict(url, { followRedirects: false, status: 200 })).toBe('it answered 302')
  })
})

test('a server that is silent, ends the connection, or speaks something else is not well', async () => {
  const silent = `http://127.0.0.1:${await listen(net.createServer((s) => s.on('error', () => {}).resume()))}`
  expect(await verdict(silent, { timeout: '200ms' })).toBe('no answer in time')
  const closing = `http://127.0.0.1:${await listen(
    net.createServer((s) =>
      s
        .on('error', () => {})
        .resume()
        .end(),
    ),
  )}`
  expect(await verdict(closing)).not.toBe('')
  const odd = net.createServer((s) =>
    s
      .on('error', () => {})
      .resume()
      .end('220 ready\r\n'),
  )
  expect(await verdict(`http://127.0.0.1:${await listen(odd)}`)).not.toBe('')
})

// The configuration refuses most of these. What else Node refuses, and from which version on, it does not know.
const unsendable: [string, Partial<HttpHealthCheckPlan>, string][] = [
  ['keep-alive over HTTP/2', { mode: 'grpc', headers: { 'Keep-Alive': 'x' } }, 'forbidden'],
  ['CONNECT over HTTP/2', { scheme: 'h2c', method: 'CONNECT' }, ':scheme'],
  ['a trailer over HTTP/1', { headers: { Trailer: 'x' } }, 'Trailers'],
  ['a header that ends its line', { headers: { 'X-A': 'a\r\nb' } }, 'Invalid character'],
  ['a path that is no URL', { path: 'http://a:port/' }, 'Invalid URL'],
]

test.each(unsendable)(
  '%s, which Node refuses to send, is a failure',
  async (_what, unseen, why) => {
    const verdicts = new Promise<string>((resolve) => {
      const checks = new HealthChecks(() => {}, { info: () => {}, warn: resolve })
      ends.push(() => checks.stop())
      void answer(200).then((url) => checks.use(targetsOf(url, {}, {}, unseen)))
    })
    expect(await verdicts).toMatch(/^server http:.* of app@file is down: /)
    expect(await verdicts).toContain(why)
  },
)

test('a host that is none to Node is asked for like any other', async () => {
  const hosts: unknown[] = []
  const h2 = http2.createServer((request, response) => {
    hosts.push(request.headers[':authority'])
    response.end()
  })
  const url = `h2c://127.0.0.1:${await listen(h2)}`
  expect(await verdict(url, { hostname: 'app.v1.0:8080' })).toBe('')
  expect(hosts).toEqual(['app.v1.0:8080'])
})

test('unix sockets and HTTP/2 in clear text are asked like requests ask them', async () => {
  const socket = path.join(tmpdir(), `sluice-health-${process.pid}.sock`)
  ends.push(() => rmSync(socket, { force: true }))
  await listen(
    http.createServer((_request, response) => response.end()),
    socket,
  )
  expect(await verdict(`unix://${socket}`, { path: '/up' })).toBe('')
  const h2 = http2.createServer((request, response) => {
    response.writeHead(request.url === '/up' ? 200 : 404)
    response.end()
  })
  const port = await listen(h2)
  expect(await verdict(`h2c://127.0.0.1:${port}`, { path: '/up' })).toBe('')
  expect(await verdict(`h2c://127.0.0.1:${port}`, { path: '/no' })).toBe('it answered 404')
  expect(await verdict(`http://127.0.0.1:${port}`, { scheme: 'h2c', path: '/up' })).toBe('')
})

test('TLS is checked by the serversTransport: roots, names, or neither', async () => {
  const leaf = authority.issue('server', { names: ['IP:127.0.0.1'] })
  const options = { cert: leaf.certPem, key: leaf.keyPem }
  const one = https.createServer(options, (_request, response) => response.end())
  const both = http2.createSecureServer({ ...options, allowHTTP1: false }, (_request, response) =>
    response.end(),
  )
  const rootCas = authority.root.certPem
  for (const server of [one, both]) {
    const url = `https://127.0.0.1:${await listen(server)}`
    expect(await verdict(url, {}, { rootCas })).toBe('')
    expect(await verdict(url)).not.toBe('')
    expect(await verdict(url, {}, { insecureSkipVerify: true })).toBe('')
    expect(await verdict(url, {}, { rootCas, serverName: 'other.test' })).not.toBe('')
  }
})

describe('gRPC', () => {
  // A server as others write it, with the service of the health protocol.
  async function startGrpc(serving: () => number | null): Promise<number> {
    const bytes = (value: Buffer) => value
    const server = new grpc.Server()
    const health = {
      Check: {
        path: '/grpc.health.v1.Health/Check',
        requestStream: false,
        responseStream: false,
        requestSerialize: bytes,
        requestDeserialize: bytes,
        responseSerialize: bytes,
        responseDeserialize: bytes,
      },
    }
    server.addService(health, {
      Check: (_call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        const status = serving()
        if (status === null) done({ code: grpc.status.UNIMPLEMENTED })
        else done(null, status === 0 ? Buffer.alloc(0) : Buffer.from([8, status]))
      },
    })
    const credentials = grpc.ServerCredentials.createInsecure()
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', credentials, (fault, bound) =>
        fault === null ? resolve(bound) : reject(fault),
      ),
    )
    ends.push(() => server.forceShutdown())
    return port
  }

  test('is well when it says SERVING, and only then', async () => {
    let status: number | null = 1
    const url = `h2c://127.0.0.1:${await startGrpc(() => status)}`
    const verdicts = []
    for (status of [1, 0, 2, 3, 7, null]) verdicts.push(await verdict(url, { mode: 'grpc' }))
    expect(verdicts).toEqual([
      '',
      'UNKNOWN',
      'NOT_SERVING',
      'SERVICE_UNKNOWN',
      'another status',
      'it does not implement the health protocol',
    ])
  })

  test('a server without it, or without HTTP/2, is not well', async () => {
    const plain = await answer(200)
    expect(await verdict(plain, { mode: 'grpc', timeout: '500ms' })).not.toBe('')
    const h2 = http2.createServer((_request, response) => {
      response.writeHead(404)
      response.end()
    })
    const url = `http://127.0.0.1:${await listen(h2)}`
    expect(await verdict(url, { mode: 'grpc' })).toBe('it answered 404')
  })
})

test('at the most 128 checks are under way at once, and every server has its turn', async () => {
  let open = 0
  let most = 0
  let asked = 0
  const checks = new HealthChecks(() => {}, { info: () => {}, warn: () => {} })
  ends.push(() => checks.stop())
  const held: (() => void)[] = []
  const targets = Array.from({ length: 400 }, (_, i) => ({
    key: healthKey('http', 's', `http://${i}`, {}),
    service: 's',
    address: `http://${i}`,
    intervalMs: 60_000,
    unhealthyIntervalMs: 60_000,
    passed: null,
    probe: (done: (fault: string) => void) => {
      most = Math.max(most, ++open)
      asked++
      held.push(() => {
        open--
        done('')
      })
    },
  }))
  checks.use(targets)
  while (asked < 400 || held.length > 0) held.shift()!()
  expect([most, asked]).toEqual([128, 400])
})
