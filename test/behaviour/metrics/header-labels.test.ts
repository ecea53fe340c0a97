// metrics.prometheus.headerLabels: counts of requests by what a header says, with a bound on what clients can make of it.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { SETS_MAX } from '../../../core/shared/header-labels.ts'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'

let origin: HttpOrigin
let gateway: Gateway
let client: RawClient

beforeAll(async () => {
  origin = await startHttpOrigin((_request, response) => response.end('served'))
  gateway = await startGateway({
    routes: routesTo([origin.url]),
    static: {
      metrics: {
        prometheus: { addRoutersLabels: true, headerLabels: { tenant: 'X-Tenant' } },
      },
    },
  })
  client = await connectRaw(gateway.port)
})

afterAll(async () => {
  client.destroy()
  await gateway.stop()
  await origin.stop()
})

async function ask(lines: string): Promise<void> {
  client.send(`GET / HTTP/1.1\r\nHost: a.test\r\n${lines}\r\n`)
  expect((await client.readResponse()).status).toBe(200)
}

const families = ['entrypoint', 'router', 'service'] as const
const whose = {
  entrypoint: 'entrypoint="web"',
  router: 'router="all@file"',
  service: 'service="origin@file"',
}

test('requests are counted by the value of the header, and only their number is', async () => {
  await ask('X-Tenant: gold\r\n')
  await ask('x-tenant: gold\r\n')
  await ask('X-Tenant: "iron"\\\r\n')
  await ask('')
  const { body } = await gateway.admin('/metrics')
  for (const family of families) {
    const name = `traefik_${family}_requests_total`
    const count = (tenant: string): number =>
      metricSum(body, name, whose[family], `tenant="${tenant}"`)
    expect([count('gold'), count('\\"iron\\"\\\\'), count('')]).toEqual([2, 1, 1])
    // None is there a second time without the label.
    expect(metricSum(body, name, whose[family])).toBe(4)
    expect(body.match(new RegExp(`# TYPE ${name} counter`, 'g'))).toHaveLength(1)
    const durations = `traefik_${family}_request_duration_seconds_count`
    expect(metricSum(body, durations, whose[family])).toBe(4)
  }
  expect(body).not.toMatch(/(seconds|bytes)[a-z_]*\{[^}]*tenant=/)
})

test('values that clients make up do not make series without end', async () => {
  for (let i = 0; i < 3 * SETS_MAX; i++) await ask(`X-Tenant: made-up-${i}\r\n`)
  await ask('X-Tenant: gold\r\n')
  const { body } = await gateway.admin('/metrics')
  const lines = body.split('\n').filter((line) => line.startsWith('traefik_entrypoint_requests_t'))
  expect(lines.length).toBeLessThan(SETS_MAX + 20)
  const name = 'traefik_entrypoint_requests_total'
  expect(metricSum(body, name, 'entrypoint="web"', 'tenant="gold"')).toBe(3)
  const other = metricSum(body, name, 'entrypoint="web"', 'tenant="other"')
  expect(other).toBeGreaterThan(SETS_MAX)
  expect(metricSum(body, name, 'entrypoint="web"')).toBe(5 + 3 * SETS_MAX)
})
