// workers/worker-handle.ts: one worker thread as the supervisor knows it.

import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { HEARTBEAT, rowOf } from '../core/shared/control.ts'
import { SERIES_BYTES } from '../core/shared/series.ts'
import type { FromWorker, Slice, ToWorker, WorkerPlan } from './messages.ts'
import { Silence } from './silence.ts'

const SLICES_UNDERWAY_MAX = 2
const EXIT_MAX_MS = 500 // for a worker to end by itself

export class WorkerHandle {
  readonly index: number
  readonly startedAt = performance.now()
  readonly series = new SharedArrayBuffer(SERIES_BYTES) // its counters
  isAlive = true
  listening = false
  drained = false
  cut = 0 // connections, when it drained
  restarts = 0 // how often this place was filled again
  prepared = 0 // the last generation that it has built
  adopted = 0 // the generation that it serves by
  oldest = 0 // the oldest one that exchanges of it still use; 0: it has none yet
  restartDelayMs = 50
  onMessage: (message: FromWorker) => void = () => {}
  onExit: (reason: string) => void = () => {}
  private readonly worker: Worker
  private reason = 'exited'
  private readonly silence = new Silence(performance.now())
  private readonly outbox: Slice[] = []
  private sent = 0 // of outbox
  private underway = 0 // slices that the worker has not taken up

  constructor(plan: Omit<WorkerPlan, 'control' | 'series'>, control: SharedArrayBuffer) {
    this.index = plan.index
    sizeHeapOfNext(plan.maxSemiSpaceMb)
    this.worker = new Worker(new URL('./worker.ts', import.meta.url), {
      name: `sluice-worker-${plan.index}`,
      workerData: { ...plan, control, series: this.series } satisfies WorkerPlan,
    })
    this.worker.on('message', (message: FromWorker) => this.receive(message))
    this.worker.on('error', (fault: Error) => (this.reason = fault.stack ?? String(fault)))
    this.worker.on('exit', () => this.exited())
  }

  private exited(): void {
    this.isAlive = false
    this.onExit(this.reason)
  }

  // '' while its heart beats.
  reasonToEnd(now: number, control: Int32Array): string {
    return this.silence.reasonAt(now, Atomics.load(control, rowOf(this.index) + HEARTBEAT))
  }

  // Slices go out as the worker works them off. All at once, it would read them all in one turn: 40 ms for
  // 10,000 routers.
  feed(slices: readonly Slice[]): void {
    this.outbox.push(...slices)
    this.pump()
  }

  private pump(): void {
    while (this.underway < SLICES_UNDERWAY_MAX && this.outbox.length > this.sent) {
      this.underway++
      this.post(this.outbox[this.sent++]!)
    }
    if (this.sent < this.outbox.length) return
    this.outbox.length = 0
    this.sent = 0
  }

  private receive(message: FromWorker): void {
    if (message.type !== 'more') return this.onMessage(message)
    this.underway--
    this.pump()
  }

  post(message: ToWorker): void {
    if (this.isAlive) this.worker.postMessage(message)
  }

  end(reason: string): void {
    this.reason = reason
    this.silence.forgive() // gives terminate() time before it is told again
    // A thread that is ended from outside can't close sockets of uWebSockets.js, and Node aborts the process over them.
    this.post({ type: 'exit' })
    setTimeout(() => void this.worker.terminate(), EXIT_MAX_MS).unref()
  }
}

// bin/sluice keeps the young generation of the supervisor small, by a flag that would hold for workers as well. A
// worker's has its full size from the start: V8 shrinks it when it is quiet and grows it again under load, and the
// process with it, by 7 MiB per worker.
function sizeHeapOfNext(semiSpaceMb: number): void {
  setFlagsFromString(`--max-semi-space-size=${semiSpaceMb}`)
  setFlagsFromString(`--min-semi-space-size=${semiSpaceMb}`)
}
