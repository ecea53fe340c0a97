// A health check that can't be sent disables its service, with the place in the file; the gateway and the others go on.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { eventually } from '../../support/wait.ts'

const faulty: Record<string, Keys> = {
  keepAlive: { mode: 'grpc', headers: { 'Keep-Alive': 'timeout=5' } },
  hostname: { scheme: 'h2c', path: '/', hostname: 'grpc_api:port' },
  trailer: { path: '/', headers: { Trailer: 'x' } },
  connect: { scheme: 'h2c', path: '/', method: 'CONNECT' },
}
let origin: HttpOrigin
let gateway: Gateway
let checked = 0

beforeAll(async () => {
  origin = await startHttpOrigin((request, response) => {
    if (request.url === '/up') checked++
    response.end('served')
  })
  gateway = await startGateway({ routes: routes({}) })
})

afterAll(async () => {
  await gateway.stop()
  await origin.stop()
})

const good: Keys = { path: '/up', interval: '100ms' }

function routes(checks: Record<string, Keys>): Keys {
  const all = Object.entries({ ...checks, good })
  const service = (healthCheck: Keys): Keys => {
    return { loadBalancer: { servers: [{ url: origin.url }], healthCheck } }
  }
  return {
    http: {
      routers: Object.fromEntries(
        all.map(([name]) => [name, { rule: `Path(\`/${name}\`)`, service: name }]),
      ),
      services: Object.fromEntries(all.map(([name, check]) => [name, service(check)])),
    },
  }
}

async function get(name: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${gateway.port}/${name}`)
  return `${answer.status} ${await answer.text()}`
}

test('a reload that brings them ends nothing but their services', async () => {
  await eventually('a check', () => checked > 0)
  gateway.writeRoutes(routes(faulty))
  for (const name of Object.keys(faulty)) await gateway.untilStderr(`: ${name}@file: healthCheck.`)
  expect(gateway.stderr()).toMatch(/routes\.yml:1:\d+: connect@file: healthCheck\.method: CONNECT/)
  const before = checked
  await eventually('checks to go on', () => checked > before + 1)
  for (const name of Object.keys(faulty)) expect(await get(name)).toMatch(/^404 /)
  expect(await get('good')).toBe('200 served')
  expect(gateway.exit).toBe(null)
})
