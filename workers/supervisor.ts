// workers/supervisor.ts: starts the workers, keeps them alive, hands them generations, ends them in order.
//
// Owner:  the main thread. Never on the path of a request: workers go on serving whatever happens here.
//
//             start        all listen         SIGTERM            all workers drained, or too late
//   (nothing) -----> STARTING -----> SERVING --------> LEAVING ------------------------------------> ENDED
//                       '------------------------------^
//
// LEAVING: /ready says 503 from its beginning, and each worker ends its entry points (drain.ts).

import { EventEmitter } from 'node:events'
import type { Delta, Generation } from '../config/generation.ts'
import { emptyGeneration } from '../config/generation.ts'
import { diffGenerations, isEmptyDelta } from '../config/diff.ts'
import {
  DESCRIPTORS_MAX,
  DRAIN,
  DRAIN_LEAVING,
  GENERATION,
  READY,
  controlBytes,
  rowOf,
} from '../core/shared/control.ts'
import type { SeriesLabels } from '../core/shared/series.ts'
import { SlotTable } from '../core/shared/slot-table.ts'
import { timerMs } from '../core/timer-ms.ts'
import { CacheRelay } from './cache/relay.ts'
import { readDescriptorsMax } from './descriptors.ts'
import type { FromWorker, SharedMemory, WorkerPlan } from './messages.ts'
import { newSharedMemory } from './shared-memory.ts'
import { MemoryWatch } from './overload/memory.ts'
import { slicesOf } from './slices.ts'
import { SlotSweep, oldestOf } from './slot-sweep.ts'
import { WorkerHandle } from './worker-handle.ts'

const SLOTS_PER_WORKER = 1
const WATCH_INTERVAL_MS = 250
const RESTART_DELAY_MS = 100 // after the first; doubles up to the next while a worker keeps dying young
const RESTART_DELAY_MAX_MS = 1500 // so that a worker is back within 2 s
const YOUNG_MS = 5000
const DRAIN_LATE_MS = 1000 // a worker that has not ended so long after its last grace never will

export type SharedPlan = Omit<WorkerPlan, 'index' | 'workers' | 'control' | 'series' | 'shared'>

export interface SupervisorOptions {
  readonly workers: number
  readonly plan: SharedPlan
  readonly log: OperationsLog
}

export interface OperationsLog {
  debug(message: string): void
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

export interface SupervisorEvents {
  listening: [] // every worker accepts for the first time
  failed: [message: string]
  started: [worker: WorkerHandle]
  series: [worker: WorkerHandle, block: number, labels: SeriesLabels]
  log: [lines: string, count: number, lost: number]
  converged: [number: number, ms: number]
  replaced: [worker: WorkerHandle]
  ended: [clean: boolean]
}

export class Supervisor extends EventEmitter<SupervisorEvents> {
  readonly handles: WorkerHandle[] = []
  readonly control: Int32Array
  readonly shared: SharedMemory
  readonly caches: CacheRelay
  restarts = 0
  defects = 0
  convergenceMs = 0
  generation: Generation = emptyGeneration() // what all workers have been told to serve by
  private readonly slots: SlotSweep
  private readonly memory: SharedArrayBuffer
  private readonly options: SupervisorOptions
  private target: Generation | null = null // being prepared
  private waiting: Generation | null = null // the newest one that came meanwhile
  private newest = 0 // number of the last one that workers were told of
  private publishedAt = 0
  private watch: NodeJS.Timeout | null = null
  private readonly memoryWatch: MemoryWatch | null
  private ending = false
  private ended = false
  private serving = false // every worker has listened once
  private completeFrom = 0 // the first complete generation; 0 before there is one

  constructor(options: SupervisorOptions) {
    super()
    this.options = options
    this.memory = new SharedArrayBuffer(controlBytes(options.workers * SLOTS_PER_WORKER))
    this.control = new Int32Array(this.memory)
    this.shared = newSharedMemory(options.workers * SLOTS_PER_WORKER)
    this.caches = new CacheRelay(this.shared.cache, this.handles)
    this.slots = new SlotSweep(new SlotTable(this.shared.states), options.log)
    const { overload } = options.plan
    this.memoryWatch = overload.enabled
      ? new MemoryWatch(this.control, overload, options.log)
      : null
  }

  start(): void {
    this.readLimits()
    for (let index = 0; index < this.options.workers; index++) this.startWorker(index)
    this.watch = setInterval(() => this.watchWorkers(), WATCH_INTERVAL_MS)
  }

  // ---- workers

  private startWorker(index: number): WorkerHandle {
    // A worker that ended has left its gauges behind; the next one counts up from them.
    this.control.fill(0, rowOf(index), rowOf(index + 1))
    const { shared, options } = this
    const { workers } = options
    const handle = new WorkerHandle({ ...options.plan, index, workers, shared }, this.memory)
    this.handles[index] = handle
    handle.onMessage = (message) => this.receive(handle, message)
    handle.onExit = (reason) => this.workerEnded(handle, reason)
    this.emit('started', handle)
    const first = this.target ?? (this.generation.number > 0 ? this.generation : null)
    if (first !== null) this.tell(handle, diffGenerations(emptyGeneration(), first))
    return handle
  }

  private readLimits(): void {
    Atomics.store(this.control, DESCRIPTORS_MAX, readDescriptorsMax())
  }

  // A worker that does not answer is ended, and then replaced like one that ended itself.
  private watchWorkers(): void {
    this.readLimits()
    this.memoryWatch?.look()
    const now = performance.now()
    for (const handle of this.handles) {
      const reason = handle.isAlive ? handle.reasonToEnd(now, this.control) : ''
      if (reason !== '') handle.end(reason)
    }
  }

  private workerEnded(handle: WorkerHandle, reason: string): void {
    this.caches.ended(handle)
    if (this.ended) return
    if (this.ending) return this.checkDrained()
    this.options.log.error(`worker ${handle.index} ended (${reason}) and is replaced`)
    this.restarts++
    this.emit('replaced', handle)
    const young = performance.now() - handle.startedAt < YOUNG_MS
    const delay = young
      ? Math.min(handle.restartDelayMs * 2, RESTART_DELAY_MAX_MS)
      : RESTART_DELAY_MS
    setTimeout(() => {
      if (this.ended || this.ending) return
      const next = this.startWorker(handle.index)
      next.restartDelayMs = delay
      next.restarts = handle.restarts + 1
      this.checkPrepared()
    }, timerMs(delay))
  }

  private receive(handle: WorkerHandle, message: FromWorker): void {
    switch (message.type) {
      case 'listening':
        handle.listening = true
        if (this.handles.every((h) => h.listening)) this.allListening()
        return
      case 'failed':
        return this.couldNotListen(handle, message.message)
      case 'prepared':
        handle.prepared = message.number
        this.slots.lacks(message.number, message.lacking)
        this.options.log.debug(
          `worker ${handle.index} built generation ${message.number} in ${message.buildMs.toFixed(1)} ms`,
        )
        return this.checkPrepared()
      case 'refused':
        this.options.log.error(
          `worker ${handle.index} could not build generation ${message.number}: ${message.message}`,
        )
        return this.abandon(message.number)
      case 'adopted':
        handle.adopted = message.number
        this.markReady()
        return this.checkConverged()
      case 'retired':
        handle.oldest = message.oldest
        return this.slots.look(this.handles, this.newest)
      case 'series':
        this.emit('series', handle, message.block, message.labels)
        return
      case 'log':
        this.emit('log', message.lines, message.count, message.lost)
        handle.post({ type: 'taken', length: message.lines.length })
        return
      case 'defect':
        this.defects++
        this.options.log.error(
          `defect in worker ${handle.index}, one connection was closed: ${message.message}`,
        )
        return
      case 'warning':
        this.options.log.warn(message.message)
        return
      case 'debug':
        this.options.log.debug(message.message)
        return
      case 'cache':
        return this.caches.receive(handle, message.message)
      case 'drained':
        handle.drained = true
        handle.cut = message.cut
        return this.checkDrained()
    }
  }

  // At the start that is the user's mistake. Later, somebody has taken the address, or descriptors have run
  // out: the others serve, and this one is tried again.
  private couldNotListen(handle: WorkerHandle, message: string): void {
    if (this.ending) return // it drains what it has opened
    if (this.serving) handle.end(`cannot listen: ${message}`)
    else this.emit('failed', message)
  }

  private allListening(): void {
    const first = !this.serving
    this.serving = true
    if (first) this.emit('listening')
    this.markReady()
  }

  // The first complete configuration was published. /ready waits for it and for all workers to listen: a
  // gateway that knows only part of its routes must get no traffic.
  completeConfiguration(): void {
    if (this.completeFrom > 0) return
    this.completeFrom = (this.waiting ?? this.target ?? this.generation).number
    this.markReady()
  }

  private markReady(): void {
    if (!this.serving || this.completeFrom === 0) return
    const adopted = this.handles.every((h) => h.adopted >= this.completeFrom)
    if (adopted) Atomics.store(this.control, READY, 1)
  }

  get ready(): boolean {
    return Atomics.load(this.control, READY) === 1 && !this.ending
  }

  get oldestGeneration(): number {
    return oldestOf(this.handles)
  }

  // ---- generations

  // Makes all workers serve by `next`; its number must be higher than any before. One publish is under way
  // at a time, and of those that come meanwhile the newest is next.
  publish(next: Generation): void {
    if (this.ending) return
    if (this.target !== null) {
      this.waiting = next
      return
    }
    const delta = diffGenerations(this.generation, next)
    if (isEmptyDelta(delta) && this.generation.number > 0) return
    this.target = next
    this.newest = next.number
    this.publishedAt = performance.now()
    for (const handle of this.handles) if (handle.isAlive) this.tell(handle, delta)
  }

  private tell(handle: WorkerHandle, delta: Delta): void {
    handle.feed(slicesOf(delta))
  }

  private checkPrepared(): void {
    const { target } = this
    if (target === null) return
    if (!this.handles.every((h) => h.isAlive && h.prepared === target.number)) return
    this.generation = target
    Atomics.store(this.control, GENERATION, target.number)
    for (const handle of this.handles) handle.post({ type: 'commit', number: target.number })
  }

  private checkConverged(): void {
    const { target } = this
    if (target === null || this.generation !== target) return
    if (!this.handles.every((h) => h.adopted === target.number)) return
    this.target = null
    this.convergenceMs = performance.now() - this.publishedAt
    this.emit('converged', target.number, this.convergenceMs)
    this.publishWaiting()
  }

  private publishWaiting(): void {
    const next = this.waiting
    this.waiting = null
    if (next !== null) this.publish(next)
  }

  // No worker has adopted it, since all must be prepared first: the old generation stays everywhere.
  private abandon(number: number): void {
    if (this.target === null || this.target.number !== number || this.generation === this.target)
      return
    this.target = null
    this.feedNewcomers()
    this.publishWaiting()
  }

  // A worker that came while the refused generation was on its way was told of that one only.
  private feedNewcomers(): void {
    if (this.generation.number === 0) return
    const all = diffGenerations(emptyGeneration(), this.generation)
    for (const handle of this.handles)
      if (handle.isAlive && handle.adopted === 0) this.tell(handle, all)
  }

  // Log lines that workers hold come now, and not when there are more of them.
  flushLogs(): void {
    for (const handle of this.handles) handle.post({ type: 'flush' })
  }

  // ---- the end

  terminate(): void {
    if (this.ending) return
    this.ending = true
    Atomics.store(this.control, DRAIN, DRAIN_LEAVING)
    this.options.log.info('shutting down')
    for (const handle of this.handles) handle.post({ type: 'drain' })
    const { entryPoints, udpEntryPoints } = this.options.plan
    const graces = [...entryPoints, ...udpEntryPoints].map((p) => p.acceptGraceMs + p.graceMs)
    setTimeout(() => this.finish(false), timerMs(Math.max(0, ...graces) + DRAIN_LATE_MS)).unref()
    this.checkDrained()
  }

  private checkDrained(): void {
    if (!this.handles.every((h) => h.drained || !h.isAlive)) return
    const cut = this.handles.reduce((sum, handle) => sum + handle.cut, 0)
    if (cut > 0) this.options.log.warn(`connections cut after graceTimeOut: ${cut}`)
    this.finish(cut === 0)
  }

  private finish(clean: boolean): void {
    if (this.ended) return
    this.ended = true
    if (this.watch !== null) clearInterval(this.watch)
    this.emit('ended', clean)
  }
}
