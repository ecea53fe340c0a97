// cli/counted-series.ts: which series the workers count, from the first worker on: the page that shows them is loaded
// while they start.
//
// Owner:  the Gateway. Hot: no.

import { SeriesIndex, type WorkerSeries } from '../admin/metrics/series-index.ts'
import type { Supervisor } from '../workers/supervisor.ts'
import type { WorkerHandle } from '../workers/worker-handle.ts'

// Before the supervisor is started.
export function countedSeries(supervisor: Supervisor): SeriesIndex {
  const index = new SeriesIndex()
  const counting = new Map<WorkerHandle, WorkerSeries>()
  supervisor.on('started', (worker) => counting.set(worker, index.workerStarted(worker.series)))
  supervisor.on('series', (worker, block, labels) => counting.get(worker)?.add(block, labels))
  supervisor.on('replaced', (worker) => {
    counting.get(worker)?.end()
    counting.delete(worker)
  })
  return index
}
