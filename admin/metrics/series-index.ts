// admin/metrics/series-index.ts: which cells of which workers belong to one series.
//
// Owner:  the MetricsPage. Workers tell each series once (WorkerSeries.add); counting tells nobody.
// Hot:    no. The cells are read when somebody scrapes.
//
// A series is known by its family and labels. Its value is the sum over the workers' blocks and `retained`:
// what workers that are gone had counted, so that a counter never goes down when one is replaced.

import {
  BUCKETS_MAX,
  BUCKETS,
  CELLS,
  REQUESTS,
  type SeriesLabels,
} from '../../core/shared/series.ts'
import { labelText } from './text.ts'

const GAUGE = 'open_connections' // of a worker that is gone nothing is open

interface Place {
  readonly worker: WorkerSeries
  readonly at: number // its first cell
}

export class Series {
  readonly family: string
  readonly labels: Readonly<Record<string, string>>
  readonly text: string // of the labels, as they are shown
  private readonly retained = new Float64Array(CELLS)
  private places: Place[] = []

  constructor(named: SeriesLabels) {
    this.family = named.family
    this.labels = named.labels
    this.text = labelText(named.labels)
  }

  value(cell: number): number {
    let sum = this.retained[cell]!
    for (const { worker, at } of this.places) sum += worker.cells[at + cell]!
    return sum
  }

  // Counts of the buckets, the last one for what is above every bound.
  bucketValues(bounds: number): number[] {
    const values: number[] = []
    for (let i = 0; i <= bounds && i < BUCKETS_MAX; i++) values.push(this.value(BUCKETS + i))
    return values
  }

  addPlace(worker: WorkerSeries, block: number): void {
    this.places.push({ worker, at: block * CELLS })
  }

  // Keeps what the worker had counted here and forgets its memory.
  fold(worker: WorkerSeries): void {
    for (const { at } of this.places.filter((place) => place.worker === worker)) {
      if (this.family === GAUGE) continue
      for (let cell = 0; cell < CELLS; cell++) {
        this.retained[cell] = this.retained[cell]! + worker.cells[at + cell]!
      }
    }
    this.places = this.places.filter((place) => place.worker !== worker)
  }
}

// One life of one worker, as the counters see it.
export class WorkerSeries {
  readonly cells: Float64Array
  private readonly index: SeriesIndex
  private ended = false

  constructor(cells: Float64Array, index: SeriesIndex) {
    this.cells = cells
    this.index = index
  }

  // A message that was still under way when the worker ended is counted like the others.
  add(block: number, labels: SeriesLabels): void {
    const series = this.index.find(labels)
    series.addPlace(this, block)
    if (this.ended) series.fold(this)
  }

  // The worker has ended and writes no more. Its memory may be used again afterwards, once it is zeroed.
  end(): void {
    if (this.ended) return
    this.ended = true
    this.index.end(this)
  }
}

export class SeriesIndex {
  private readonly byKey = new Map<string, Series>()
  private readonly workers = new Set<WorkerSeries>()
  private overflowRetained = 0

  workerStarted(memory: SharedArrayBuffer): WorkerSeries {
    const worker = new WorkerSeries(new Float64Array(memory), this)
    this.workers.add(worker)
    return worker
  }

  find(labels: SeriesLabels): Series {
    const key = keyOf(labels)
    let series = this.byKey.get(key)
    if (series === undefined) {
      series = new Series(labels)
      this.byKey.set(key, series)
    }
    return series
  }

  end(worker: WorkerSeries): void {
    this.workers.delete(worker)
    this.overflowRetained += worker.cells[REQUESTS]!
    for (const series of this.byKey.values()) series.fold(worker)
  }

  // What was counted in block 0, which has no labels.
  overflow(): number {
    let sum = this.overflowRetained
    for (const worker of this.workers) sum += worker.cells[REQUESTS]!
    return sum
  }

  all(): Series[] {
    return [...this.byKey.values()]
  }

  // After a scrape has shown their last values: series of routers and services that are no more.
  forget(isGone: (series: Series) => boolean): void {
    for (const [key, series] of this.byKey) if (isGone(series)) this.byKey.delete(key)
  }
}

function keyOf(labels: SeriesLabels): string {
  return labels.family + '{' + labelText(labels.labels)
}
