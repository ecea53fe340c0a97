// workers/held-slots.ts: which slots of the shared table the routers and services of a generation have.
//
// Owner:  a GenerationBuilder. What is not built anew claims nothing, but its slots belong to the new generation all the
//         same: keepStep() says so in the table, or they would be given back (slot-sweep.ts). Hot: no.

import type { Scope } from '../core/middleware/contract.ts'
import type { SlotTable } from '../core/shared/slot-table.ts'

const SLOTS_PER_STEP = 2000 // some 0.1 ms

export type SlotsByHolder = Map<Scope, readonly number[]> // -1: the table had no room

export class HeldSlots {
  private readonly states: SlotTable
  private readonly held: SlotsByHolder
  private kept: Iterator<readonly number[]> | null = null

  constructor(states: SlotTable, held: SlotsByHolder) {
    this.states = states
    this.held = held
  }

  // Whatever `make` claims is the holder's, in place of what it had.
  build<Made>(holder: Scope, make: () => Made): Made {
    const slots: number[] = []
    this.states.noteClaims(slots)
    try {
      return make()
    } finally {
      this.states.noteClaims(null)
      if (slots.length > 0) this.held.set(holder, slots)
      else this.held.delete(holder)
    }
  }

  drop(holder: Scope): void {
    this.held.delete(holder)
  }

  // Those that found no room; there may be some by now.
  get lacking(): Scope[] {
    return [...this.held].filter(([, slots]) => slots.includes(-1)).map(([holder]) => holder)
  }

  // Names of the generation without a slot.
  get missing(): number {
    let missing = 0
    for (const slots of this.held.values()) for (const slot of slots) if (slot < 0) missing++
    return missing
  }

  // A bounded piece of what is to be kept; true when nothing is left.
  keepStep(): boolean {
    this.kept ??= this.held.values()
    for (let left = SLOTS_PER_STEP; left > 0;) {
      const next = this.kept.next()
      if (next.done === true) return true
      for (const slot of next.value) if (slot >= 0) this.states.keep(slot)
      left -= 1 + next.value.length
    }
    return false
  }
}
