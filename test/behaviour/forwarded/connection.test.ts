// What a client names in Connection is for this connection only: rules and middlewares do not see it, unless
// forwardedHeaders.connection lets it through to them; servers never do.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, type Keys, freePorts, startGateway } from '../../support/gateway.ts'
import { type ScriptedOrigin, startScriptedOrigin } from '../../support/origin.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { responseText } from '../../support/scene.ts'

let origin: ScriptedOrigin
let gateway: Gateway
const ports = { lenient: 0, strict: 0, uws: 0 }

beforeAll(async () => {
  // Answers with the request head that it got.
  origin = await startScriptedOrigin(async (connection) => {
    for (;;) connection.send(responseText((await connection.readRequest(60_000)).head))
  })
  const names = ['lenient', 'strict', 'uws'] as const
  for (const [i, port] of (await freePorts(names.length)).entries()) ports[names[i]!] = port
  const point = (name: keyof typeof ports, more: Keys): Keys => ({
    address: `127.0.0.1:${ports[name]}`,
    ...more,
  })
  const forwardedHeaders = { connection: ['x-KEPT'] }
  const router = (rule: string, middlewares: string[]): Keys => ({
    rule,
    middlewares,
    service: 's',
  })
  gateway = await startGateway({
    entryPoints: {
      lenient: point('lenient', { forwardedHeaders }),
      uws: point('uws', { forwardedHeaders, engine: 'uws' }),
      strict: point('strict', {}),
    },
    routes: {
      http: {
        routers: {
          kept: router('Header(`X-Kept`, `1`)', ['kept']),
          other: router('Header(`X-Other`, `1`)', ['other']),
          rest: router('PathPrefix(`/`)', []),
        },
        middlewares: {
          kept: { addPrefix: { prefix: '/saw-kept' } },
          other: { addPrefix: { prefix: '/saw-other' } },
        },
        services: { s: { loadBalancer: { servers: [{ url: origin.url }] } } },
      },
    },
  })
})

afterAll(async () => {
  await gateway.stop()
  await origin.stop()
})

async function headSeenBy(point: keyof typeof ports, lines: string): Promise<string> {
  const client = await connectRaw(ports[point])
  client.send(`GET / HTTP/1.1\r\nHost: a.test\r\n${lines}\r\n`)
  const { body } = await client.readResponse()
  client.destroy()
  return body
}

test.each(['lenient', 'uws'] as const)(
  'entry point %s shows rules a header that it lets through, and the server gets it not',
  async (point) => {
    const head = await headSeenBy(point, 'Connection: X-Kept\r\nX-Kept: 1\r\nX-Mine: 1\r\n')
    expect(head).toMatch(/^GET \/saw-kept\/ HTTP/)
    expect(head).not.toMatch(/^x-kept:/im)
    expect(head).toMatch(/^x-mine: 1\r$/im)
  },
)

test.each(['lenient', 'strict', 'uws'] as const)(
  'entry point %s shows rules no other header that Connection names',
  async (point) => {
    const head = await headSeenBy(point, 'Connection: keep-alive, X-Other\r\nX-Other: 1\r\n')
    expect(head).toMatch(/^GET \/ HTTP/)
    expect(head).not.toMatch(/^(x-other|connection):/im)
  },
)

test('without the setting nothing that Connection names is let through', async () => {
  const head = await headSeenBy('strict', 'X-Kept: 1\r\nConnection: x-kept\r\n')
  expect(head).toMatch(/^GET \/ HTTP/)
  expect(await headSeenBy('strict', 'X-Kept: 1\r\n')).toMatch(/^GET \/saw-kept\/ HTTP/)
})

test('Connection can take no header away that says where a request came from', async () => {
  const head = await headSeenBy('strict', 'Connection: X-Forwarded-For, X-Real-Ip, Host\r\n')
  expect(head).toMatch(/^x-forwarded-for: 127\.0\.0\.1\r$/im)
  expect(head).toMatch(/^x-real-ip: 127\.0\.0\.1\r$/im)
  expect(head).toMatch(/^host: a\.test\r$/im)
})
