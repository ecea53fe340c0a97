// What was replaced at once, in the middle of being sent, is not sent a second time by whoever was replaced: neither a
// request's body to the server that was asked instead, nor the page of an error to the client.

import net from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { startHttpOrigin, startScriptedOrigin } from '../../support/origin.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { requestText, responseText } from '../../support/scene.ts'
import { untilStill } from '../../support/wait.ts'

const stops: (() => unknown)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

async function gatewayOf(http: Keys): Promise<Gateway> {
  const gateway = await startGateway({ routes: { http } })
  stops.push(() => gateway.stop())
  return gateway
}

async function answeringOrigin(): Promise<{ url: string; requests: string[] }> {
  const requests: string[] = []
  const origin = await startScriptedOrigin(async (connection) => {
    for (;;) {
      const { head, body } = await connection.readRequest()
      requests.push(`${head.split('\r\n')[0]} ${body}`)
      connection.send(responseText('ok'))
    }
  })
  stops.push(() => origin.stop())
  return { url: origin.url, requests }
}

// The first service has no place left, which is known before anything is sent; the second has a connection at rest.
test('a kept body is sent once to the server that is asked instead', async () => {
  const full = await startScriptedOrigin()
  stops.push(() => full.stop())
  const other = await answeringOrigin()
  const gateway = await gatewayOf({
    routers: {
      full: { rule: 'Path(`/full`)', service: 'full' },
      other: { rule: 'Path(`/other`)', service: 'other' },
      both: { rule: 'Path(`/both`)', service: 'both', middlewares: ['whole'] },
    },
    middlewares: { whole: { buffering: { maxRequestBodyBytes: 100_000 } } },
    serversTransports: { small: { maxConnections: 1, maxPending: 0 } },
    services: {
      full: { loadBalancer: { servers: [{ url: full.url }], serversTransport: 'small' } },
      other: { loadBalancer: { servers: [{ url: other.url }] } },
      both: { failover: { service: 'full', fallback: 'other', errors: { status: ['500-504'] } } },
    },
  })
  const holder = (await connectRaw(gateway.port)).send(requestText('GET', '/full'))
  stops.push(() => holder.destroy())
  await (await full.connection(0)).readRequestHead()
  const client = await connectRaw(gateway.port)
  stops.push(() => client.destroy())
  await client.send(requestText('GET', '/other')).readResponse()
  const body = 'GET /smuggled HTTP/1.1\r\nHost: internal\r\n\r\n'
  expect((await client.send(requestText('POST', '/both', '', body)).readResponse()).status).toBe(
    200,
  )
  // Whatever was behind the body has been read as a request before the next one of the same connection.
  await client.send(requestText('GET', '/other')).readResponse()
  expect(other.requests).toEqual([
    'GET /other HTTP/1.1 ',
    `POST /both HTTP/1.1 ${body}`,
    'GET /other HTTP/1.1 ',
  ])
})

const PAGE_BYTES = 900 * 1024
const TIMES = 12 // more than the kernel takes for a client that does not read

// How many pages the gateway has sent whole.
async function pagesSent(gateway: Gateway): Promise<number> {
  const { body } = await gateway.admin('/metrics')
  return metricSum(body, 'traefik_entrypoint_requests_total', 'code="503"')
}

test('a long page out of memory is sent once to a client that reads slowly', async () => {
  let asked = 0
  const origin = await startHttpOrigin((_request, response) => {
    asked++
    const headers = { 'Cache-Control': 'max-age=600', 'Content-Length': PAGE_BYTES }
    response.writeHead(200, headers).end(Buffer.alloc(PAGE_BYTES, 'p'))
  })
  stops.push(() => origin.stop())
  const gateway = await gatewayOf({
    routers: {
      fails: { rule: 'Path(`/fails`)', service: 'none', middlewares: ['page'] },
      page: { rule: 'Path(`/page`)', service: 'pages' },
    },
    middlewares: {
      page: { errors: { status: ['503'], service: 'pages', query: '/page' } },
      cache: { httpCache: {} },
    },
    services: {
      none: { loadBalancer: { servers: [] } },
      pages: { middlewares: ['cache'], loadBalancer: { servers: [{ url: origin.url }] } },
    },
  })
  const first = await connectRaw(gateway.port)
  expect((await first.send(requestText('GET', '/page')).readResponse()).body.length).toBe(
    PAGE_BYTES,
  )
  first.destroy()

  const client = net.connect(gateway.port, '127.0.0.1').pause()
  stops.push(() => client.destroy())
  client.write(requestText('GET', '/fails').repeat(TIMES - 1))
  client.write(requestText('GET', '/fails', 'Connection: close\r\n'))
  await untilStill('what the client could be sent', () => pagesSent(gateway))
  const pieces: Buffer[] = []
  for await (const piece of client) pieces.push(piece as Buffer)
  const answers = Buffer.concat(pieces)
  let at = 0
  for (let i = 0; i < TIMES; i++) {
    expect(answers.subarray(at, at + 12).toString('latin1')).toBe('HTTP/1.1 503')
    at = answers.indexOf('\r\n\r\n', at) + 4 + PAGE_BYTES
  }
  expect(answers.length).toBe(at)
  expect(asked).toBe(1) // all others came out of memory
})
