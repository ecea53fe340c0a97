// Every kind of answer on a connection that is kept, on one that its client wants closed, and to HTTP/1.0: whole, and
// with what comes behind it. Answers that a middleware gives go out within the call that read the request; behind
// `auth`, which asks a server first, they go out in a later turn. The two take different ways through uWebSockets.js.

import http from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Gateway, type Keys, startGateway } from '../support/gateway.ts'
import { type HttpOrigin, startHttpOrigin } from '../support/origin.ts'
import { type RawClient, type Response, connectRaw } from '../support/raw-client.ts'
import type { Engine } from './world.ts'

// Not by the idle timeout of either engine, which is 10 s at the least.
const CLOSED_WITHIN_MS = 8000
const SHORT = 'short'
const LONG = 'abcdefgh'.repeat(40 * 1024) // 320 KiB

interface Kind {
  readonly name: string
  readonly method?: string // GET unless given
  readonly path: string
  readonly headers?: string
  readonly status: number
  readonly body: string // of the answer to a GET
}

const ifSame = 'If-None-Match: "a"\r\n'
const KINDS: readonly Kind[] = [
  { name: 'a body of a server', path: '/server/short', status: 200, body: SHORT },
  { name: 'a long body of a server', path: '/server/long', status: 200, body: LONG },
  { name: 'chunks of a server', path: '/server/chunks', status: 200, body: SHORT },
  { name: 'long chunks of a server', path: '/server/long-chunks', status: 200, body: LONG },
  { name: 'HEAD', method: 'HEAD', path: '/server/short', status: 200, body: SHORT },
  { name: 'HEAD of a long body', method: 'HEAD', path: '/server/long', status: 200, body: LONG },
  { name: '204', path: '/server/nothing', status: 204, body: '' },
  { name: '304', path: '/server/short', headers: ifSame, status: 304, body: '' },
  { name: 'a refusal', path: '/denied', status: 403, body: 'Forbidden' },
  { name: 'HEAD of a refusal', method: 'HEAD', path: '/denied', status: 403, body: '' },
  { name: 'a redirect', path: '/moved', status: 302, body: '' },
  { name: 'HEAD of a redirect', method: 'HEAD', path: '/moved', status: 307, body: '' },
  { name: 'a stored body', path: '/stored/short', status: 200, body: SHORT },
  { name: 'a long stored body', path: '/stored/long', status: 200, body: LONG },
  {
    name: 'HEAD of a stored body',
    method: 'HEAD',
    path: '/stored/short',
    status: 200,
    body: SHORT,
  },
  {
    name: 'HEAD of a long stored body',
    method: 'HEAD',
    path: '/stored/long',
    status: 200,
    body: LONG,
  },
  { name: '304 of a stored body', path: '/stored/short', headers: ifSame, status: 304, body: '' },
  { name: '304 of a long one', path: '/stored/long', headers: ifSame, status: 304, body: '' },
]

const asked: string[] = [] // of the server

function serve(request: http.IncomingMessage, response: http.ServerResponse): void {
  const path = request.url!
  asked.push(path)
  const isLong = path.includes('long')
  const headers: http.OutgoingHttpHeaders = { ETag: '"a"', 'Cache-Control': 'max-age=600' }
  if (path === '/auth') return void response.end()
  if (path.endsWith('/nothing')) return void response.writeHead(204).end()
  if (request.headers['if-none-match'] === '"a"') return void response.writeHead(304, headers).end()
  const body = isLong ? LONG : SHORT
  if (!path.includes('chunks')) headers['Content-Length'] = body.length
  response.writeHead(200, headers)
  if (path.includes('chunks')) response.write(body.slice(0, 3))
  response.end(path.includes('chunks') ? body.slice(3) : body)
}

// /now/... is answered in the turn of the request where no server is asked, /later/... never.
function routesFor(url: string): Keys {
  const routers: Record<string, Keys> = {}
  for (const [prefix, first] of [
    ['/now', []],
    ['/later', ['auth']],
  ] as const) {
    const add = (path: string, middlewares: readonly string[]) => {
      const rule = `PathPrefix(\`${prefix}${path}\`)`
      routers[`${prefix}${path}`.replaceAll('/', '-')] = {
        rule,
        entryPoints: ['web'],
        service: 'origin',
        middlewares: [...first, ...middlewares],
      }
    }
    add('/server', ['plain'])
    add('/stored', ['cache'])
    add('/denied', ['deny'])
    add('/moved', ['move'])
  }
  return {
    http: {
      routers,
      middlewares: {
        auth: { forwardAuth: { address: `${url}/auth` } },
        plain: { headers: { customResponseHeaders: { 'X-Plain': '1' } } },
        cache: { httpCache: {} },
        deny: { ipAllowList: { sourceRange: ['192.0.2.1/32'] } },
        move: { redirectRegex: { regex: '.*', replacement: 'http://elsewhere.example/' } },
      },
      services: { origin: { loadBalancer: { servers: [{ url }] } } },
    },
  }
}

function requestOf(kind: Kind, when: string, connection: string, version = '1.1'): string {
  const { method = 'GET', path, headers = '' } = kind
  const line = connection === '' ? '' : `Connection: ${connection}\r\n`
  return `${method} ${when}${path} HTTP/${version}\r\nHost: ends.test\r\n${headers}${line}\r\n`
}

function expectWhole(kind: Kind, response: Response): void {
  const { method = 'GET', status, body } = kind
  expect(response.status).toBe(status)
  if (method === 'GET' && status === 200) expect(response.body === body).toBe(true)
  if (method === 'HEAD' && status === 200)
    expect(response.headers.get('content-length')).toBe(String(body.length))
}

for (const engine of ['node', 'uws'] as const satisfies readonly Engine[]) {
  describe(`engine ${engine}`, () => {
    let origin: HttpOrigin
    let gateway: Gateway
    const clients: RawClient[] = []

    beforeAll(async () => {
      origin = await startHttpOrigin(serve)
      gateway = await startGateway({ engine, routes: routesFor(origin.url) })
      for (const when of ['/now', '/later']) {
        for (const path of ['/stored/short', '/stored/long']) {
          const kind = {
            name: 'store',
            path,
            status: 200,
            body: path.includes('long') ? LONG : SHORT,
          }
          const client = await connect()
          client.send(requestOf(kind, when, ''))
          expectWhole(kind, await client.readResponse())
        }
      }
    })
    afterAll(async () => {
      for (const client of clients) client.destroy()
      await gateway.stop()
      await origin.stop()
    })

    async function connect(): Promise<RawClient> {
      const client = await connectRaw(gateway.port)
      clients.push(client)
      return client
    }

    // RFC 9112, section 9.6. It may be another client's, behind a proxy, or no request at all.
    test('serves nothing that comes behind a request that wants its connection closed', async () => {
      const evil = { name: 'evil', path: '/server/evil', status: 200, body: SHORT }
      const client = await connect()
      const first = { ...evil, path: '/moved' }
      client.send(requestOf(first, '/now', 'close') + requestOf(evil, '/now', ''))
      await client.untilEnded(CLOSED_WITHIN_MS)
      // Engine uws closes without an answer, as always when requests are pipelined.
      if (engine === 'node') expect((await client.readResponse()).status).toBe(302)
      expect([client.received, asked.filter((path) => path.includes('evil'))]).toEqual(['', []])
    })

    for (const kind of KINDS) {
      for (const when of ['/now', '/later']) {
        const isHead = kind.method === 'HEAD'
        const where = when === '/now' ? 'at once' : 'later'

        test(`${kind.name}, ${where}: the connection is kept`, async () => {
          const client = await connect()
          for (let i = 0; i < 2; i++) {
            client.send(requestOf(kind, when, ''))
            expectWhole(kind, await client.readResponse(isHead))
          }
          expect([client.received, client.ended]).toEqual(['', false])
        })

        for (const connection of ['close', 'keep-alive, close']) {
          test(`${kind.name}, ${where}: Connection: ${connection}`, async () => {
            const client = await connect()
            client.send(requestOf(kind, when, connection))
            const response = await client.readResponse(isHead)
            expectWhole(kind, response)
            expect(response.headers.get('connection')).toMatch(/^close/)
            if (engine === 'node' || connection === 'close')
              await client.untilEnded(CLOSED_WITHIN_MS)
            expect(client.received).toBe('')
          })
        }

        test(`${kind.name}, ${where}: HTTP/1.0`, async () => {
          const client = await connect()
          client.send(requestOf(kind, when, '', '1.0'))
          await client.untilEnded(CLOSED_WITHIN_MS)
          if (engine === 'uws') return expect(client.received).toMatch(/^HTTP\/1\.1 505 /)
          expectWhole(kind, await client.readResponse(isHead))
          expect(client.received).toBe('')
        })
      }
    }
  })
}
