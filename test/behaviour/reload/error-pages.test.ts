// The errors middleware: a response is replaced by a page of another service, also when nothing answers.

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Gateway, freePorts, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'

let origin: HttpOrigin
let pages: HttpOrigin
let gateway: Gateway
let client: RawClient
let seen: string[] = []

beforeAll(async () => {
  origin = await startHttpOrigin((request, response) => {
    response.statusCode = Number(request.url!.slice(1, 4))
    response.setHeader('X-Origin', 'yes')
    response.end(request.url!.endsWith('large') ? 'x'.repeat(1_000_000) : 'from the origin')
  })
  pages = await startHttpOrigin((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.host}`)
    response.statusCode = request.url === '/missing' ? 404 : 200
    response.setHeader('X-Page', 'yes')
    response.end(`page of ${request.url}`)
  })
  const [closed = 0] = await freePorts(1)
  const router = (prefix: string, service: string, middleware: string) => ({
    rule: `PathPrefix(\`${prefix}\`)`,
    entryPoints: ['web'],
    service,
    middlewares: [middleware],
  })
  const servers = (url: string) => ({ loadBalancer: { servers: [{ url }] } })
  const errors = (service: string, query: string) => ({
    errors: { status: ['500-599'], service, query },
  })
  gateway = await startGateway({
    routes: {
      http: {
        routers: {
          all: router('/', 'origin', 'pages'),
          down: router('/down', 'down', 'pages'),
          both: router('/both', 'down', 'lost'),
        },
        services: {
          origin: servers(origin.url),
          pages: servers(pages.url),
          down: servers(`http://127.0.0.1:${closed}`),
        },
        middlewares: {
          pages: errors('pages', '/{status}.html'),
          lost: errors('down', '/{status}'),
        },
      },
    },
  })
})

afterAll(async () => {
  await gateway.stop()
  await Promise.all([origin.stop(), pages.stop()])
})

beforeEach(async () => {
  seen = []
  client?.destroy()
  client = await connectRaw(gateway.port)
})

async function ask(text: string, isHead = false) {
  client.send(text)
  return client.readResponse(isHead)
}

test('a status in the list is answered with the page and the status of the response', async () => {
  const answer = await ask('GET /503 HTTP/1.1\r\nHost: a.test\r\n\r\n')
  expect([answer.status, answer.body]).toEqual([503, 'page of /503.html'])
  expect(answer.headers.get('x-page')).toBe('yes')
  expect(answer.headers.get('x-origin')).toBe(undefined)
  expect(seen).toEqual(['GET /503.html a.test'])
})

test('a status outside the list passes', async () => {
  const answer = await ask('GET /404 HTTP/1.1\r\nHost: a.test\r\n\r\n')
  expect([answer.status, answer.body]).toEqual([404, 'from the origin'])
  expect(seen).toEqual([])
})

test('a service that is down is answered with a page too', async () => {
  const answer = await ask('GET /down HTTP/1.1\r\nHost: a.test\r\n\r\n')
  expect([answer.status, answer.body]).toEqual([502, 'page of /502.html'])
})

test('when the service of the pages is down as well, the client gets an error once', async () => {
  const answer = await ask('GET /both HTTP/1.1\r\nHost: a.test\r\n\r\n')
  expect(answer.status).toBe(502)
})

test('the connection is kept and the next request is not disturbed', async () => {
  for (let i = 0; i < 5; i++) {
    expect((await ask('GET /500 HTTP/1.1\r\nHost: a.test\r\n\r\n')).body).toBe('page of /500.html')
    expect((await ask('GET /200 HTTP/1.1\r\nHost: a.test\r\n\r\n')).body).toBe('from the origin')
  }
})

test('a large body that is replaced is not waited for', async () => {
  const answer = await ask('GET /500large HTTP/1.1\r\nHost: a.test\r\n\r\n')
  expect([answer.status, answer.body]).toEqual([500, 'page of /500.html'])
  expect((await ask('GET /200 HTTP/1.1\r\nHost: a.test\r\n\r\n')).body).toBe('from the origin')
})

test('a POST with a body gets the page by GET', async () => {
  const answer = await ask('POST /500 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello')
  expect([answer.status, answer.body]).toEqual([500, 'page of /500.html'])
  expect(seen).toEqual(['GET /500.html a.test'])
})

test('a HEAD request gets the head of the page and no body', async () => {
  const answer = await ask('HEAD /500 HTTP/1.1\r\nHost: a.test\r\n\r\n', true)
  expect([answer.status, answer.headers.get('x-page')]).toEqual([500, 'yes'])
  const next = await ask('GET /200 HTTP/1.1\r\nHost: a.test\r\n\r\n')
  expect(next.body).toBe('from the origin')
})

test('a replaced response is counted by the method that the client has used', async () => {
  await ask('POST /501 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n')
  const { body } = await gateway.admin('/metrics')
  const name = 'traefik_entrypoint_requests_total'
  expect(metricSum(body, name, 'code="501"', 'method="POST"')).toBe(1)
  expect(metricSum(body, name, 'code="501"', 'method="GET"')).toBe(0)
})
