// Sticky services: cookies as Traefik names and makes them, through weighted services too, and what they lead to.

import { createHash } from 'node:crypto'
import http from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'

interface Answer {
  readonly by: string
  readonly status: number
  readonly cookies: readonly string[]
}

const origins: HttpOrigin[] = []
let gateway: Gateway

async function serve(name: string): Promise<string> {
  const origin = await startHttpOrigin((_request, response) => {
    response.writeHead(200, { 'X-By': name, 'Set-Cookie': `own=${name}` }).end()
  })
  origins.push(origin)
  return origin.url
}

const router = (service: string): Keys => {
  return { rule: `Host(\`${service}.test\`)`, entryPoints: ['web'], service }
}
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16)
const urls: string[] = []

beforeAll(async () => {
  for (const name of ['a', 'b', 'c', 'gone']) urls.push(await serve(name))
  await origins.pop()!.stop()
  const [a, b, c, gone] = urls.map((url) => ({ url }))
  const cookie = { name: 'lb', secure: true, httpOnly: true, sameSite: 'lax', maxAge: 60 }
  const routes = {
    http: {
      routers: Object.fromEntries(
        ['app', 'named', 'fenced', 'tree', 'failing', 'hashed'].map((s) => [s, router(s)]),
      ),
      services: {
        app: { loadBalancer: { servers: [a, b, c], sticky: { cookie: {} } } },
        named: {
          loadBalancer: {
            servers: [a, b],
            sticky: { cookie: { ...cookie, path: '/x', domain: 'named.test' } },
          },
        },
        fenced: {
          loadBalancer: {
            servers: [a, { ...b, fenced: true }, { ...c, terminating: true }],
            sticky: { cookie: { name: 'lb' } },
          },
        },
        tree: {
          weighted: {
            services: [{ name: 'app' }, { name: 'named@file' }],
            sticky: { cookie: { name: 'branch' } },
          },
        },
        failing: { loadBalancer: { servers: [a, gone], sticky: { cookie: { name: 'lb' } } } },
        hashed: {
          loadBalancer: { servers: [a, b, c], strategy: 'maglev', hashOn: { header: 'X-User' } },
        },
      },
    },
  }
  gateway = await startGateway({ routes, workers: 2 })
})

afterAll(async () => {
  await gateway.stop()
  for (const origin of origins) await origin.stop()
})

function ask(service: string, cookie = '', headers: Keys = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.get(
      {
        host: '127.0.0.1',
        port: gateway.port,
        agent: false,
        headers: {
          Host: `${service}.test`,
          ...(cookie === '' ? {} : { Cookie: cookie }),
          ...(headers as Record<string, string>),
        },
      },
      (response) => {
        response.resume()
        const cookies = (response.headers['set-cookie'] ?? []).filter((c) => !c.startsWith('own='))
        const by = String(response.headers['x-by'] ?? '')
        resolve({ by, status: response.statusCode ?? 0, cookies })
      },
    )
    request.on('error', reject)
  })
}

test('A new client gets a cookie with the name and value that Traefik gives, and stays', async () => {
  const first = await ask('app')
  const name = `_${createHash('sha1').update('_TRAEFIK_BACKEND_app@file').digest('hex').slice(0, 5)}`
  const url = urls['abc'.indexOf(first.by)]!
  expect(first.cookies).toEqual([`${name}=${sha256(url)}; Path=/`])
  const seen = new Set<string>()
  for (let i = 0; i < 12; i++) {
    const again = await ask('app', `z=1; ${name}=${sha256(url)}`)
    expect(again.cookies).toEqual([])
    seen.add(again.by)
  }
  expect([...seen]).toEqual([first.by])
  const others = new Set<string>()
  for (let i = 0; i < 12; i++) others.add((await ask('app')).by)
  expect(others.size).toBe(3)
})

test('The cookie says what the configuration says of it', async () => {
  const { by, cookies } = await ask('named')
  const value = sha256(urls['abc'.indexOf(by)]!)
  expect(cookies).toEqual([
    `lb=${value}; Path=/x; Domain=named.test; Max-Age=60; HttpOnly; Secure; SameSite=Lax`,
  ])
})

test('A cookie that names nobody, or a server that cannot be reached, is written anew', async () => {
  expect((await ask('named', 'lb=0123456789abcdef')).cookies).toHaveLength(1)
  const { status, by, cookies } = await ask('failing', `lb=${sha256(urls[3]!)}`)
  expect([status, by, cookies]).toEqual([200, 'a', [`lb=${sha256(urls[0]!)}; Path=/`]])
})

test('The plain URL, as older versions wrote it, is understood and replaced', async () => {
  const { by, cookies } = await ask('fenced', `lb=${urls[1]!}`)
  expect([by, cookies]).toEqual(['b', [`lb=${sha256(urls[1]!)}; Path=/`]])
})

test('A fenced and a terminating server serve those who have begun with them, and nobody else', async () => {
  for (let i = 0; i < 6; i++) expect((await ask('fenced')).by).toBe('a')
  expect((await ask('fenced', `lb=${sha256(urls[1]!)}`)).by).toBe('b')
  expect((await ask('fenced', `lb=${sha256(urls[2]!)}`)).by).toBe('c')
})

test('A weighted service keeps its clients with a child, which is named as it is written', async () => {
  const first = await ask('tree')
  const branch = first.cookies.find((c) => c.startsWith('branch='))!
  expect(first.cookies).toHaveLength(2)
  expect([sha256('app'), sha256('named@file')].map((v) => `branch=${v}; Path=/`)).toContain(branch)
  const kept = first.cookies.map((c) => c.split(';')[0]!).join('; ')
  for (let i = 0; i < 8; i++) {
    const again = await ask('tree', kept)
    expect([again.by, again.cookies]).toEqual([first.by, []])
  }
  // The branch alone: the same child, whose server is chosen anew.
  const inner = await ask('tree', branch.split(';')[0]!)
  expect(inner.cookies).toHaveLength(1)
  expect(inner.cookies[0]!.split('=')[0]).toBe(
    first.cookies.find((c) => !c.startsWith('branch='))!.split('=')[0],
  )
})

test('Requests with the same header go the same way, whichever worker has them', async () => {
  const servers = new Map<string, string>()
  for (let i = 0; i < 60; i++) {
    const user = `user${i % 20}`
    const { by } = await ask('hashed', '', { 'X-User': user })
    expect(servers.get(user) ?? by).toBe(by)
    servers.set(user, by)
  }
  expect(new Set(servers.values()).size).toBe(3)
})

test('What a load balancer cannot do is refused, with its place', async () => {
  const bad = (loadBalancer: Keys): Keys => ({
    http: { services: { s: { loadBalancer: { servers: [{ url: urls[0]! }], ...loadBalancer } } } },
  })
  for (const [keys, said] of [
    [{ strategy: 'fastest' }, 'strategy'],
    [{ hashOn: { ip: true } }, 'hashOn: means nothing to strategy wrr: expected hrw or maglev'],
    [{ strategy: 'hrw', hashOn: { ip: true, query: 'u' } }, 'expected exactly one of header'],
    [{ sticky: { cookie: { sameSite: 'some' } } }, 'sameSite: expected one of none, lax, strict'],
    [{ sticky: { cookie: { path: '/;x' } } }, 'sticky.cookie.path: holds a byte that ends it'],
  ] as const) {
    gateway.writeRoutes(bad(keys))
    await gateway.untilStderr(said)
  }
})
