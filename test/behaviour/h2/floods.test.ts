// What a hostile client can do with frames: it is stopped, its connection is ended with the reason, the memory of
// the gateway stays where it was, and others notice nothing.

import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { metricSum } from '../../support/metrics.ts'
import {
  END_HEADERS,
  END_STREAM,
  H2Client,
  block,
  connectH2,
  data,
  frame,
  headers,
  indexed,
  requestFields,
  reset,
  settings,
  types,
  windowUpdate,
} from '../../support/h2-client.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import { eventually } from '../../support/wait.ts'

const ENHANCE_YOUR_CALM = 11
const GROWTH_MAX = 64 * 1024 // KiB
const BIG = Buffer.alloc(4 * 1024 * 1024, 'b')

let gateway: Gateway
let origin: HttpOrigin
let good: H2Client
let goodId = 1
let requests = 0 // that have reached the server, but for the good client's
const clients: H2Client[] = []

beforeAll(async () => {
  origin = await startHttpOrigin((request, response) => {
    if (request.url !== '/good') requests++
    if (request.url === '/never') return
    response.end(request.url === '/big' ? BIG : 'ok')
  })
  gateway = await startGateway({
    routes: routesTo([origin.url]),
    web: { transport: { respondingTimeouts: { writeStallTimeout: '1s', headerTimeout: '4s' } } },
  })
  good = await connectH2(gateway.port)
  for (let i = 0; i < 200; i++) await askGood() // so that what is allocated once is there
})
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy()
})
afterAll(async () => {
  good.destroy()
  await gateway.stop()
  await origin.stop()
})

async function askGood(): Promise<number> {
  const id = goodId
  goodId += 2
  good.send(headers(id, requestFields('GET', '/good')))
  await good.answer(id)
  const { status } = good.gather(id)
  ;(good.frames as unknown[]).length = 0
  Object.assign(good, { read: 0 })
  return status
}

async function connect(pairs: readonly (readonly [number, number])[] = []): Promise<H2Client> {
  const client = await connectH2(gateway.port, pairs)
  clients.push(client)
  return client
}

function rss(): number {
  const status = readFileSync(`/proc/${gateway.child.pid!}/status`, 'latin1')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1])
}

async function counted(code: string): Promise<number> {
  const { body } = await gateway.admin('/metrics')
  return metricSum(body, 'sluice_errors_total', `code="${code}"`)
}

// Sends rounds until GOAWAY has come or the connection is gone; a good client asks meanwhile.
async function flood(
  client: H2Client,
  round: (i: number) => Buffer[],
  roundsMax: number,
): Promise<number> {
  for (
    let i = 0;
    i < roundsMax && !client.raw.closed && client.find(types.GOAWAY) === undefined;
    i++
  ) {
    const bytes = Buffer.concat(round(i))
    await new Promise<void>((resolve) => client.raw.socket.write(bytes, () => resolve()))
    if (i % 10 === 0) expect(await askGood()).toBe(200)
  }
  return client.goaway()
}

interface Flood {
  readonly name: string
  readonly code: string
  readonly rounds: number
  readonly round: (i: number) => Buffer[]
}

function times(count: number, make: (i: number) => Buffer): Buffer[] {
  return Array.from({ length: count }, (_, i) => make(i))
}

const tiny = requestFields('GET', '/never')

const floods: readonly Flood[] = [
  {
    name: 'rapid resets (CVE-2023-44487)',
    code: 'H2_RESETS',
    rounds: 1000,
    round: (i) =>
      times(100, (j) =>
        Buffer.concat([headers((i * 100 + j) * 2 + 1, tiny), reset((i * 100 + j) * 2 + 1)]),
      ),
  },
  {
    name: 'resets of one request per segment',
    code: 'H2_RESETS',
    rounds: 1000,
    round: (i) => [i % 2 === 0 ? headers(i + 1, tiny) : reset(i)],
  },
  {
    name: 'resets that we are made to send by window overflows (CVE-2025-8671)',
    code: 'H2_RESETS',
    rounds: 1000,
    round: (i) => [headers(i * 2 + 1, tiny), windowUpdate(i * 2 + 1, 0x7fffffff)],
  },
  {
    name: 'resets that we are made to send by malformed requests',
    code: 'H2_RESETS',
    rounds: 1000,
    round: (i) => [headers(i * 2 + 1, [...tiny, ['Bad', 'name']])],
  },
  {
    name: 'more streams at once than were offered',
    code: 'H2_RESETS',
    rounds: 1000,
    round: (i) => times(50, (j) => headers((i * 50 + j) * 2 + 1, tiny)),
  },
  {
    name: 'PING',
    code: 'H2_FRAMES',
    rounds: 1000,
    round: () => times(100, () => frame(types.PING, 0, 0, 'aaaaaaaa')),
  },
  {
    name: 'SETTINGS',
    code: 'H2_FRAMES',
    rounds: 1000,
    round: () => times(20, () => settings([[4, 65_535]])),
  },
  {
    name: 'acknowledgements that nobody asked for',
    code: 'H2_FRAMES',
    rounds: 1000,
    round: () => times(100, () => frame(types.SETTINGS, 1, 0)),
  },
  {
    name: 'PRIORITY',
    code: 'H2_FRAMES',
    rounds: 1000,
    round: () => times(100, () => frame(types.PRIORITY, 0, 7, Buffer.from([0, 0, 0, 1, 9]))),
  },
  {
    name: 'window updates of one byte',
    code: 'H2_FRAMES',
    rounds: 1000,
    round: () => times(100, () => windowUpdate(0, 1)),
  },
  {
    name: 'frames of a type that nobody knows',
    code: 'H2_FRAMES',
    rounds: 1000,
    round: () => times(100, () => frame(0xbb, 0, 0, 'x')),
  },
  {
    name: 'empty DATA',
    code: 'H2_FRAMES',
    rounds: 1000,
    round: (i) => [
      ...(i === 0 ? [headers(1, requestFields('POST', '/never'), END_HEADERS)] : []),
      ...times(100, () => data(1, '')),
    ],
  },
  {
    name: 'CONTINUATION without end (CVE-2024-27316)',
    code: 'H2_BLOCK',
    rounds: 1000,
    round: (i) => [
      frame(i === 0 ? types.HEADERS : types.CONTINUATION, 0, 1, Buffer.alloc(16_000, 0x82)),
    ],
  },
  {
    name: 'empty CONTINUATION without end',
    code: 'H2_BLOCK',
    rounds: 1000,
    round: (i) => [frame(i === 0 ? types.HEADERS : types.CONTINUATION, 0, 1)],
  },
]

describe('a flood is ended with ENHANCE_YOUR_CALM and counted', () => {
  test.each(floods)('$name', async ({ code, rounds, round }) => {
    const before = await counted(code)
    const memory = rss()
    const reached = requests
    const client = await connect()
    expect(await flood(client, round, rounds)).toBe(ENHANCE_YOUR_CALM)
    await client.raw.untilEnded()
    expect(await counted(code)).toBe(before + 1)
    expect(rss() - memory).toBeLessThan(GROWTH_MAX)
    expect(requests - reached).toBeLessThanOrEqual(100 + (code === 'H2_RESETS' ? 150 : 0))
    expect(await askGood()).toBe(200)
  })
})

test('of requests that are reset in the segment that brought them, none reaches the server', async () => {
  const reached = requests
  const client = await connect()
  client.send(...times(40, (i) => Buffer.concat([headers(i * 2 + 1, tiny), reset(i * 2 + 1)])))
  client.send(headers(101, requestFields('GET', '/')))
  expect((await client.answer(101)).status).toBe(200)
  expect(requests - reached).toBe(1)
})

test('heads that one byte stands for are counted by what they expand to, and the client is ended', async () => {
  const memory = rss()
  const client = await connect([[4, 0]]) // the answers can't go out either
  const bomb = Buffer.concat([block(requestFields()), Buffer.alloc(15_000, 0x80 | 62)])
  const first = Buffer.concat([block(requestFields()), indexed('cookie', 'c'.repeat(4000))])
  client.send(frame(types.HEADERS, END_HEADERS | END_STREAM, 1, first))
  const code = await flood(
    client,
    (i) => [frame(types.HEADERS, END_HEADERS | END_STREAM, i * 2 + 3, bomb)],
    1000,
  )
  expect(code).toBe(ENHANCE_YOUR_CALM)
  expect(client.gather(3).status).toBe(431)
  expect(rss() - memory).toBeLessThan(GROWTH_MAX)
})

test('a hundred large answers to a client that opens no window hold little memory, and are given up on', async () => {
  const memory = rss()
  const before = await counted('WRITE_TIMEOUT')
  const client = await connect([[4, 0]])
  client.send(...times(100, (i) => headers(i * 2 + 1, requestFields('GET', '/big'))))
  await client.until('all heads', () =>
    times(100, () => BIG).every((_, i) => client.gather(i * 2 + 1).status === 200),
  )
  expect(rss() - memory).toBeLessThan(GROWTH_MAX)
  await eventually(
    'all to be given up on',
    async () => (await counted('WRITE_TIMEOUT')) === before + 100,
  )
  client.send(settings([[4, 65_535]]), headers(301, requestFields('GET', '/')))
  expect((await client.answer(301)).body).toBe('ok')
})

test('a header block that does not come to its end is a timeout of the connection', async () => {
  const before = await counted('HEADER_TIMEOUT')
  const client = await connect()
  client.send(frame(types.HEADERS, END_STREAM, 1, block(tiny)))
  await client.raw.untilEnded()
  expect(await counted('HEADER_TIMEOUT')).toBe(before + 1)
  expect(client.find(types.GOAWAY)).toBeDefined()
})

test('window updates beyond the greatest window end the connection each time, and leave nothing behind', async () => {
  const memory = rss()
  for (let i = 0; i < 200; i++) {
    const client = await connect()
    client.send(windowUpdate(0, 0x7fffffff), windowUpdate(0, 0x7fffffff))
    expect(await client.goaway()).toBe(3)
    client.destroy()
  }
  expect(rss() - memory).toBeLessThan(GROWTH_MAX)
  await eventually('no connection to be left but the good one', async () => {
    const { body } = await gateway.admin('/metrics')
    return metricSum(body, 'traefik_open_connections', 'entrypoint="web"') === 1
  })
})

test('a client that works may cancel, ping and update windows as much as it has use for', async () => {
  const client = await connect()
  for (let i = 0; i < 400; i++) {
    const id = i * 4 + 1
    client.send(headers(id, requestFields('GET', '/')), headers(id + 2, tiny))
    await client.answer(id)
    client.send(reset(id + 2), frame(types.PING, 0, 0, 'abcdefgh'), windowUpdate(0, 2))
  }
  expect(client.find(types.GOAWAY)).toBeUndefined()
  expect(client.raw.closed).toBe(false)
})

test('a defect was never told', () => {
  expect(gateway.stderr()).not.toContain('defect')
})
