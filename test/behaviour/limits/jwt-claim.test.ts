// Limits by a claim of a JWT, behind a server that verifies it: whose word counts, and what becomes of everybody else.

import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MiddlewareScene, startMiddlewareScene } from '../../support/middleware-scene.ts'
import { type ScriptedOrigin, startScriptedOrigin } from '../../support/origin.ts'
import { responseText } from '../../support/scene.ts'

let auth: ScriptedOrigin
let scene: MiddlewareScene

const encoded = (text: string): string => Buffer.from(text).toString('base64url')

function jwt(claims: object | string, key = 'key of the issuer'): string {
  const payload = typeof claims === 'string' ? claims : JSON.stringify(claims)
  const signed = `${encoded('{"alg":"HS256"}')}.${encoded(payload)}`
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`
}

function isSigned(line: string): boolean {
  const [head, payload, signature] = line.split('.')
  const mac = createHmac('sha256', 'key of the issuer').update(`${head}.${payload}`)
  return mac.digest('base64url') === signature
}

const keys = ['jwtClaim.account.id']
const hour = { period: '1h', sourceCriterion: { keys } }

beforeAll(async () => {
  auth = await startScriptedOrigin(async (connection) => {
    for (;;) {
      const { head } = await connection.readRequest(60_000)
      const line = /^authorization: Bearer (\S+)\r$/im.exec(head)?.[1] ?? ''
      connection.send(isSigned(line) ? responseText('') : responseText('', '', '401 No'))
    }
  })
  scene = await startMiddlewareScene(
    {
      verify: { forwardAuth: { address: `${auth.url}/` } },
      rate: { rateLimit: { average: 1, burst: 3, mode: 'reject', ...hour } },
      open: { rateLimit: { average: 1, burst: 3, mode: 'reject', ...hour } },
      hub: { plugin: { distributedRateLimit: { limit: 1, burst: 3, ...hour } } },
      month: { quota: { limit: 3, ...hour } },
      none: { inFlightReq: { amount: 0, sourceCriterion: { keys } } },
    },
    {
      workers: 2,
      lists: { rate: ['verify', 'rate'], hub: ['verify', 'hub'], month: ['verify', 'month'] },
    },
  )
})

afterAll(async () => {
  await scene.stop()
  expect(scene.gateway.stderr()).not.toMatch(/defect|eyJ/)
  await auth.stop()
})

async function statuses(target: string, times: number, line?: string): Promise<number[]> {
  const headers = line === undefined ? [] : [`Authorization: ${line}`]
  const one = () => scene.ask('GET', target, headers)
  const all = await Promise.all(Array.from({ length: times }, one))
  return all.map(({ status }) => status).toSorted()
}

const of = (id: unknown, key?: string): string => `Bearer ${jwt({ account: { id } }, key)}`

test.each(['/rate', '/hub', '/month'])(
  'each account has a limit of its own, which nobody else can use up: %s',
  async (target) => {
    expect(await statuses(target, 5, of('ann', 'a key of mine'))).toEqual([401, 401, 401, 401, 401])
    expect(await statuses(target, 5, of('ann'))).toEqual([200, 200, 200, 429, 429])
    expect(await statuses(target, 5, of('bob'))).toEqual([200, 200, 200, 429, 429])
    expect(await statuses(target, 1, of('ann'))).toEqual([429])
  },
)

test('whoever brings no such claim is counted by address, whatever he brings in its place', async () => {
  const bearers = [
    undefined,
    'Bearer',
    'Bearer a.b.c',
    'Basic YW5uOmE=',
    of({}),
    of(['ann']),
    of('\ud800'),
    `Bearer ${jwt('{"account":'.repeat(500))}`,
    `Bearer ${jwt({ account: { id: 'x'.repeat(20_000) } })}`,
    `Bearer ${jwt('{"__proto__":{"account":{"id":"ann"}}}')}`,
  ]
  const all: number[] = []
  for (const line of bearers) all.push(...(await statuses('/open', 1, line)))
  expect(all).toEqual([200, 200, 200, 429, 429, 429, 429, 429, 429, 429])
  expect(await statuses('/open', 1, of('127.0.0.1'))).toEqual([200])
})

test('inFlightReq takes the same keys', async () => {
  expect(await statuses('/none', 1, of('ann'))).toEqual([429])
})
