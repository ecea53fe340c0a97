// What is left behind by streams and connections that end before their time: nothing, however many there are.

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  H2Client,
  connectH2,
  headers,
  requestFields,
  reset,
  types,
  windowUpdate,
} from '../../support/h2-client.ts'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { eventually } from '../../support/wait.ts'

const FLOW_CONTROL_ERROR = 3
const GROWTH_MAX = 24 * 1024 // KiB, measured from where a tenth of the work is done
const BIG = Buffer.alloc(1024 * 1024, 'b')

let gateway: Gateway
let origin: HttpOrigin

beforeAll(async () => {
  origin = await startHttpOrigin((request, response) => {
    response.end(request.url === '/big' ? BIG : 'ok')
  })
  gateway = await startGateway({ routes: routesTo([origin.url]) })
})
afterAll(async () => {
  await gateway.stop()
  await origin.stop()
})

function rss(): number {
  const status = readFileSync(`/proc/${gateway.child.pid!}/status`, 'latin1')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1])
}

async function untilAlone(): Promise<void> {
  await eventually('no connection to be left', async () => {
    const { body } = await gateway.admin('/metrics')
    return metricSum(body, 'traefik_open_connections', 'entrypoint="web"') === 0
  })
}

// Each stream is opened and overflows in the same segment; the connection is ended after twenty of them.
async function overflow(): Promise<number> {
  const client = await connectH2(gateway.port)
  const pieces = Array.from({ length: 40 }, (_, i) => [
    headers(i * 2 + 1, requestFields()),
    windowUpdate(i * 2 + 1, 0x7fffffff),
  ])
  client.send(...pieces.flat())
  await client.goaway()
  const resets = client.frames.filter(
    ({ type, payload }) =>
      type === types.RST_STREAM && payload.readUInt32BE(0) === FLOW_CONTROL_ERROR,
  )
  client.destroy()
  return resets.length
}

test('100,000 window updates that overflow their stream leave resident memory where it was (CVE-2026-21714)', async () => {
  let overflows = 0
  const until = async (count: number): Promise<number> => {
    while (overflows < count) {
      const found = await Promise.all([overflow(), overflow(), overflow(), overflow()])
      for (const one of found) expect(one).toBeGreaterThan(10)
      overflows += found.reduce((a, b) => a + b, 0)
    }
    return rss()
  }
  const before = await until(10_000)
  expect((await until(100_000)) - before).toBeLessThan(GROWTH_MAX)
  await untilAlone()
}, 240_000)

// A reset for each answer that ends well: what a lawful client may do for ever.
async function cancelEachSecond(client: H2Client, from: number, rounds: number): Promise<void> {
  for (let i = 0; i < rounds; i++) {
    const id = (from + i) * 4 + 1
    client.send(headers(id, requestFields('GET', '/big')))
    await client.until('bytes of the large answer', (frames) =>
      frames.some((one) => one.id === id && one.type === types.DATA),
    )
    client.send(reset(id), windowUpdate(0, 65_535), headers(id + 2, requestFields('GET', '/ok')))
    expect((await client.answer(id + 2)).body).toBe('ok')
    client.frames.length = 0
    Object.assign(client, { read: 0 })
  }
}

test('4,000 large answers that are reset in their middle hold no buffers (CVE-2026-123863)', async () => {
  const clients = await Promise.all(Array.from({ length: 8 }, () => connectH2(gateway.port)))
  const all = (from: number, rounds: number): Promise<unknown> =>
    Promise.all(clients.map((client) => cancelEachSecond(client, from, rounds)))
  await all(0, 50)
  const before = rss()
  await all(50, 450)
  expect(rss() - before).toBeLessThan(GROWTH_MAX)
  for (const client of clients) {
    expect(client.find(types.GOAWAY)).toBeUndefined()
    client.destroy()
  }
  await untilAlone()
  await eventually('no exchange to be left', async () => {
    const { body } = await gateway.admin('/metrics')
    return metricSum(body, 'sluice_in_flight') <= 1 // this question itself
  })
  expect(gateway.stderr()).not.toContain('defect')
}, 240_000)
