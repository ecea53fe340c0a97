// test/support/tcp-worker.ts: the TCP half of one worker without its thread: a listener that reads a ClientHello
// where there are routers with TLS, asks the table, and hands the connection to serveTcp.

import net, { type AddressInfo } from 'node:net'
import type { SecureContext } from 'node:tls'
import { plainServerTls } from '../../config/facts.ts'
import type {
  TcpLoadBalancerPlan,
  TcpMiddlewarePlan,
  TcpRouterPlan,
  TcpServicePlan,
  TcpTransportPlan,
} from '../../config/protocol-plans.ts'
import { errorTable } from '../../core/errors.ts'
import { ClientHelloReader, NEED_MORE } from '../../core/tls/client-hello.ts'
import { CONNECTIONS, UPSTREAM_CONNECTIONS } from '../../core/shared/control.ts'
import { CELLS, REQUESTS } from '../../core/shared/series.ts'
import { parseRule, rulePriority } from '../../core/route/parse.ts'
import { isCatchAll } from '../../core/tcp/matcher.ts'
import type { WorkerContext } from '../../workers/context.ts'
import type { EntryPointBounds, EntryPointTimes } from '../../workers/downstream/contract.ts'
import { EntryPoint } from '../../workers/entry-point.ts'
import { type Handle, Socket, type SocketOwner } from '../../workers/socket.ts'
import { type ServerSecurity, secureServer } from '../../workers/secure-socket.ts'
import type { TcpConnectionFacts } from '../../workers/tcp/facts.ts'
import { serveTcp } from '../../workers/tcp/serve.ts'
import { type TcpGeneration, TcpBuilder, noTcpParts } from '../../workers/tcp/table.ts'
import { newContext } from './live.ts'

// A server that is to answer after the end of its client is this process, which may stand still.
const TERMINATION_DELAY_MS = 5000

export interface TcpPlans {
  readonly routers: readonly TcpRouterPlan[]
  readonly services: readonly TcpServicePlan[]
  readonly middlewares?: readonly TcpMiddlewarePlan[]
  readonly transports?: readonly TcpTransportPlan[]
}

export function transportOf(over: Partial<TcpTransportPlan> = {}): TcpTransportPlan {
  return {
    name: '',
    dialTimeoutMs: 2000,
    dialKeepAliveMs: 15_000,
    idleTimeoutMs: 0,
    proxyProtocol: 0,
    terminationDelayMs: TERMINATION_DELAY_MS,
    tls: plainServerTls,
    ...over,
  }
}

export function routerOf(rule: string, over: Partial<TcpRouterPlan> = {}): TcpRouterPlan {
  return {
    name: 'db@file',
    entryPoints: ['web'],
    rule,
    priority: isCatchAll(parseRule(rule, 'tcp')) ? -1 : rulePriority(rule),
    rank: 0,
    middlewares: [],
    service: 'db@file',
    tls: 'none',
    tlsOptions: '',
    ...over,
  }
}

export function serviceOf(
  ports: readonly number[],
  over: Partial<TcpLoadBalancerPlan> = {},
): TcpLoadBalancerPlan {
  return {
    kind: 'loadBalancer',
    name: 'db@file',
    servers: ports.map((port) => ({ address: `127.0.0.1:${port}`, tls: false })),
    serversTransport: '',
    proxyProtocol: 0,
    terminationDelayMs: TERMINATION_DELAY_MS,
    healthCheck: null,
    ...over,
  }
}

function named<Plan extends { readonly name: string }>(list: readonly Plan[]): Map<string, Plan> {
  return new Map(list.map((plan) => [plan.name, plan]))
}

export function tcpGenerationOf(plans: TcpPlans): TcpGeneration {
  return {
    tcpRouters: named(plans.routers),
    tcpServices: named(plans.services),
    tcpMiddlewares: named(plans.middlewares ?? []),
    tcpTransports: named(plans.transports ?? [transportOf()]),
    tcp: [],
    tcpParts: noTcpParts,
  }
}

export interface TcpWorker {
  readonly port: number
  readonly context: WorkerContext
  readonly point: EntryPoint
  adopt(plans: TcpPlans): void
  connections(): number // of clients, relayed
  upstreamConnections(): number
  errors(code: number): number
  count(family: string): number // sum over all labels
  close(): void
}

interface ListeningHandle {
  onconnection: (fault: number, handle: Handle) => void
}

export interface Arrival {
  readonly facts?: Partial<TcpConnectionFacts>
  readonly context?: SecureContext // what TLS is terminated with
  readonly times?: Partial<EntryPointTimes>
  readonly bounds?: Partial<EntryPointBounds>
}

export async function startTcpWorker(plans: TcpPlans, arrival: Arrival = {}): Promise<TcpWorker> {
  const counted: { family: string; block: number; labels: Readonly<Record<string, string>> }[] = []
  const context = newContext((message) => {
    if (message.type === 'series') counted.push({ ...message.labels, block: message.block })
  })
  const point = new EntryPoint(context.plan.entryPoints[0]!, 0, context)
  // Copies: the plan is one for all workers of a test file.
  const { times, bounds } = point
  Object.assign(point, { times: { ...times, ...arrival.times } })
  Object.assign(point, { bounds: { ...bounds, ...arrival.bounds } })
  let generation = tcpGenerationOf({ routers: [], services: [] })
  const adopt = (next: TcpPlans): void => {
    const built = tcpGenerationOf(next)
    const builder = new TcpBuilder(built, generation, context)
    while (!builder.step(1)) continue
    generation = built
  }
  adopt(plans)
  context.sweeper.start()
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { _handle } = server as unknown as { _handle: ListeningHandle }
  _handle.onconnection = (_fault, handle) =>
    void new Opening(handle, point, () => generation, arrival)
  const sum = (isCounted: (c: (typeof counted)[number]) => boolean): number =>
    counted
      .filter(isCounted)
      .reduce((all, { block }) => all + context.series.cells[block * CELLS + REQUESTS]!, 0)
  return {
    port: (server.address() as AddressInfo).port,
    context,
    point,
    adopt,
    connections: () => context.rowCell(CONNECTIONS),
    upstreamConnections: () => context.rowCell(UPSTREAM_CONNECTIONS),
    errors: (code) =>
      sum((c) => c.family === 'sluice_errors_total' && c.labels['code'] === name(code)),
    count: (family) => sum((c) => c.family === family),
    close: () => {
      server.close()
      context.sweeper.stop()
    },
  }
}

function name(code: number): string {
  return errorTable[code]!.name
}

// Stands for workers/downstream/node/opening.ts.
class Opening implements SocketOwner {
  private readonly socket: Socket
  private readonly reader = new ClientHelloReader()
  private read = Buffer.alloc(0)
  private readonly point: EntryPoint
  private readonly generation: () => TcpGeneration
  private readonly over: Partial<TcpConnectionFacts>
  private readonly context: SecureContext | null

  constructor(
    handle: Handle,
    point: EntryPoint,
    generation: () => TcpGeneration,
    arrival: Arrival,
  ) {
    this.point = point
    this.generation = generation
    this.over = arrival.facts ?? {}
    this.context = arrival.context ?? null
    this.socket = new Socket(handle, this)
    this.socket.noDelay()
    if (generation().tcp[0]!.hasTls) this.socket.resume()
    else this.handOver({ isTls: false })
  }

  onBytes(bytes: Buffer, length: number): void {
    this.read = Buffer.concat([this.read, bytes.subarray(0, length)])
    const hello = this.reader.read(this.read, this.read.length)
    if (hello === NEED_MORE) return
    if (typeof hello === 'number') this.handOver({ isTls: false })
    else this.handOver({ isTls: true, sni: hello.serverName, alpn: hello.alpn })
  }

  private handOver(told: Partial<TcpConnectionFacts>): void {
    const peer: { address?: string; port?: number } = {}
    const local: { address?: string; port?: number } = {}
    this.socket.peer(peer)
    this.socket.local(local)
    const facts: TcpConnectionFacts = {
      isTls: false,
      sni: '',
      alpn: [],
      clientAddress: peer.address ?? '',
      clientPort: peer.port ?? 0,
      localAddress: local.address ?? '',
      localPort: local.port ?? 0,
      postgres: false,
      ...told,
      ...this.over,
    }
    const router = this.generation().tcp[0]!.match(facts)
    if (router === null) return this.socket.close()
    if (router.tls !== 'terminate')
      return serveTcp(this.socket, this.read, router, this.point, facts)
    const security: ServerSecurity = {
      context: this.context!,
      alpn: null,
      clientAuth: 'NoClientCert',
      ocsp: null,
      timeoutMs: 2000,
    }
    secureServer(this.socket, this.read, security, (socket, code) => {
      if (code === 0) serveTcp(socket, Buffer.alloc(0), router, this.point, facts)
    })
  }

  onEnd(): void {
    this.socket.close()
  }

  onGone(): void {}

  onWritable(): void {}
}
