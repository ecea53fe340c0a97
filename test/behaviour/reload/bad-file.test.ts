// Bad configuration never replaces a good one, is told once, and keeps /ready false only at the start.

import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { type Response, connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'

let origin: HttpOrigin
let gateway: Gateway | null = null

beforeAll(async () => {
  origin = await startHttpOrigin((_request, response) => response.end('served'))
})

afterEach(async () => {
  await gateway?.stop()
  gateway = null
})

afterAll(() => origin.stop())

function file(of: Gateway): string {
  return path.join(of.folder, 'routes.yml')
}

async function get(of: Gateway): Promise<Response> {
  const client = await connectRaw(of.port)
  client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  const answer = await client.readResponse()
  client.destroy()
  return answer
}

async function metric(of: Gateway, name: string): Promise<number> {
  return metricSum((await of.admin('/metrics')).body, name)
}

function occurrences(text: string, part: string): number {
  return text.split(part).length - 1
}

interface Problem {
  readonly message: string
  readonly severity: string
}

async function problems(of: Gateway): Promise<readonly Problem[]> {
  const overview = JSON.parse((await of.admin('/api/overview')).body) as {
    sluice: { problems: readonly Problem[] }
  }
  return overview.sluice.problems
}

test('a file that is no YAML leaves the old configuration in place and is told once, everywhere', async () => {
  gateway = await startGateway({ routes: routesTo([origin.url]) })
  const running = gateway
  const reloads = await metric(running, 'traefik_config_reloads_total')
  writeFileSync(file(running), 'http:\n  routers: [unclosed\n')
  await eventually('the error to be counted', async () => {
    return (await metric(running, 'sluice_config_errors')) > 0
  })
  expect((await get(running)).body).toBe('served')
  expect((await running.admin('/ready')).status).toBe(200)
  expect((await problems(running)).filter(({ severity }) => severity === 'error')).toHaveLength(1)
  await running.untilStderr('routes.yml:3')

  // Touched again, still broken: not told again.
  writeFileSync(file(running), 'http:\n  routers: [unclosed\n ')
  writeFileSync(file(running), 'http:\n  routers: [unclosed\n')
  running.writeRoutes(routesTo([origin.url, origin.url]))
  await eventually('the good file to be loaded', async () => {
    return (await metric(running, 'sluice_config_errors')) === 0
  })
  expect(await metric(running, 'traefik_config_reloads_total')).toBeGreaterThan(reloads)
  expect(occurrences(running.stderr(), 'routes.yml:3')).toBe(1)
  expect(await problems(running)).toEqual([])
})

test('a bad router disables itself only, and the others go on', async () => {
  const routes = routesTo([origin.url]) as { http: { routers: Record<string, unknown> } }
  gateway = await startGateway({ routes })
  const running = gateway
  const bad = { rule: 'Path(`/bad`', entryPoints: ['web'], service: 'origin' }
  const unknown = { rule: 'Path(`/u`)', entryPoints: ['web'], service: 'orgin' }
  const routers = { ...routes.http.routers, bad, unknown }
  running.writeRoutes({ http: { ...routes.http, routers } })
  await running.untilStderr('unknown')
  expect(await metric(running, 'sluice_config_errors')).toBe(2)
  expect((await get(running)).body).toBe('served')
  const row = JSON.parse((await running.admin('/api/http/routers/bad@file')).body) as {
    status: string
  }
  expect(row.status).toBe('disabled')
})

test('/ready is false while the first file is missing, and true once it is there', async () => {
  gateway = await startGateway({ waitReady: false, routes: {} })
  const running = gateway
  rmSync(file(running))
  await running.untilStderr('listening')
  expect((await running.admin('/ready')).status).toBe(503)
  expect((await running.admin('/ping')).status).toBe(200)
  running.writeRoutes(routesTo([origin.url]))
  await eventually('/ready to be true', async () => (await running.admin('/ready')).status === 200)
  expect((await get(running)).body).toBe('served')
})

test('/ready is false while the first file is broken, and never before the good one is served', async () => {
  gateway = await startGateway({ waitReady: false })
  const running = gateway
  writeFileSync(file(running), 'http: {')
  await running.untilStderr('listening')
  expect((await running.admin('/ready')).status).toBe(503)
  running.writeRoutes(routesTo([origin.url]))
  await eventually('/ready to be true', async () => (await running.admin('/ready')).status === 200)
  expect((await get(running)).status).toBe(200)
})
