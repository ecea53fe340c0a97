// test/support/tcp-scene.ts: what tests of relayed connections are made of; all of it ends with its test.

import type net from 'node:net'
import { expect, onTestFinished } from 'vitest'
import { connectRaw, type RawClient } from './raw-client.ts'
import { startTcpServer, type TcpServer } from './tcp-server.ts'
import {
  routerOf,
  serviceOf,
  startTcpWorker,
  type Arrival,
  type TcpPlans,
  type TcpWorker,
} from './tcp-worker.ts'
import { eventually } from './wait.ts'

export const all = 'HostSNI(`*`)'

export async function serverOf(answer?: (socket: net.Socket) => void): Promise<TcpServer> {
  const server = await startTcpServer(answer)
  onTestFinished(() => server.close())
  return server
}

export async function workerOf(plans: TcpPlans, arrival: Arrival = {}): Promise<TcpWorker> {
  const worker = await startTcpWorker(plans, arrival)
  onTestFinished(() => worker.close())
  return worker
}

export async function clientOf(worker: TcpWorker): Promise<RawClient> {
  const client = await connectRaw(worker.port)
  onTestFinished(() => client.destroy())
  return client
}

// One server behind one router.
export async function relayTo(
  server: TcpServer,
  over: Parameters<typeof serviceOf>[1] = {},
  arrival: Arrival = {},
): Promise<TcpWorker> {
  return workerOf({ routers: [routerOf(all)], services: [serviceOf([server.port], over)] }, arrival)
}

// Nothing is left of any connection: every count is where it began.
export async function untilNothingIsLeft(worker: TcpWorker): Promise<void> {
  await eventually('all connections to be gone', () => {
    return worker.connections() === 0 && worker.upstreamConnections() === 0
  })
  expect(worker.context.services.shared.inFlight.size).toBe(0)
  expect(worker.context.sweeper.size).toBe(0)
}
