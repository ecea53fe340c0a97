// What a rollout has come to belongs to its two services: another one begins anew, whatever became of the one before, and
// a reload that changes nothing of it keeps it.

import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { eventually } from '../../support/wait.ts'

const names = ['v1', 'v2', 'v3']
const asked: Record<string, number> = {}
const servers: http.Server[] = []
const services: Record<string, Keys> = {}
let gateway: Gateway

async function serve(name: string): Promise<void> {
  const server = http.createServer((_request, response) => {
    asked[name] = (asked[name] ?? 0) + 1
    response.end(name)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  services[name] = { loadBalancer: { servers: [{ url }] } }
}

// No step ends by itself. `mark`: a path that this configuration alone has.
function routes(from: string, to: string, weight = 1, mark = '/mark-0'): Keys {
  const children = [{ name: from }, { name: to, weight }]
  const rollout = { to, steps: [10], interval: '1h' }
  return {
    http: {
      routers: {
        all: { rule: 'PathPrefix(`/`)', entryPoints: ['web'], service: 'rolling' },
        mark: { rule: `Path(\`${mark}\`)`, priority: 99, service: 'ping@internal' },
      },
      services: { ...services, rolling: { weighted: { services: children, rollout } } },
    },
  }
}

beforeAll(async () => {
  for (const name of names) await serve(name)
  const api = { insecure: true, writable: true }
  gateway = await startGateway({ routes: routes('v1', 'v2'), static: { api } })
})

afterAll(async () => {
  await gateway.stop()
  for (const server of servers) server.closeAllConnections()
  for (const server of servers) server.close()
})

interface Shown {
  readonly to: string
  readonly state: string
  readonly percent: number
}

async function shown(): Promise<Shown> {
  const { body } = await gateway.admin('/api/http/rollouts')
  const [first] = JSON.parse(body) as Shown[]
  return { to: first!.to, state: first!.state, percent: first!.percent }
}

async function steer(action: string): Promise<void> {
  const url = `http://127.0.0.1:${gateway.adminPort}/api/http/rollouts/rolling@file/${action}`
  expect((await fetch(url, { method: 'POST' })).status).toBe(200)
}

async function get(path: string): Promise<string> {
  return (await fetch(`http://127.0.0.1:${gateway.port}${path}`)).text()
}

// How many of ten requests each service got. The share is exact.
async function ask(): Promise<Record<string, number>> {
  for (const name of names) asked[name] = 0
  for (let i = 0; i < 10; i++) await get('/')
  return Object.fromEntries(Object.entries(asked).filter(([, times]) => times > 0))
}

// Until the one worker serves by it.
let reloads = 0
async function reload(from: string, to: string, weight = 1): Promise<void> {
  const mark = `/mark-${++reloads}`
  gateway.writeRoutes(routes(from, to, weight, mark))
  await eventually('the reload', async () => (await get(mark)) === 'OK')
}

const outcomes = [
  ['promote', 'promoted', 100, { v2: 10 }],
  ['pause', 'paused', 10, { v1: 9, v2: 1 }],
  ['rollback', 'rolledBack', 0, { v1: 10 }],
] as const

test.each(outcomes)(
  'after %s a reload that changes nothing of it keeps it, and another service begins anew',
  async (action, state, percent, shares) => {
    await reload('v1', 'v2')
    await steer('restart')
    await steer(action)
    await reload('v1', 'v2')
    expect(await shown()).toEqual({ to: 'v2@file', state, percent })
    expect(await ask()).toEqual(shares)
    await reload('v2', 'v3')
    expect(await shown()).toEqual({ to: 'v3@file', state: 'progressing', percent: 10 })
    expect(await ask()).toEqual({ v2: 9, v3: 1 })
  },
)

test('another old service begins anew; a weight, which nobody looks at meanwhile, changes nothing', async () => {
  await steer('promote')
  await reload('v1', 'v3')
  expect(await shown()).toMatchObject({ state: 'progressing', percent: 10 })
  await steer('promote')
  await reload('v1', 'v3', 2)
  expect(await shown()).toMatchObject({ state: 'promoted' })
})
