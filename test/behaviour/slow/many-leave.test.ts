// Hundreds of clients that leave in the same moment, in every state that a connection has.

import { afterEach, expect, test } from 'vitest'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'

const CLIENTS = 300
const states = {
  'without a word': '',
  'within a head': 'GET / HTTP/1.1\r\nHost: a.te',
  'within a body': 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\nsome',
  'while its server thinks': 'GET /never HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'idle after an answer': 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
} as const

let gateway: Gateway
let origin: HttpOrigin

afterEach(async () => {
  await gateway.stop()
  await origin.stop()
})

async function clientsThatSay(text: string): Promise<RawClient[]> {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => connectRaw(gateway.port)))
  for (const client of clients) client.send(text)
  return clients
}

const open = async (): Promise<number> =>
  metricSum((await gateway.admin('/metrics')).body, 'traefik_open_connections', 'entrypoint="web"')

async function areThere(asked: number): Promise<void> {
  await eventually(`${CLIENTS} connections`, async () => (await open()) === CLIENTS)
  await eventually('their requests', async () => {
    const page = (await gateway.admin('/metrics')).body
    return metricSum(page, 'sluice_in_flight') === asked + 1 // the page itself
  })
}

// Whoever only ends its side after a whole request still gets its answer, so that such a server is not left.
const cases = Object.entries(states).flatMap(([state, text]) =>
  (['destroy', 'reset'] as const).map((how) => [state, how, text] as const),
)

test.each(cases.filter(([state, how]) => state !== 'while its server thinks' || how === 'reset'))(
  '%s, by %s: all are noticed, and their servers are left',
  async (state, how, text) => {
    let asked = 0
    let closed = 0
    origin = await startHttpOrigin((request, response) => {
      asked++
      response.on('close', () => closed++)
      response.on('error', () => undefined)
      request.on('error', () => undefined)
      request.resume()
      request.on('end', () => request.url === '/' && response.end('ok'))
    })
    gateway = await startGateway({ routes: routesTo([origin.url]) })
    const clients = await clientsThatSay(text)
    const hangs = state === 'within a body' || state === 'while its server thinks'
    if (state === 'idle after an answer') for (const client of clients) await client.readResponse()
    await areThere(hangs ? CLIENTS : 0)
    if (hangs) await eventually('the server to be asked', () => asked >= 1)
    for (const client of clients) client[how]()
    await eventually('all to be noticed', async () => (await open()) === 0)
    await areGone()
    const good = await connectRaw(gateway.port)
    expect((await good.send(states['idle after an answer']).readResponse()).status).toBe(200)
    good.destroy()
    expect(gateway.exit).toBe(null)

    async function areGone(): Promise<void> {
      if (hangs) await eventually('its server to be left', () => closed >= asked)
      await eventually('nothing to be in flight', async () => {
        return metricSum((await gateway.admin('/metrics')).body, 'sluice_in_flight') === 1
      })
    }
  },
)
