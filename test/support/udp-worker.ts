// test/support/udp-worker.ts: the UDP half of one worker without its thread, and peers for it; all of it ends with its
// test.

import dgram from 'node:dgram'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { UdpServicePlan } from '../../config/protocol-plans.ts'
import { CELLS, REQUESTS } from '../../core/shared/series.ts'
import type { WorkerContext } from '../../workers/context.ts'
import { LiveGeneration } from '../../workers/live-generation.ts'
import { UdpListener } from '../../workers/udp/listener.ts'
import { type UdpGeneration, buildLiveUdp } from '../../workers/udp/service.ts'
import { newContext } from './live.ts'
import { Wait } from './wait.ts'

// A socket that keeps what it gets.
export class Peer {
  readonly got: { text: string; from: number; address: string }[] = []
  readonly socket: dgram.Socket
  private readonly wait = new Wait()
  private closed: Promise<void> | null = null

  constructor(socket: dgram.Socket, answer?: (text: string) => string) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('message', (bytes, from) => {
      const text = bytes.toString('latin1')
      this.got.push({ text, from: from.port, address: from.address })
      if (answer !== undefined)
        socket.send(Buffer.from(answer(text), 'latin1'), from.port, from.address)
      this.wait.look()
    })
    onTestFinished(() => this.close())
  }

  close(): Promise<void> {
    this.closed ??= new Promise((resolve) => this.socket.close(() => resolve()))
    return this.closed
  }

  get port(): number {
    return (this.socket.address() as AddressInfo).port
  }

  get texts(): string[] {
    return this.got.map(({ text }) => text)
  }

  send(text: string, port: number): void {
    this.socket.send(Buffer.from(text, 'latin1'), port, '127.0.0.1')
  }

  until(count: number): Promise<void> {
    return this.wait.until(
      () => this.got.length >= count,
      () => `${count} datagrams, not ${this.got.length}: ${this.texts.join(' ')}`,
    )
  }
}

export async function peer(answer?: (text: string) => string): Promise<Peer> {
  const socket = dgram.createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  return new Peer(socket, answer)
}

export const echo = (text: string): string => text

export interface UdpWorker {
  readonly listener: UdpListener
  readonly context: WorkerContext
  adopt(services: readonly UdpServicePlan[]): void
  count(family: string, reason?: string): number
}

export function serviceOf(ports: readonly number[], name = 'dns@file'): UdpServicePlan {
  const servers = ports.map((port) => ({ address: `127.0.0.1:${port}` }))
  return { kind: 'loadBalancer', name, servers }
}

export interface WorkerOptions {
  readonly port?: number
  readonly host?: string
  readonly timeoutMs?: number
  readonly sessionsMax?: number
  readonly index?: number
}

// services[0] is what the router of the entry point leads to; none: there is no router.
export async function startWorker(
  services: readonly UdpServicePlan[],
  options: WorkerOptions = {},
): Promise<UdpWorker> {
  const { port = 0, host = '127.0.0.1', timeoutMs = 10_000, sessionsMax } = options
  const counted: { key: string; block: number }[] = []
  const point = {
    name: 'dns',
    host,
    port,
    timeoutMs,
    acceptGraceMs: 0,
    graceMs: 300,
    metrics: true,
  }
  const context = newContext(
    (message) => {
      if (message.type !== 'series') return
      const { family, labels } = message.labels
      counted.push({
        key: `${family} ${labels['reason'] ?? labels['protocol'] ?? ''}`,
        block: message.block,
      })
    },
    { udpEntryPoints: [point], index: options.index ?? 0 },
  )
  const listener = new UdpListener(point, 0, context, sessionsMax)
  let before: UdpGeneration = new LiveGeneration()
  const adopt = (plans: readonly UdpServicePlan[]): void => {
    const next = new LiveGeneration()
    const [first] = plans
    const router = { name: 'r@file', entryPoints: ['dns'], service: first?.name ?? '' }
    next.udpServices = new Map(plans.map((plan) => [plan.name, plan]))
    next.udpRouters = first === undefined ? new Map() : new Map([[router.name, router]])
    buildLiveUdp(next, before, context)
    before = next
    context.generation = next
  }
  adopt(services)
  context.sweeper.start()
  await listener.listen()
  onTestFinished(() => {
    listener.close()
    context.sweeper.stop()
  })
  return {
    listener,
    context,
    adopt,
    count: (family, reason = '') =>
      counted
        .filter(({ key }) => key === `${family} ${reason}`)
        .reduce((sum, { block }) => sum + context.series.cells[block * CELLS + REQUESTS]!, 0),
  }
}
