// workers/spool/spool.ts: where this worker's bodies in files are, how many bytes they may have, and what is counted.
//
// Owner:  the worker, one for its life. Hot: no, once per file.

import { NONE, SPOOL_FULL, errorTable } from '../../core/errors.ts'
import { REQUESTS } from '../../core/shared/series.ts'
import { SpoolBudget } from '../../core/shared/spool-budget.ts'
import type { WorkerContext } from '../context.ts'
import { SpoolFile, type SpoolOwner, type SpoolPlace } from './file.ts'

const TOLD_MAX = 32 // reasons; there are not more that a file system can give

export class Spool implements SpoolPlace {
  readonly directory: string
  private readonly context: WorkerContext
  readonly budget: SpoolBudget
  private readonly told = new Set<string>()

  constructor(context: WorkerContext) {
    this.context = context
    const { shared, index, spool } = context.plan
    this.directory = spool.directory
    this.budget = new SpoolBudget(shared.spool, index, spool.bytesMax)
  }

  create(owner: SpoolOwner): SpoolFile {
    this.count('sluice_buffering_files_total', {})
    return new SpoolFile(this, owner)
  }

  takesDescriptor(descriptor: number): boolean {
    return this.context.hasRoomFor(descriptor)
  }

  // Each reason is told once; the counter has the rest.
  refused(code: number, error: NodeJS.ErrnoException | null): void {
    if (code === NONE) return
    const { name } = errorTable[code]!
    this.count('sluice_buffering_disk_refusals_total', { code: name })
    const why = error?.code ?? (code === SPOOL_FULL ? 'buffering.diskBytesMax' : 'a short read')
    if (this.told.has(why) || this.told.size >= TOLD_MAX) return
    this.told.add(why)
    const message = `buffering: a body could not be kept in ${this.directory}: ${why}`
    this.context.say({ type: 'warning', message })
  }

  private count(family: string, labels: Readonly<Record<string, string>>): void {
    const { series } = this.context
    series.add(series.give({ family, labels }), REQUESTS, 1)
  }
}
