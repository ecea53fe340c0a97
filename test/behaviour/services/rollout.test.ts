// A progressive rollout: workers follow what the supervisor decides by what they have counted, and it can be steered.

import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { eventually } from '../../support/wait.ts'
import { run } from '../../cli/run.ts'

const servers: http.Server[] = []
const asked = { old: 0, new: 0 }
let newStatus = 200
let gateway: Gateway
let urls: string[]

async function serve(name: 'old' | 'new'): Promise<string> {
  const server = http.createServer((_request, response) => {
    asked[name]++
    response.writeHead(name === 'new' ? newStatus : 200).end(name)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function routes(rollout: Keys): Keys {
  const balancer = (url: string): Keys => ({ loadBalancer: { servers: [{ url }] } })
  return {
    http: {
      routers: { all: { rule: 'PathPrefix(`/`)', entryPoints: ['web'], service: 'rolling' } },
      services: {
        rolling: { weighted: { services: [{ name: 'old' }, { name: 'new' }], rollout } },
        old: balancer(urls[0]!),
        new: balancer(urls[1]!),
      },
    },
  }
}

// An interval is longer than fifty requests take, though the machine may stand still in their middle.
const quick = { to: 'new', steps: [20, 50], interval: '3s', minRequests: 5, maxErrorRatio: 0.2 }

beforeAll(async () => {
  urls = [await serve('old'), await serve('new')]
  const paused = { ...quick, startsPaused: true }
  const api = { insecure: true, writable: true }
  gateway = await startGateway({ workers: 2, routes: routes(paused), static: { api } })
})

afterAll(async () => {
  await gateway.stop()
  for (const server of servers) server.closeAllConnections()
  for (const server of servers) server.close()
})

async function ask(times: number): Promise<void> {
  for (let i = 0; i < times; i++) await (await fetch(`http://127.0.0.1:${gateway.port}/`)).text()
}

interface Shown {
  readonly state: string
  readonly percent: number
  readonly reason: string
  readonly sides: readonly { requests: number; errors: number }[]
}

async function shown(): Promise<Shown> {
  const { body } = await gateway.admin('/api/http/rollouts')
  return (JSON.parse(body) as Shown[])[0]!
}

async function steer(action: string, headers: Record<string, string> = {}): Promise<number> {
  const url = `http://127.0.0.1:${gateway.adminPort}/api/http/rollouts/rolling@file/${action}`
  return (await fetch(url, { method: 'POST', headers })).status
}

test('it waits when it is told to, and then leads to the new service step by step', async () => {
  await ask(20)
  expect(asked).toEqual({ old: 20, new: 0 })
  expect(await shown()).toMatchObject({ state: 'paused', percent: 0 })
  expect(await steer('resume')).toBe(200)
  await ask(50)
  // Two workers, each exact by itself.
  expect(asked.new).toBeGreaterThanOrEqual(8)
  expect(asked.new).toBeLessThanOrEqual(11)
  await eventually('the second step', async () => {
    await ask(10)
    return (await shown()).percent === 50
  })
  await eventually('its end', async () => {
    await ask(10)
    return (await shown()).state === 'promoted'
  })
  const before = asked.old
  await ask(20)
  expect(asked.old).toBe(before)
  expect((await shown()).sides[1]!.requests).toBe(asked.new)
})

test('errors of the new service take it back, and its steps can begin anew', async () => {
  newStatus = 503
  expect(await steer('restart')).toBe(200)
  await eventually('the way back', async () => {
    await ask(10)
    return (await shown()).state === 'rolledBack'
  })
  expect((await shown()).reason).toMatch(/% of \d+ answers were errors/)
  const before = asked.new
  await ask(20)
  expect(asked.new).toBe(before)
  expect(gateway.stderr()).toMatch(/rollout rolling@file: rolledBack, 0 % for new@file/)
  newStatus = 200
})

test('only what is known is done, and never for the page of another site', async () => {
  expect(await steer('resume')).toBe(409)
  expect(await steer('explode')).toBe(404)
  expect(await steer('restart', { Origin: 'https://evil.example' })).toBe(403)
  expect(await steer('restart', { 'Sec-Fetch-Site': 'cross-site' })).toBe(403)
  const unknown = `http://127.0.0.1:${gateway.adminPort}/api/http/rollouts/none@file/restart`
  expect((await fetch(unknown, { method: 'POST' })).status).toBe(404)
  expect((await shown()).state).toBe('rolledBack')
})

test('the command lists and steers', async () => {
  const flags = [
    `--entryPoints.traefik.address=127.0.0.1:${gateway.adminPort}`,
    '--api.insecure=true',
  ]
  expect((await run(['rollout', ...flags])).out).toContain('rolling@file')
  const steered = await run(['rollout', 'rolling@file', 'restart', ...flags])
  expect([steered.code, steered.out.includes('progressing')]).toEqual([0, true])
  expect((await run(['rollout', 'rolling@file', 'fly', ...flags])).code).toBe(2)
  expect((await run(['rollout', 'none@file', 'pause', ...flags])).code).toBe(1)
})

test('a reload that changes nothing of it keeps it; one that does begins anew', async () => {
  const before = await shown()
  expect(before.state).toBe('progressing')
  gateway.writeRoutes(routes({ ...quick, startsPaused: true, interval: '2s' }))
  await eventually('the new one', async () => (await shown()).state === 'paused')
})

test('without api.writable nothing can be steered', async () => {
  const other = await startGateway({ routes: routes(quick) })
  const url = `http://127.0.0.1:${other.adminPort}/api/http/rollouts/rolling@file/promote`
  expect((await fetch(url, { method: 'POST' })).status).toBe(403)
  await other.stop()
})
