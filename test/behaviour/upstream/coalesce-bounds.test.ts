// Shared connections are some of maxConnections: never more than those, and never all of them.

import { afterEach, expect, test } from 'vitest'
import type { Keys } from '../../support/gateway.ts'
import type { RawClient } from '../../support/raw-client.ts'
import { type Scene, requestText, responseText, startScene } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

const PROOFS = 40 // more than the gateway asks for
let scene: Scene | null = null
let shared = 0 // requests that came before the one in front of them was answered

afterEach(async () => {
  await scene?.stop()
  scene = null
})

async function start(transport: Keys): Promise<Scene> {
  shared = 0
  scene = await startScene({ coalesce: { slowAfter: '1m' }, ...transport }, {}, async (one) => {
    for (;;) {
      await one.readRequest(60_000)
      if (one.received !== '') shared++
      one.send(responseText('ok'))
    }
  })
  return scene
}

function clientsOf(running: Scene, count: number): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: count }, () => running.client()))
}

async function ask(client: RawClient, method = 'GET'): Promise<number> {
  const body = method === 'POST' ? 'body' : ''
  return (await client.send(requestText(method, '/', '', body)).readResponse()).status
}

function openTo(running: Scene): number {
  return running.origin.connections.filter(({ ended, closed }) => !ended && !closed).length
}

test.each([
  [1, 1],
  [2, 1],
  [3, 2],
])('of %i connections %i stay with requests that can share', async (maxConnections, stay) => {
  const forwardingTimeouts = { dialTimeout: '5s', idleConnTimeout: '300ms' }
  const running = await start({ maxConnections, forwardingTimeouts })
  const [posting, ...getting] = await clientsOf(running, 5)
  for (let i = 0; i < PROOFS; i++) await ask(posting!)
  let flows = true
  const flow = async (client: RawClient): Promise<void> => {
    while (flows) expect(await ask(client)).toBe(200)
  }
  const all = Promise.all(getting.map(flow))
  await eventually('the others to be closed', () => openTo(running) === stay)
  for (let i = 0; i < 10; i++) {
    expect(await ask(posting!, 'POST')).toBe(200)
    expect(openTo(running)).toBeLessThanOrEqual(maxConnections)
  }
  flows = false
  await all
})

test('where all connections are open already, idle ones become shared ones', async () => {
  const running = await start({ maxConnections: 4 })
  const clients = await clientsOf(running, 16)
  await eventually('requests to share a connection', async () => {
    await Promise.all(clients.map((client) => ask(client)))
    return shared > 0
  })
  expect(running.origin.connections.length).toBeLessThanOrEqual(4)
  expect(await ask(clients[0]!, 'POST')).toBe(200)
})
