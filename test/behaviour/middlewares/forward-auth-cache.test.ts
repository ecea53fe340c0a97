// forwardAuth with a cache through a gateway: how often the server is asked, for whom its answers count, and until when.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Keys } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { type MiddlewareScene, startMiddlewareScene } from '../../support/middleware-scene.ts'
import { type ScriptedOrigin, startScriptedOrigin } from '../../support/origin.ts'
import { responseText } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

let auth: ScriptedOrigin
let scene: MiddlewareScene
const asked: string[] = []

// Whoever brings a name passes under it; `/no-store` and `/cookie` say that this is no answer to keep.
function answerTo(head: string): string {
  const user = /^authorization: Bearer (\w+)\r$/im.exec(head)?.[1] ?? ''
  if (user === '') return responseText('who?', 'X-Why: nobody\r\n', '401 Unauthorized')
  const path = head.split(' ')[1]!
  const more = path === '/no-store' ? 'Cache-Control: no-store\r\n' : ''
  const cookie = path === '/cookie' ? 'Set-Cookie: session=1\r\n' : ''
  return responseText('', `X-User: ${user}\r\n${more}${cookie}`)
}

const forwardAuth = (cache: Keys | null, path = '/ok', more: Keys = {}): Keys => ({
  forwardAuth: {
    address: auth.url + path,
    authResponseHeaders: ['X-User'],
    ...more,
    ...(cache === null ? {} : { cache }),
  },
})

function middlewares(): Record<string, Keys> {
  return {
    kept: forwardAuth({ ttl: '1h' }),
    short: forwardAuth({ ttl: '300ms' }),
    refused: forwardAuth({ ttl: '1h', refusedTtl: '1h' }),
    few: forwardAuth({ ttl: '1h', entriesMax: 3 }),
    'any-path': forwardAuth(
      { ttl: '1h', ignore: ['path', 'query', 'method'], cookies: ['session'] },
      '/ok',
      { authRequestHeaders: ['Authorization', 'Cookie'] },
    ),
    'no-store': forwardAuth({ ttl: '1h' }, '/no-store'),
    cookie: forwardAuth({ ttl: '1h' }, '/cookie'),
    off: forwardAuth(null),
  }
}

beforeAll(async () => {
  auth = await startScriptedOrigin(async (connection) => {
    for (;;) {
      const { head } = await connection.readRequest(60_000)
      asked.push(head)
      connection.send(answerTo(head))
    }
  })
  scene = await startMiddlewareScene(middlewares())
})

beforeEach(() => {
  asked.length = 0
})

afterAll(async () => {
  await scene.stop()
  expect(scene.gateway.stderr()).not.toMatch(/defect|Bearer/)
  await auth.stop()
})

const as = (user: string): string => `Authorization: Bearer ${user}`

async function userSeen(target: string, ...headers: string[]): Promise<string> {
  const { status, body } = await scene.ask('GET', target, headers)
  return status === 200 ? (/^X-User: (\w+)\r$/m.exec(body)?.[1] ?? '') : String(status)
}

describe('the server is asked', () => {
  test('once for requests that tell it the same, and again for any other', async () => {
    for (let i = 0; i < 5; i++) expect(await userSeen('/kept/a', as('ann'))).toBe('ann')
    expect(asked.length).toBe(1)
    expect(await userSeen('/kept/b', as('ann'))).toBe('ann')
    expect(await userSeen('/kept/a?x', as('ann'))).toBe('ann')
    expect(await userSeen('/kept/a', as('bob'))).toBe('bob')
    expect(await userSeen('/kept/a', as('ann'), 'X-Unheard-Of: 1')).toBe('ann')
    expect(await userSeen('/kept/a', 'X-User: ann')).toBe('401')
    expect(asked.length).toBe(6)
  })

  test('each time without a cache', async () => {
    for (let i = 0; i < 3; i++) expect(await userSeen('/off', as('ann'))).toBe('ann')
    expect(asked.length).toBe(3)
  })

  test('again when an answer is too old', async () => {
    await eventually('an answer to be used again', async () => {
      const before = asked.length
      for (let i = 0; i < 2; i++) expect(await userSeen('/short', as('ann'))).toBe('ann')
      return asked.length === before + 1 || asked.length === before
    })
    const before = asked.length
    await eventually('the server to be asked once more', async () => {
      expect(await userSeen('/short', as('ann'))).toBe('ann')
      return asked.length > before
    })
  })

  test.each(['/no-store', '/cookie'])('each time when it says so: %s', async (path) => {
    for (let i = 0; i < 3; i++) expect(await userSeen(path, as('ann'))).toBe('ann')
    expect(asked.length).toBe(3)
  })

  test('each time for what it refuses, unless refusals are kept too', async () => {
    for (let i = 0; i < 3; i++) expect(await userSeen('/kept')).toBe('401')
    expect(asked.length).toBe(3)
    for (let i = 0; i < 3; i++) {
      const { status, body, headers } = await scene.ask('GET', '/refused')
      expect([status, body, headers.get('x-why')]).toEqual([401, 'who?', 'nobody'])
    }
    expect(asked.length).toBe(4)
  })

  test('again for what had to give way', async () => {
    for (const user of ['u1', 'u2', 'u3', 'u4']) await userSeen('/few', as(user))
    expect(await userSeen('/few', as('u4'))).toBe('u4')
    expect(asked.length).toBe(4)
    expect(await userSeen('/few', as('u1'))).toBe('u1')
    expect(asked.length).toBe(5)
  })

  test('once for what does not differ in what matters', async () => {
    for (const [target, cookie] of [
      ['/any-path/a', 'session=1; seen=1'],
      ['/any-path/b?c', 'seen=2; session=1'],
      ['/any-path', 'session=1'],
    ] as const) {
      expect(await userSeen(target, as('ann'), `Cookie: ${cookie}`, `X-Noise: ${target}`)).toBe(
        'ann',
      )
    }
    expect(asked.length).toBe(1)
    expect(await userSeen('/any-path', as('ann'), 'Cookie: session=2')).toBe('ann')
    expect(asked.length).toBe(2)
  })
})

test('no two users ever get the same answer, however they come together', async () => {
  const users = Array.from({ length: 20 }, (_, i) => `user${i}`)
  for (let round = 0; round < 5; round++) {
    const seen = await Promise.all(users.map((user) => userSeen('/kept/all', as(user))))
    expect(seen).toEqual(users)
  }
  expect(asked.length).toBe(20)
})

test('what was kept outlives a change elsewhere, and not one of the middleware', async () => {
  const { gateway, routing } = scene
  expect(await userSeen('/kept/reload', as('ann'))).toBe('ann')
  const untilRouted = (path: string) =>
    eventually('the next generation', async () => (await scene.ask('GET', path)).status === 200)
  gateway.writeRoutes(routing({ ...middlewares(), next: { addPrefix: { prefix: '/x' } } }))
  await untilRouted('/next')
  expect(await userSeen('/kept/reload', as('ann'))).toBe('ann')
  expect(asked.length).toBe(1)
  const changed = { ...middlewares(), kept: forwardAuth({ ttl: '30m' }) }
  gateway.writeRoutes(routing({ ...changed, last: { addPrefix: { prefix: '/x' } } }))
  await untilRouted('/last')
  expect(await userSeen('/kept/reload', as('ann'))).toBe('ann')
  expect(asked.length).toBe(2)
})

test('requests that were not asked about are counted as such', async () => {
  const counted = async (outcome: string): Promise<number> => {
    const { body } = await scene.gateway.admin('/metrics')
    const labels = ['middleware="kept@file"', `outcome="${outcome}"`]
    return metricSum(body, 'sluice_auth_requests_total', ...labels)
  }
  const [passed, cached] = [await counted('passed'), await counted('cached')]
  for (let i = 0; i < 4; i++) await userSeen('/kept/count', as('ann'))
  expect([await counted('passed'), await counted('cached')]).toEqual([passed + 1, cached + 3])
})
