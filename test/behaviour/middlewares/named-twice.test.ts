// A middleware that is named twice runs twice, as in Traefik: by the entry point and by the router, or in one list.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, type Keys, freePorts, startGateway } from '../../support/gateway.ts'
import { type ScriptedOrigin, startScriptedOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { requestText, responseText } from '../../support/scene.ts'

let origin: ScriptedOrigin
let gateway: Gateway
let client: RawClient

beforeAll(async () => {
  origin = await startScriptedOrigin(async (connection) => {
    for (;;) {
      const { head } = await connection.readRequest(60_000)
      connection.send(responseText(head.slice(0, head.indexOf('\r\n'))))
    }
  })
  const [port = 0] = await freePorts(1)
  const router = (path: string, ...middlewares: string[]): Keys => ({
    rule: `Path(\`${path}\`)`,
    entryPoints: ['own'],
    middlewares,
    service: 's',
  })
  gateway = await startGateway({
    entryPoints: {
      own: { address: `127.0.0.1:${port}`, http: { middlewares: ['prefix@file', 'one@file'] } },
    },
    routes: {
      http: {
        routers: {
          once: router('/once'),
          again: router('/again', 'prefix', 'one'),
          list: router('/list', 'chained', 'prefix', 'one'),
        },
        middlewares: {
          prefix: { addPrefix: { prefix: '/p' } },
          one: { inFlightReq: { amount: 1 } },
          chained: { chain: { middlewares: ['prefix', 'one'] } },
        },
        services: { s: { loadBalancer: { servers: [{ url: origin.url }] } } },
      },
    },
  })
  client = await connectRaw(port)
})

afterAll(async () => {
  client.destroy()
  await gateway.stop()
  await origin.stop()
})

test.each([
  ['/once', '/p/once'],
  ['/again', '/p/p/again'],
  ['/list', '/p/p/p/list'],
])(
  'a request for %s reaches the server as %s, and no limit counts it twice',
  async (path, seen) => {
    for (let i = 0; i < 3; i++) {
      client.send(requestText('GET', path))
      const answer = await client.readResponse()
      expect([answer.status, answer.body]).toEqual([200, `GET ${seen} HTTP/1.1`])
    }
  },
)
