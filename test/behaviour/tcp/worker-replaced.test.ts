// A worker that dies while it holds TCP connections: its places in inFlightConn are given back as soon as another has its place.

import { expect, onTestFinished, test } from 'vitest'
import { InFlightCounts, inFlightBytes } from '../../../core/shared/in-flight-counts.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { type TestSupervisor, startSupervisor } from '../../support/supervisor.ts'
import { serverOf } from '../../support/tcp-scene.ts'
import { echo } from '../../support/tcp-server.ts'
import { eventually } from '../../support/wait.ts'

const WORKERS = 2
const AMOUNT = 16

const routesTo = (port: number) => ({
  tcp: {
    routers: { db: { rule: 'HostSNI(`*`)', service: 'db', middlewares: ['few'] } },
    middlewares: { few: { inFlightConn: { amount: AMOUNT } } },
    services: { db: { loadBalancer: { servers: [{ address: `127.0.0.1:${port}` }] } } },
  },
})

// As another worker would see it, in a copy: whoever looks at the table itself takes a worker's place.
function placesTaken({ supervisor }: TestSupervisor): number {
  const copy = new SharedArrayBuffer(inFlightBytes(WORKERS + 1))
  new Uint8Array(copy).set(new Uint8Array(supervisor.shared.inFlight))
  const counts = new InFlightCounts(copy, WORKERS)
  const key = counts.hashFor('tcp')
  key.of('tcp db@file few@file 0 127.0.0.1')
  return counts.countOf(key)
}

async function fill(running: TestSupervisor, count: number) {
  const clients = await Promise.all(Array.from({ length: count }, () => connectRaw(running.port)))
  onTestFinished(() => clients.forEach((client) => client.destroy()))
  for (const client of clients) {
    client.send('in')
    await client.untilText('in')
  }
  return clients
}

test('places of a worker that dies are free before its successor has had a connection', async () => {
  const server = await serverOf(echo)
  const running = await startSupervisor(WORKERS, routesTo(server.port))
  onTestFinished(() => running.stop())
  const clients = await fill(running, AMOUNT)
  expect(placesTaken(running)).toBe(AMOUNT)
  const before = running.worker(0)
  before.end('ended by a test')
  await running.until(
    'worker 0 to be replaced',
    () => running.worker(0) !== before && running.worker(0).listening,
  )
  let lost = 0
  await eventually('the places of the connections that are gone to be free', () => {
    lost = clients.filter((client) => client.ended || client.closed).length
    return lost > 0 && placesTaken(running) === AMOUNT - lost
  })
  await fill(running, lost)
  expect(placesTaken(running)).toBe(AMOUNT)
})
