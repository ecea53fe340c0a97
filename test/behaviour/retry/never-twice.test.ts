// Under random faults of all servers no POST is delivered twice, while what may be repeated is. By default 20,000
// requests; RETRY_REQUESTS=1000000 makes as many as the goal names.

import { expect, test } from 'vitest'
import {
  type FaultyOrigin,
  type Fault,
  faults,
  startFaultyOrigin,
} from '../../support/faulty-origin.ts'
import { freePorts, startGateway } from '../../support/gateway.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'

const REQUESTS = Number(process.env['RETRY_REQUESTS'] ?? 20_000)
const CLIENTS = 48
const FAULTY_PERCENT = 20
const HANGS_IN_FAULTS = 0.005 // each costs a client 200 ms
const seed = Number(process.env['RETRY_SEED'] ?? Date.now() % 1_000_000)

// mulberry32: any even generator with a seed would do.
function generator(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const random = generator(seed)

function draw(): Fault | null {
  if (random() * 100 >= FAULTY_PERCENT) return null
  if (random() < HANGS_IN_FAULTS) return 'hang'
  return faults[Math.floor(random() * (faults.length - 1))]!
}

async function ask(client: RawClient, method: string, id: string): Promise<number> {
  const body = method === 'GET' ? '' : 'x'.repeat(1 + Math.floor(random() * 20_000))
  const head = `${method} / HTTP/1.1\r\nHost: a.test\r\nX-Id: ${id}\r\n`
  client.send(`${head}${body === '' ? '' : `Content-Length: ${body.length}\r\n`}\r\n${body}`)
  return (await client.readResponse()).status
}

test(`of ${REQUESTS} requests under random faults no POST is delivered twice (seed ${seed})`, async () => {
  const origins: FaultyOrigin[] = []
  for (let i = 0; i < 3; i++) origins.push(await startFaultyOrigin(draw))
  const [closed = 0] = await freePorts(1)
  const servers = [...origins.map(({ url }) => ({ url })), { url: `http://127.0.0.1:${closed}` }]
  const gateway = await startGateway({
    routes: {
      http: {
        routers: {
          all: {
            rule: 'PathPrefix(`/`)',
            entryPoints: ['web'],
            service: 'origin',
            middlewares: ['again'],
          },
        },
        middlewares: {
          again: {
            retry: { attempts: 4, status: ['503'], budget: { percent: 100, minPerSecond: 1000 } },
          },
        },
        services: { origin: { loadBalancer: { serversTransport: 'quick', servers } } },
        serversTransports: { quick: { forwardingTimeouts: { responseHeaderTimeout: '200ms' } } },
      },
    },
  })
  const methods = ['POST', 'POST', 'PUT', 'GET']
  const statuses = new Map<number, number>()
  let sent = 0
  const run = async (): Promise<void> => {
    let client: RawClient | null = null
    while (sent < REQUESTS) {
      const number = sent++
      const method = methods[number % methods.length]!
      if (client === null || client.ended || client.closed) client = await connectRaw(gateway.port)
      const status = await ask(client, method, `${method}-${number}`).catch(() => 0)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      if (status === 0) client.destroy()
      if (status === 0) client = null
    }
    client?.destroy()
  }
  await Promise.all(Array.from({ length: CLIENTS }, run))
  const inFlight = await gateway.admin('/metrics')
  await gateway.stop()
  for (const origin of origins) await origin.stop()

  const deliveries = new Map<string, number>()
  for (const { ledger } of origins)
    for (const [id, count] of ledger) deliveries.set(id, (deliveries.get(id) ?? 0) + count)
  const repeated = [...deliveries].filter(([, count]) => count > 1).map(([id]) => id)
  expect(repeated.filter((id) => id.startsWith('POST'))).toEqual([])
  // It was no accident: each fault has happened, and what may be repeated was.
  for (const fault of faults) expect(origins.some(({ done }) => done.has(fault))).toBe(true)
  expect(repeated.length).toBeGreaterThan(REQUESTS / 100)
  expect(statuses.get(200)).toBeGreaterThan(REQUESTS / 2)
  expect([...statuses.keys()].toSorted()).toEqual([0, 200, 502, 503, 504])
  expect(inFlight.body).toMatch(/^sluice_in_flight [01]$/m) // nobody was forgotten: the page asks for itself
}, 600_000)
