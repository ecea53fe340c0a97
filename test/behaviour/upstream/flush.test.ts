// responseForwarding.flushInterval: whatever it says, bytes of a response are passed on in the turn in which they came.

import { afterEach, expect, test } from 'vitest'
import { type Gateway, startGateway } from '../../support/gateway.ts'
import { type ScriptedOrigin, startScriptedOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { requestText } from '../../support/scene.ts'

const INTERVAL_MS = 20_000
let gateway: Gateway | null = null
let origin: ScriptedOrigin | null = null
let client: RawClient | null = null

afterEach(async () => {
  client?.destroy()
  await gateway?.stop()
  await origin?.stop()
})

test.each(['node', 'uws'] as const)(
  'engine %s passes a slow body on piece by piece, long before flushInterval',
  async (engine) => {
    origin = await startScriptedOrigin()
    const loadBalancer = {
      servers: [{ url: origin.url }],
      responseForwarding: { flushInterval: `${INTERVAL_MS}ms` },
    }
    gateway = await startGateway({
      engine,
      routes: {
        http: {
          routers: { all: { rule: 'PathPrefix(`/`)', entryPoints: ['web'], service: 'slow' } },
          services: { slow: { loadBalancer } },
        },
      },
    })
    client = await connectRaw(gateway.port)
    client.send(requestText())
    const server = await origin.connection(0)
    await server.readRequest()
    server.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n')
    for (const piece of ['one', 'two', 'six']) {
      server.send(piece)
      await client.untilText(piece, INTERVAL_MS / 4) // no interval has passed
    }
    expect((await client.readResponse()).body).toBe('onetwosix')
  },
)
