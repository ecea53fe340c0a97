// workers/services.ts: what middlewares may ask of their worker; core/middleware/worker.ts is the contract.
//
// Owner:  the worker, one for its life. Hot: preciseNow and wake; the rest is asked for by name, once, or is a request
//         to somebody else and costs that much anyway.

import { NO_SERVER, NONE } from '../core/errors.ts'
import type { ANSWERED, NEXT } from '../core/middleware/contract.ts'
import { BODY_LENGTH, BODY_NONE, type Exchange } from '../core/exchange.ts'
import type { CryptoServices } from '../core/middleware/crypto.ts'
import { forwardedLines } from '../core/forwarded.ts'
import { requestHead } from '../core/h1/write.ts'
import type {
  Cancel,
  Counter,
  RequestShape,
  SharedTables,
  SideDone,
  SideRequest,
  WorkerServices,
} from '../core/middleware/worker.ts'
import type { LimitStore, StorePlan } from '../core/rate/store.ts'
import { REQUESTS } from '../core/shared/series.ts'
import { WorkerCache } from './cache/worker-cache.ts'
import type { ExchangeTimes } from '../core/resilience/deadlines.ts'
import { timerMs } from '../core/timer-ms.ts'
import type { WorkerContext } from './context.ts'
import { WorkerCrypto } from './crypto.ts'
import { EntryPoint } from './entry-point.ts'
import type { LiveExchange } from './live-exchange.ts'
import { LiveService } from './live-service.ts'
import type { EntryPointPlan } from './messages.ts'
import * as pipeline from './pipeline.ts'
import { WorkerTables } from './shared-memory.ts'
import { SideExchange, headOfSide } from './side-request.ts'
import { Stores } from './store/stores.ts'
import { tellDefect } from './socket.ts'
import { Watch } from './watch.ts'

const COPIES_MAX = 1024 // mirrored requests under way; what comes on top is not mirrored
const copyBounds = { timeoutMs: 60_000, bodyMax: -1 }
const ASKED_MAX = 1000 // servers that are asked by URL; URLs come from configurations, this bounds their history

export class Services implements WorkerServices {
  readonly shared: SharedTables
  readonly cache: WorkerCache
  readonly crypto: CryptoServices
  private readonly context: WorkerContext
  private readonly point: EntryPoint // where requests of our own come from
  private readonly stores: Stores
  private readonly asked = new Map<string, LiveService>()
  // Threads begin at different times and performance.now() counts from there.
  private readonly origin = Number(process.hrtime.bigint()) / 1e6 - performance.now()

  private readonly watched: Watch
  private copies = 0 // under way
  private readonly copyDone = (): void => {
    this.copies--
  }

  constructor(context: WorkerContext) {
    this.context = context
    this.shared = new WorkerTables(context.plan)
    this.stores = new Stores((message) => context.say({ type: 'warning', message }))
    this.crypto = new WorkerCrypto(this.shared.nonces.secret)
    this.point = new EntryPoint(sidePlan, -1, context)
    this.cache = new WorkerCache(context, this)
    this.watched = new Watch(context.sweeper)
  }

  get hasFiles(): boolean {
    return this.context.spool !== null
  }

  limitStore(plan: StorePlan): LimitStore {
    return this.stores.get(plan)
  }

  preciseNow(): number {
    return this.context.sweeper.turnNow() + this.origin
  }

  exactNow(): number {
    return performance.now() + this.origin
  }

  wake(exchange: Exchange, serial: number, verdict: typeof NEXT | typeof ANSWERED): void {
    pipeline.wake(exchange as LiveExchange, serial, verdict)
  }

  watch(exchange: Exchange, times: ExchangeTimes, onOver: (code: number) => void): void {
    this.watched.add(exchange as LiveExchange, times, onOver)
  }

  elapsed(exchange: Exchange): number {
    return this.context.sweeper.turnNow() - exchange.startedAt
  }

  after(ms: number, action: () => void): Cancel {
    const timer = setTimeout(() => attempt(action), timerMs(ms))
    return () => clearTimeout(timer)
  }

  counter(family: string, labels: Readonly<Record<string, string>>): Counter {
    const { series } = this.context
    const block = series.give({ family, labels })
    return { add: (amount) => series.add(block, REQUESTS, amount) }
  }

  ask(request: SideRequest, done: SideDone): Cancel {
    const service = this.serviceFor(request)
    const side = new SideExchange(request, (answer, code) => attempt(() => done(answer, code)))
    // In a turn of its own: whoever asks has not said WAIT yet.
    let cancelled = false
    process.nextTick(() => {
      if (cancelled) return
      const code = service === null ? NO_SERVER : this.startSide(side, request, service)
      if (code === NONE) return
      side.cancel()
      attempt(() => done(null, code))
    })
    return () => {
      cancelled = true
      side.cancel()
    }
  }

  private startSide(side: SideExchange, request: SideRequest, service: LiveService): number {
    const authority = request.authority || (service.servers[0]?.address.authority ?? 'localhost')
    return side.start(headOfSide(request, authority), request.body, this.point, service)
  }

  copyTo(
    service: string,
    exchange: Exchange,
    shape: RequestShape,
    body: readonly Uint8Array[],
  ): boolean {
    const live = this.context.generation.service(service)
    if (live === null || this.copies >= COPIES_MAX) return false
    const side = new SideExchange(copyBounds, this.copyDone)
    const head = headOfCopy(exchange as LiveExchange, shape, body)
    this.copies++
    if (side.start(head, body, this.point, live) === NONE) return true
    side.cancel()
    this.copies--
    return false
  }

  private serviceFor(request: SideRequest): LiveService | null {
    if (request.service !== '') return this.context.generation.service(request.service)
    const transport = this.context.generation.transports.get(request.transport)
    if (transport === undefined) return null
    const key = request.url + ' ' + request.transport
    const known = this.asked.get(key)
    const server = this.context.servers.get(request.url, transport)
    if (known !== undefined && known.servers[0] === server) return known
    const service = new LiveService(
      { ...askedPlan, servers: [{ ...askedServer, url: request.url }] },
      this.context,
      () => transport,
      () => {
        throw new Error('a server that is asked by URL has no child services')
      },
      [],
    )
    known?.retire()
    if (known === undefined && this.asked.size >= ASKED_MAX) this.forgetOldest()
    this.asked.set(key, service)
    return service
  }

  private forgetOldest(): void {
    const [oldest] = this.asked.keys()
    this.asked.get(oldest!)!.retire()
    this.asked.delete(oldest!)
  }
}

// The request as its middlewares left it, with what a server is told of its client.
function headOfCopy(
  exchange: LiveExchange,
  shape: RequestShape,
  body: readonly Uint8Array[],
): string {
  const { forwardHost, path, query, hasQuery, pathChanged, bodyKind, bodyLength } = exchange
  Object.assign(exchange, shape)
  exchange.pathChanged = true
  exchange.bodyKind = body.length > 0 ? BODY_LENGTH : BODY_NONE
  exchange.bodyLength = body.reduce((sum, piece) => sum + piece.length, 0)
  const lines = forwardedLines(exchange, exchange.point!.forwarding, null)
  const head = requestHead(exchange, lines)
  Object.assign(exchange, { forwardHost, path, query, hasQuery, pathChanged, bodyKind, bodyLength })
  return head
}

function attempt(action: () => void): void {
  try {
    action()
  } catch (defect) {
    tellDefect(defect)
  }
}

const askedServer = { weight: 1, preservePath: false, fenced: false, terminating: false }

const askedPlan = {
  kind: 'loadBalancer',
  name: '', // it is in no metric: what asks counts
  servers: [],
  strategy: 'wrr',
  hashOn: { from: 'ip' },
  sticky: null,
  slowStartMs: 0,
  healthCheck: null,
  passive: null,
  outlier: null,
  passHostHeader: true,
  serversTransport: '',
  middlewares: [],
} as const

// An entry point that nobody can reach.
const sidePlan: EntryPointPlan = {
  name: '',
  engine: 'node',
  tls: false,
  trustChunked: false,
  host: '',
  port: 0,
  acmeByPass: false,
  acceptGraceMs: 0,
  graceMs: 0,
  times: {
    headerTimeoutMs: 0,
    idleTimeoutMs: 0,
    readTimeoutMs: 0,
    bodyStallTimeoutMs: 0,
    bodyRateMin: 0,
    bodyRateGraceMs: 0,
    writeStallTimeoutMs: 0,
    writeTimeoutMs: 0,
    keepAliveMaxRequests: 0,
    keepAliveMaxTimeMs: 0,
  },
  bounds: {
    headBytesMax: 0,
    headerCountMax: 0,
    connectionsMax: 0,
    bufferedBytesMax: 0,
    bodyAheadBytes: 0,
  },
  sanitizePath: true,
  encodeQuerySemicolons: false,
  allowEncoded: -1,
  underscoreHeaders: 'keep',
  trustAll: true,
  trustedIPs: [],
  notAppendXForwardedFor: true,
  addXForwardedScheme: false,
  connectionHeaders: [],
  via: false,
  errorPages: false,
  accessLogs: false,
  metrics: false,
  proxyProtocol: null,
  http2: { maxConcurrentStreams: 0, decoderTableBytesMax: 0, encoderTableBytesMax: 0 },
  neverRefuses: true,
  altSvc: '',
}
