// workers/slot-sweep.ts: gives back slots of the shared table whose names no generation in use has any more.
//
// Owner:  the supervisor, in its thread: nobody else sweeps. Hot: no, at the most once per generation.
//
// A slot bears the number of the newest generation that has it. Workers stamp what they claim and, before they say
// `prepared`, all that the generation has from the one before (held-slots.ts). So once no worker runs anything older than
// generation n, a slot with a lower number is nobody's. A worker that is being replaced, or whose exchange of days still
// has its old route, delays that and no more.

import type { SlotTable } from '../core/shared/slot-table.ts'
import type { OperationsLog } from './supervisor.ts'

// Below a quarter of the table nothing is given back: a configuration that lacks a server for a moment finds what was known of
// it, and three quarters are enough for a reload in which all names are new.
const SWEEP_FROM = 1 / 4

export interface SlotUser {
  readonly isAlive: boolean
  readonly oldest: number // generation that it runs; 0: it has told of none
}

export class SlotSweep {
  private readonly table: SlotTable
  private readonly log: OperationsLog
  private sweptTo = 0
  private warnedOf = 0

  constructor(table: SlotTable, log: OperationsLog) {
    this.table = table
    this.log = log
  }

  // A worker has let go of a generation. `newest`: the last one that any worker was told of.
  look(users: readonly SlotUser[], newest: number): void {
    const oldest = oldestOf(users)
    if (oldest <= this.sweptTo || this.table.used < this.table.slots * SWEEP_FROM) return
    this.sweptTo = oldest
    const from = performance.now()
    const freed = this.table.sweep(oldest, newest + 1)
    const ms = (performance.now() - from).toFixed(1)
    this.log.debug(`${freed} records of generations before ${oldest} were given back in ${ms} ms`)
  }

  // Each worker lacks the same ones: the first that says so is heard.
  lacks(generation: number, names: number): void {
    if (names === 0 || generation <= this.warnedOf) return
    this.warnedOf = generation
    this.log.warn(
      `the table of shared records is full (${this.table.slots}): generation ${generation} has no room for ${names}. ` +
        'Servers without a record are neither ejected nor taken out for their answers, circuit breakers without one ' +
        'count in each worker by itself, and a rollout without one does not go on; see docs/limits.md',
    )
  }
}

// The oldest generation that any worker runs. 0: of some worker it is not known.
export function oldestOf(users: readonly SlotUser[]): number {
  return users.every(({ isAlive }) => isAlive) ? Math.min(...users.map(({ oldest }) => oldest)) : 0
}
