// What a server is told of the client, end to end: rebuilt for strangers, kept from trusted peers.

import { hostname } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, type Keys, freePorts, startGateway } from '../../support/gateway.ts'
import { type ScriptedOrigin, startScriptedOrigin } from '../../support/origin.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { responseText } from '../../support/scene.ts'

let origin: ScriptedOrigin
let gateway: Gateway
const ports: Record<string, number> = {}

beforeAll(async () => {
  // Answers with the request head that it got.
  origin = await startScriptedOrigin(async (connection) => {
    for (;;) connection.send(responseText((await connection.readRequest(60_000)).head))
  })
  const names = ['trusting', 'insecure', 'quiet', 'scheme'] as const
  const free = await freePorts(names.length)
  for (const [i, name] of names.entries()) ports[name] = free[i]!
  const point = (name: string, forwardedHeaders: Keys): Keys => ({
    address: `127.0.0.1:${ports[name]}`,
    forwardedHeaders,
  })
  gateway = await startGateway({
    entryPoints: {
      trusting: point('trusting', { trustedIPs: ['127.0.0.0/8'] }),
      insecure: point('insecure', { insecure: true }),
      quiet: point('quiet', { notAppendXForwardedFor: true, trustedIPs: ['127.0.0.1'] }),
      scheme: point('scheme', { addXForwardedSchemeHeaders: true }),
    },
    routes: {
      http: {
        routers: {
          all: { rule: 'PathPrefix(`/`)', service: 'plain' },
          own: { rule: 'PathPrefix(`/own-host`)', service: 'ownHost' },
          kept: { rule: 'PathPrefix(`/kept`)', service: 'preserving' },
        },
        services: {
          plain: { loadBalancer: { servers: [{ url: `${origin.url}/ignored/base` }] } },
          ownHost: {
            loadBalancer: { passHostHeader: false, servers: [{ url: origin.url }] },
          },
          preserving: {
            loadBalancer: {
              servers: [{ url: `${origin.url}/base`, preservePath: true }],
            },
          },
        },
      },
    },
  })
  ports.web = gateway.port
})

afterAll(async () => {
  await gateway.stop()
  await origin.stop()
})

interface Seen {
  readonly line: string
  readonly headers: ReadonlyMap<string, string>
  readonly text: string
}

// The request as the server got it.
async function seenBy(
  point: string,
  headers: string,
  target = '/',
  host = 'shop.test',
): Promise<Seen> {
  const client = await connectRaw(ports[point]!)
  client.send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${headers}\r\n`)
  const answer = await client.readResponse()
  client.destroy()
  expect(answer.status).toBe(200)
  const [line = '', ...lines] = answer.body.trimEnd().split('\r\n')
  const seen = new Map<string, string>()
  for (const each of lines) {
    const colon = each.indexOf(':')
    const name = each.slice(0, colon).toLowerCase()
    const before = seen.get(name)
    const value = each.slice(colon + 2)
    seen.set(name, before === undefined ? value : `${before} | ${value}`)
  }
  return { line, headers: seen, text: answer.body }
}

const FORGED =
  'X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil.test\r\nX-Forwarded-Port: 666\r\n' +
  'X-Forwarded-Proto: https\r\nX-Forwarded-Server: evil\r\nX-Real-Ip: 6.6.6.6\r\n' +
  'X-Forwarded-Prefix: /evil\r\nX-Forwarded-Uri: /evil\r\nX-Forwarded-Method: EVIL\r\n' +
  'X-Forwarded-Tls-Client-Cert: evil\r\nX-Forwarded-Tls-Client-Cert-Info: evil\r\n'

function expectRebuilt(seen: Seen): void {
  const { headers } = seen
  expect(headers.get('x-forwarded-for')).toBe('127.0.0.1')
  expect(headers.get('x-forwarded-host')).toBe('shop.test')
  expect(headers.get('x-forwarded-port')).toBe('80') // of the scheme, as in Traefik
  expect(headers.get('x-forwarded-proto')).toBe('http')
  expect(headers.get('x-forwarded-server')).toBe(hostname())
  expect(headers.get('x-real-ip')).toBe('127.0.0.1')
}

test('a request without them gets exact values', async () => {
  const seen = await seenBy('web', '')
  expectRebuilt(seen)
  expect(seen.line).toBe('GET / HTTP/1.1')
  expect(seen.headers.get('host')).toBe('shop.test')
  expect(seen.headers.has('via')).toBe(false)
})

test('a port in Host is the forwarded port', async () => {
  const { headers } = await seenBy('web', '', '/', 'shop.test:8443')
  expect(headers.get('x-forwarded-port')).toBe('8443')
  expect(headers.get('x-forwarded-host')).toBe('shop.test:8443')
})

test('what a stranger sends is dropped and rebuilt', async () => {
  const seen = await seenBy('web', FORGED)
  expectRebuilt(seen)
  expect(seen.text).not.toMatch(/evil|6\.6\.6\.6|666/i)
})

test.each(['trusting', 'insecure'])('what a trusted peer sends is kept (%s)', async (point) => {
  const { headers } = await seenBy(point, FORGED)
  expect(headers.get('x-forwarded-for')).toBe('6.6.6.6, 127.0.0.1')
  expect(headers.get('x-forwarded-host')).toBe('evil.test')
  expect(headers.get('x-forwarded-port')).toBe('666')
  expect(headers.get('x-forwarded-proto')).toBe('https')
  expect(headers.get('x-real-ip')).toBe('6.6.6.6')
  expect(headers.get('x-forwarded-prefix')).toBe('/evil')
  expect(headers.get('x-forwarded-server')).toBe(hostname())
})

test('several X-Forwarded-For lines become one', async () => {
  const lines = 'X-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 2.2.2.2, 3.3.3.3\r\n'
  const { headers } = await seenBy('trusting', lines)
  expect(headers.get('x-forwarded-for')).toBe('1.1.1.1, 2.2.2.2, 3.3.3.3, 127.0.0.1')
})

test('notAppendXForwardedFor leaves the list as it came', async () => {
  const { headers } = await seenBy('quiet', 'X-Forwarded-For: 1.1.1.1\r\n')
  expect(headers.get('x-forwarded-for')).toBe('1.1.1.1')
  expect((await seenBy('quiet', '')).headers.has('x-forwarded-for')).toBe(false)
})

test('addXForwardedSchemeHeaders adds both headers and believes no stranger', async () => {
  const { headers } = await seenBy('scheme', 'X-Scheme: https\r\nX-Forwarded-Scheme: https\r\n')
  expect(headers.get('x-scheme')).toBe('http')
  expect(headers.get('x-forwarded-scheme')).toBe('http')
})

test.each([
  'X_Forwarded_For: 6.6.6.6\r\n',
  'X.Real.Ip: 6.6.6.6\r\n',
  'X_Forwarded-Host: evil.test\r\n',
  'x_real_ip: 6.6.6.6\r\n',
])('an alias never reaches the server, from nobody: %j', async (alias) => {
  for (const point of ['web', 'trusting']) {
    const { text } = await seenBy(point, alias)
    expect(text).not.toContain(alias.slice(0, alias.indexOf(':')))
  }
})

test.each(['Content_Length: 5', 'Transfer_Encoding: chunked'])(
  'an alias of a framing header is refused: %s',
  async (alias) => {
    const client = await connectRaw(ports.web!)
    client.send(`GET / HTTP/1.1\r\nHost: a.test\r\n${alias}\r\n\r\n`)
    expect((await client.readResponse()).status).toBe(400)
    client.destroy()
  },
)

test('headers that Connection nominates go no further, and managed ones stay', async () => {
  const nominated = 'Connection: X-Drop-Me, X-Forwarded-For, X-Real-Ip, X-Forwarded-Host, Host\r\n'
  const seen = await seenBy('web', `${nominated}X-Drop-Me: 1\r\nX-Stay: 1\r\n`)
  expectRebuilt(seen)
  expect(seen.headers.has('x-drop-me')).toBe(false)
  expect(seen.headers.get('x-stay')).toBe('1')
  expect(seen.headers.get('host')).toBe('shop.test')
  const trusted = await seenBy('trusting', `${nominated}${FORGED}`)
  expect(trusted.headers.get('x-forwarded-for')).toBe('6.6.6.6, 127.0.0.1')
  expect(trusted.headers.get('x-forwarded-host')).toBe('evil.test')
})

test('hop-by-hop headers go no further', async () => {
  const lines =
    'Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\n' +
    'Proxy-Authorization: Basic eA==\r\n'
  const { headers } = await seenBy('web', lines)
  for (const name of ['keep-alive', 'proxy-connection', 'te', 'connection']) {
    expect([name, headers.has(name)]).toEqual([name, false])
  }
})

test('passHostHeader false sends the host of the server, and tells the one that was asked for', async () => {
  const { headers } = await seenBy('web', '', '/own-host')
  expect(headers.get('host')).toBe(`127.0.0.1:${origin.port}`)
  expect(headers.get('x-forwarded-host')).toBe('shop.test')
})

test('the path of a server counts only with preservePath', async () => {
  expect((await seenBy('web', '', '/a/b?c=d')).line).toBe('GET /a/b?c=d HTTP/1.1')
  expect((await seenBy('web', '', '/kept/a?b=c')).line).toBe('GET /base/kept/a?b=c HTTP/1.1')
})

test('a WebSocket is told as ws, and its upgrade is passed on', async () => {
  const lines =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
  const { headers } = await seenBy('web', lines)
  expect(headers.get('x-forwarded-proto')).toBe('ws')
  expect(headers.get('upgrade')).toBe('websocket')
  expect(headers.get('connection')?.toLowerCase()).toBe('upgrade')
})

test('an absolute target is sent in origin form, with its authority as Host', async () => {
  const seen = await seenBy('web', '', 'http://other.test/x', 'shop.test')
  expect(seen.line).toBe('GET /x HTTP/1.1')
  expect(seen.headers.get('host')).toBe('other.test')
  expect(seen.headers.get('x-forwarded-host')).toBe('other.test')
})

test('the headers of one request never show in the next one of the connection', async () => {
  const client = await connectRaw(ports.trusting!)
  const bodies: string[] = []
  for (const lines of ['', FORGED, 'X-Forwarded-For: 9.9.9.9\r\n', '']) {
    client.send(`GET / HTTP/1.1\r\nHost: shop.test\r\n${lines}\r\n`)
    bodies.push((await client.readResponse()).body)
  }
  client.destroy()
  expect(bodies[1]).toContain('X-Forwarded-For: 6.6.6.6, 127.0.0.1')
  expect(bodies[2]).toContain('X-Forwarded-For: 9.9.9.9, 127.0.0.1')
  expect(bodies[2]).not.toContain('evil')
  expect(bodies[3]).toBe(bodies[0])
})
