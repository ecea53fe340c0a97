// A request is sent a second time only when that can't do harm. The servers keep a ledger of what reached them.

import { afterEach, beforeEach, expect, test } from 'vitest'
import { metricSum } from '../../support/metrics.ts'
import type { OriginConnection } from '../../support/origin.ts'
import type { RawClient } from '../../support/raw-client.ts'
import { type Scene, requestText, responseText, startScene } from '../../support/scene.ts'

type Behaviour = 'answer' | 'close' | 'half' | 'silent'

let scene: Scene
let ledger: string[] = [] // request lines, as they were delivered
let behaviours: Behaviour[] = [] // of the requests that come; 'answer' when used up

async function serve(connection: OriginConnection): Promise<void> {
  for (;;) {
    const { head } = await connection.readRequest(60_000)
    ledger.push(head.slice(0, head.indexOf(' HTTP')))
    const behaviour = behaviours.shift() ?? 'answer'
    if (behaviour === 'close') return connection.reset()
    if (behaviour === 'half') {
      connection.send('HTTP/1.1 200 OK\r\nContent-')
      await new Promise((resolve) => setImmediate(resolve))
      connection.end()
      return
    }
    if (behaviour === 'answer') connection.send(responseText('ok'))
  }
}

beforeEach(async () => {
  ledger = []
  behaviours = []
  scene = await startScene(
    { forwardingTimeouts: { dialTimeout: '2s', responseHeaderTimeout: '2s' } },
    {},
    serve,
  )
})

afterEach(() => scene.stop())

// A client whose gateway has a warm connection to the server.
async function warmClient(): Promise<RawClient> {
  const client = await scene.client()
  client.send(requestText('GET', '/warm'))
  expect((await client.readResponse()).body).toBe('ok')
  ledger = []
  return client
}

async function statusOf(client: RawClient, text: string): Promise<number> {
  client.send(text)
  return (await client.readResponse(text.startsWith('HEAD'))).status
}

test.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])(
  '%s is sent once more when a reused connection died before a byte of the answer',
  async (method) => {
    const client = await warmClient()
    behaviours = ['close']
    expect(await statusOf(client, requestText(method, '/a'))).toBe(200)
    expect(ledger).toEqual([`${method} /a`, `${method} /a`])
    const { body } = await scene.gateway.admin('/metrics')
    expect(metricSum(body, 'traefik_service_retries_total')).toBe(1)
  },
)

test.each(['POST', 'PATCH', 'LOCK'])('%s is never sent twice', async (method) => {
  const client = await warmClient()
  behaviours = ['close']
  expect(await statusOf(client, requestText(method, '/a'))).toBe(502)
  expect(ledger).toEqual([`${method} /a`])
})

test('a request whose body has begun to flow is never sent twice', async () => {
  const client = await warmClient()
  behaviours = ['close']
  expect(await statusOf(client, requestText('PUT', '/a', '', 'body'))).toBe(502)
  expect(ledger).toEqual(['PUT /a'])
})

test('a request is sent twice at the most', async () => {
  const client = await warmClient()
  behaviours = ['close', 'close']
  expect(await statusOf(client, requestText('GET', '/a'))).toBe(502)
  expect(ledger).toEqual(['GET /a', 'GET /a'])
})

test('a new connection that dies is no reason to ask again', async () => {
  const client = await scene.client()
  behaviours = ['close']
  expect(await statusOf(client, requestText('GET', '/a'))).toBe(502)
  expect(ledger).toEqual(['GET /a'])
})

test('a connection that dies within the head of an answer is no reason to ask again', async () => {
  const client = await warmClient()
  behaviours = ['half']
  expect(await statusOf(client, requestText('GET', '/a'))).toBe(502)
  expect(ledger).toEqual(['GET /a'])
})

test('a server that is too slow is not asked again', async () => {
  const client = await warmClient()
  behaviours = ['silent']
  expect(await statusOf(client, requestText('GET', '/a'))).toBe(504)
  expect(ledger).toEqual(['GET /a'])
})
