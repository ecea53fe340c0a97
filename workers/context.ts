// workers/context.ts: what everything inside one worker shares: clock, counters, servers, the generation.
//
// Owner:  the worker thread; one per thread, made at its start.
// Hot:    adoptIfNew, begun and account run once per request.

import { errorTable } from '../core/errors.ts'
import { methodNames } from '../core/exchange.ts'
import {
  CONNECTIONS,
  DESCRIPTORS_MAX,
  DRAIN,
  DRAIN_NONE,
  GENERATION,
  IN_FLIGHT,
  READY,
  UPSTREAM_CONNECTIONS,
  rowOf,
} from '../core/shared/control.ts'
import { HeaderLabels } from '../core/shared/header-labels.ts'
import { REQUESTS, RequestSeries, SeriesTable } from '../core/shared/series.ts'
import { AccessLog } from './access-log.ts'
import { isReserved } from './descriptors.ts'
import type { CertificateKeeper } from './downstream/contract.ts'
import { GenerationUse } from './generation-use.ts'
import { HealthBoard } from './health/board.ts'
import { emptyLiveGeneration, type LiveGeneration } from './live-generation.ts'
import { ZlibCodecs } from './codecs.ts'
import type { LiveExchange } from './live-exchange.ts'
import type { FromWorker, WorkerPlan } from './messages.ts'
import { ServerRegistry } from './upstream/registry.ts'
import { Names } from './upstream/dial.ts'
import { Admission } from './overload/admission.ts'
import { Services } from './services.ts'
import { tellDefect } from './socket.ts'
import { Spool } from './spool/spool.ts'
import { Sweeper } from './sweeper.ts'
import { TlsState } from './tls/state.ts'

export class WorkerContext {
  readonly plan: WorkerPlan
  readonly sweeper = new Sweeper()
  readonly names = new Names()
  readonly servers: ServerRegistry
  readonly series: SeriesTable
  readonly log: AccessLog | null
  readonly counts: boolean // requests, somewhere
  readonly services: Services // of middlewares
  readonly codecs = new ZlibCodecs()
  readonly overload: Admission
  readonly spool: Spool | null // null: no file for bodies
  generation: LiveGeneration = emptyLiveGeneration
  prepared: LiveGeneration | null = null
  readonly health = new HealthBoard()
  readonly tls = new TlsState()
  readonly generationUse = new GenerationUse((oldest) => this.say({ type: 'retired', oldest }))
  readonly certificateKeepers: CertificateKeeper[] = []
  // The clock of middlewares: one function for all, which keeps nothing alive but the worker's own things.
  readonly now = (): number => this.sweeper.now
  readonly turnNow = (): number => this.sweeper.turnNow() // of exchange.startedAt
  date = '' // value of a Date header, renewed every second
  private readonly control: Int32Array
  private readonly row: number
  private readonly post: (message: FromWorker) => void
  private readonly headerLabels: HeaderLabels | null
  private readonly errorBlocks = new Int32Array(errorTable.length)
  private onEmpty: (() => void) | null = null
  private connections = 0

  constructor(plan: WorkerPlan, post: (message: FromWorker) => void) {
    this.plan = plan
    this.post = post
    this.control = new Int32Array(plan.control)
    this.row = rowOf(plan.index)
    this.counts = plan.metrics !== null
    this.series = new SeriesTable(plan.series, (block, labels) =>
      post({ type: 'series', block, labels }),
    )
    const headerLabels = plan.metrics?.headerLabels ?? {}
    this.headerLabels = Object.keys(headerLabels).length > 0 ? new HeaderLabels(headerLabels) : null
    this.servers = new ServerRegistry(this)
    this.log = plan.accessLog === null ? null : new AccessLog(plan.accessLog, this.sendLines, true)
    this.spool = plan.spool.bytesMax > 0 ? new Spool(this) : null
    this.services = new Services(this)
    this.overload = new Admission(this, plan.overload)
  }

  private readonly sendLines = (lines: string, count: number): void => {
    this.post({ type: 'log', lines, count, lost: this.log!.takeLost() })
  }

  // One integer is compared per request; only when it differs is anything done.
  adoptIfNew(): void {
    if (Atomics.load(this.control, GENERATION) !== this.generation.number) this.adopt()
  }

  // What waits to be adopted; one that another worker has refused is never adopted.
  prepare(next: LiveGeneration): void {
    this.prepared?.discard()
    this.prepared = next
  }

  adopt(): void {
    const next = this.prepared
    if (next === null || next.number !== Atomics.load(this.control, GENERATION)) return
    this.prepared = null
    this.generation = next
    next.commit()
    this.adoptCertificates()
    this.generationUse.adopted(next.number)
    this.setInRow(0, next.number)
    this.post({ type: 'adopted', number: next.number })
  }

  // The generated certificate is one of them.
  secretsChanged(): void {
    const { tls } = this.generation
    if (tls !== null) this.tellKeepers((keeper) => keeper.prepare(tls))
    this.adoptCertificates()
  }

  private adoptCertificates(): void {
    const { tls } = this.generation
    if (tls !== null) this.tellKeepers((keeper) => keeper.adopt(tls))
  }

  private tellKeepers(tell: (keeper: CertificateKeeper) => void): void {
    try {
      for (const keeper of this.certificateKeepers) tell(keeper)
    } catch (defect) {
      tellDefect(defect) // the certificates of before are kept
    }
  }

  get ready(): boolean {
    return Atomics.load(this.control, READY) === 1 && !this.terminating
  }

  // The last descriptors of the process are not for clients.
  hasRoomFor(descriptor: number): boolean {
    return !isReserved(descriptor, Atomics.load(this.control, DESCRIPTORS_MAX))
  }

  // SIGTERM has come, though requests may still be accepted for a while.
  get terminating(): boolean {
    return Atomics.load(this.control, DRAIN) !== DRAIN_NONE
  }

  begun(exchange: LiveExchange): void {
    this.overload.begun++
    this.generationUse.begun(exchange)
    this.addToRow(IN_FLIGHT, 1)
  }

  // Counts and logs an exchange that has ended.
  account(exchange: LiveExchange): void {
    this.addToRow(IN_FLIGHT, -1)
    const now = this.sweeper.turnNow()
    const seconds = (now - exchange.startedAt) / 1000
    const point = exchange.point!
    const router = exchange.router
    if (router === null || router.counted) {
      if (point.series !== null) count(point.series, exchange, seconds)
      if (router !== null && router.series !== null) count(router.series, exchange, seconds)
      if (exchange.countedBy !== null) count(exchange.countedBy, exchange, seconds)
      if (this.headerLabels !== null) this.countLabelled(exchange, this.headerLabels)
    }
    if (point.logged && (router === null || router.logged)) this.log!.record(exchange, now)
  }

  private countLabelled(exchange: LiveExchange, headerLabels: HeaderLabels): void {
    const { methodId, status, protocol, router } = exchange
    const set = headerLabels.of(exchange.request)
    exchange.point!.series?.countLabelled(methodId, status, protocol, set)
    router?.series?.countLabelled(methodId, status, protocol, set)
    exchange.countedBy?.countLabelled(methodId, status, protocol, set)
  }

  requestSeries(family: string, labels: Readonly<Record<string, string>>): RequestSeries {
    return new RequestSeries(
      this.series,
      family,
      labels,
      this.plan.metrics?.buckets ?? [],
      methodNames,
    )
  }

  countError(code: number): void {
    let block = this.errorBlocks[code]!
    if (block === 0) {
      block = this.series.give({
        family: 'sluice_errors_total',
        labels: { code: errorTable[code]!.name },
      })
      this.errorBlocks[code] = block
    }
    this.series.add(block, REQUESTS, 1)
  }

  upstreamConnections(change: number): void {
    this.addToRow(UPSTREAM_CONNECTIONS, change)
  }

  addToRow(cell: number, amount: number): void {
    const at = this.row + cell
    this.control[at] = this.control[at]! + amount // one writer: no atomic needed
    if (cell === CONNECTIONS) this.connections += amount
  }

  setInRow(cell: number, value: number): void {
    Atomics.store(this.control, this.row + cell, value)
  }

  // Of the supervisor's row.
  sharedCell(cell: number): number {
    return Atomics.load(this.control, cell)
  }

  rowCell(cell: number): number {
    return this.control[this.row + cell]!
  }

  // Tells `done` once no connection is open.
  whenEmpty(done: () => void): void {
    this.onEmpty = done
    this.connectionEnded()
  }

  connectionEnded(): void {
    if (this.onEmpty === null || this.connections > 0) return
    const done = this.onEmpty
    this.onEmpty = null
    done()
  }

  say(message: FromWorker): void {
    this.post(message)
  }
}

function count(series: RequestSeries, exchange: LiveExchange, seconds: number): void {
  const { methodId, status, requestBytes, responseBytes, protocol, tls } = exchange
  series.count(methodId, status, seconds, requestBytes, responseBytes, protocol)
  if (tls !== null && tls.version !== '') series.countTls(tls.version, tls.cipher)
}
