// The same httpCache in several places: on a router, on a service, and on both at once.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, fresh } from '../../support/cache-scene.ts'
import { type Gateway, startGateway } from '../../support/gateway.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'

let gateway: Gateway
let origins: HttpOrigin[]

const saying = (text: string): Promise<HttpOrigin> =>
  startHttpOrigin((_request, response) => response.writeHead(200, fresh).end(text))

const service = ({ url }: HttpOrigin, more = {}) => {
  return { loadBalancer: { servers: [{ url }] }, ...more }
}

beforeAll(async () => {
  origins = await Promise.all([saying('for everybody'), saying('for administrators')])
  const [open, hidden] = origins as [HttpOrigin, HttpOrigin]
  const cached = { middlewares: ['cache'] }
  const entryPoints = ['web']
  gateway = await startGateway({
    routes: {
      http: {
        routers: {
          // What a router and a service of one name store is of different servers.
          shop: { rule: 'Header(`X-Admin`, `1`)', entryPoints, service: 'hidden', ...cached },
          rest: { rule: 'PathPrefix(`/`)', priority: 1, entryPoints, service: 'shop' },
          both: { rule: 'Path(`/both`)', entryPoints, service: 'both', ...cached },
        },
        // Longer than a test may take: who waits for that waits for itself.
        middlewares: { cache: { httpCache: { collapseTimeout: '10m' } } },
        services: {
          hidden: service(hidden),
          shop: service(open, cached),
          both: service(open, cached),
        },
      },
    },
  })
})

afterAll(async () => {
  await gateway.stop()
  for (const origin of origins) await origin.stop()
})

test('a router and a service of one name share no responses', async () => {
  const admin = { 'X-Admin': '1' }
  for (const cache of ['MISS', 'HIT']) {
    const hidden = await ask(gateway.port, '/page', admin)
    const open = await ask(gateway.port, '/page')
    expect(hidden).toMatchObject({ body: 'for administrators', cache })
    expect(open).toMatchObject({ body: 'for everybody', cache })
  }
})

test('a request does not wait for itself at the service behind a router of the same name', async () => {
  expect(await ask(gateway.port, '/both')).toMatchObject({ status: 200, body: 'for everybody' })
  expect(await ask(gateway.port, '/both')).toMatchObject({ status: 200, cache: 'HIT' })
})
