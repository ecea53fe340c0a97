// leasttime in a running gateway: who never answers is not the fastest.

import { afterEach, expect, test } from 'vitest'
import { type Gateway, startGateway } from '../../support/gateway.ts'
import { type OriginConnection, startScriptedOrigin } from '../../support/origin.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { requestText, responseText } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

const stops: (() => unknown)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

async function answer(connection: OriginConnection): Promise<void> {
  for (;;) {
    await connection.readRequest(60_000)
    connection.send(responseText('ok'))
  }
}

async function gatewayTo(
  ...scripts: ((connection: OriginConnection) => unknown)[]
): Promise<Gateway> {
  const origins = await Promise.all(scripts.map((script) => startScriptedOrigin(script)))
  for (const origin of origins) stops.push(() => origin.stop())
  const servers = origins.map(({ url }) => ({ url }))
  const gateway = await startGateway({
    routes: {
      http: {
        routers: { all: { rule: 'PathPrefix(`/`)', entryPoints: ['web'], service: 'all' } },
        services: { all: { loadBalancer: { strategy: 'leasttime', servers } } },
      },
    },
  })
  stops.push(() => gateway.stop())
  return gateway
}

// With a body, so that nobody may send it twice.
async function post(gateway: Gateway): Promise<number> {
  const client = await connectRaw(gateway.port)
  stops.push(() => client.destroy())
  return (await client.send(requestText('POST', '/', '', 'x')).readResponse()).status
}

test('a server that hangs up instead of answering is asked once in a while', async () => {
  let failures = 0
  const gateway = await gatewayTo(answer, async (connection) => {
    await connection.readRequest(60_000)
    failures++
    connection.destroy()
  })
  const statuses: number[] = []
  for (let i = 0; i < 60; i++) statuses.push(await post(gateway))
  expect(statuses.filter((status) => status === 502).length).toBe(failures)
  expect(failures).toBeGreaterThan(0)
  expect(failures).toBeLessThan(10) // one in ten seconds
})

test('a server that keeps silent gets one request', async () => {
  let silent = 0
  const gateway = await gatewayTo(answer, async (connection) => {
    await connection.readRequest(60_000)
    silent++
  })
  let answered = 0
  for (let sent = 1; sent <= 30; sent++) {
    void post(gateway).then(
      () => answered++,
      () => {}, // the end of the test
    )
    await eventually('it to be answered, or kept', () => answered + silent === sent)
  }
  expect(silent).toBe(1)
})
