// core/resilience/breaker.ts: a circuit breaker whose state all workers of the process share.
//
// Owner:  one per router and middleware; the state lies in shared memory and outlives generations.
// Hot:    admits() and record() run once per request: a few atomic loads.
//
//                    the expression holds                      fallbackDuration is over
//   CLOSED ---------------------------------------> OPEN ------------------------------> RECOVERING
//     ^                                              ^                                      |   |
//     |                                              '-------- the expression holds --------'   |
//     '-------------------------- recoveryDuration is over --------------------------------------'
//
// OPEN lets nothing pass. RECOVERING lets a share pass that grows evenly from none to all. Every change of state begins
// with empty counts. Whoever wins the compare-and-exchange of a change does what belongs to it; the others see it done.

import type { BreakerCondition, BreakerFacts } from './breaker-expression.ts'
import { BreakerWindow, emptySums } from './breaker-window.ts'
import type { CellBlock } from './cells.ts'

export const CLOSED = 0
export const OPEN = 1
export const RECOVERING = 2
export type BreakerState = typeof CLOSED | typeof OPEN | typeof RECOVERING
export const stateNames = ['closed', 'open', 'recovering'] as const

// Cells of the state's block.
const STATE = 0
const SINCE = 1 // seconds and milliseconds of the shared clock, when the state began
const SINCE_MS = 2
const CHECKED = 3 // number of the checkPeriod in which the expression was last looked at
const ASKED = 4 // requests while recovering
const PASSED = 5 // and those of them that passed
const OPENED = 6 // how often it has opened
const LAYOUT = 7 // hash of the expression that the counts are for

export interface BreakerTimes {
  readonly checkPeriodMs: number
  readonly fallbackMs: number
  readonly recoveryMs: number
}

// How the memory of one breaker is called in the table.
export function breakerName(scope: string, middleware: string): string {
  return `breaker\n${scope}\n${middleware}`
}

// For whoever only looks, as the supervisor does.
export interface BreakerFace {
  readonly state: BreakerState
  readonly opened: number
}

export function readBreaker(cells: CellBlock): BreakerFace {
  return { state: cells.load(STATE) as BreakerState, opened: cells.load(OPENED) }
}

export class Breaker {
  private readonly cells: CellBlock
  private readonly window: BreakerWindow
  private readonly condition: BreakerCondition
  private readonly times: BreakerTimes
  private readonly facts: BreakerFacts
  private readonly onChange: (to: BreakerState) => void // of this worker's own changes

  constructor(
    claim: (name: string) => CellBlock,
    condition: BreakerCondition,
    times: BreakerTimes,
    onChange: (to: BreakerState) => void,
  ) {
    this.cells = claim('state')
    this.window = new BreakerWindow(claim, condition.ranges, condition.hasLatencies)
    this.condition = condition
    this.times = times
    this.facts = { sums: emptySums(), ranges: condition.ranges }
    this.onChange = onChange
    // Counts for another expression mean something else.
    const layout = hashOf(condition.expression.source)
    const before = this.cells.load(LAYOUT)
    if (before !== layout && this.cells.exchangeIf(LAYOUT, before, layout)) this.window.reset()
  }

  get state(): BreakerState {
    return this.cells.load(STATE) as BreakerState
  }

  // Whether a request may pass; `now` is of the clock that all workers share.
  admits(now: number): boolean {
    const { state } = this
    if (state === CLOSED) return true
    if (state === OPEN) {
      if (this.age(now) < this.times.fallbackMs) return false
      this.change(OPEN, RECOVERING, now)
    }
    if (this.age(now) < this.times.recoveryMs) return this.admitsShare(now)
    this.change(RECOVERING, CLOSED, now)
    return this.state === CLOSED
  }

  // Of all that have asked so far a part passes that grows from none to a half: then of those that ask at any moment
  // the part that passes grows evenly from none to all.
  private admitsShare(now: number): boolean {
    const share = (0.5 * this.age(now)) / this.times.recoveryMs
    const asked = this.cells.add(ASKED, 1) + 1
    if (this.cells.load(PASSED) + 1 > share * asked) return false
    this.cells.add(PASSED, 1)
    return true
  }

  // How long until requests pass again, at the least.
  waitMs(now: number): number {
    return this.state === OPEN ? Math.max(0, this.times.fallbackMs - this.age(now)) : 0
  }

  // What came of a request that passed. What comes while it is open was asked before, and counts no more.
  record(now: number, status: number, isNetworkError: boolean, latencyMs: number): void {
    const { state } = this
    if (state === OPEN) return
    this.window.record(now, status, isNetworkError, latencyMs)
    const check = Math.floor(now / this.times.checkPeriodMs) | 0
    const before = this.cells.load(CHECKED)
    if (before === check || !this.cells.exchangeIf(CHECKED, before, check)) return
    this.window.sum(now, this.facts.sums)
    if (this.condition.expression.test(this.facts)) this.change(state, OPEN, now)
  }

  // The time is written before the state: a reader that sees the new state never sees the old time with it. One that still
  // sees the old state with the new time only waits once more.
  private change(from: BreakerState, to: BreakerState, now: number): void {
    if (this.state !== from) return
    this.cells.store(SINCE, Math.floor(now / 1000))
    this.cells.store(SINCE_MS, Math.floor(now % 1000))
    this.cells.store(ASKED, 0)
    this.cells.store(PASSED, 0)
    if (!this.cells.exchangeIf(STATE, from, to)) return
    this.window.reset()
    if (to === OPEN) this.cells.add(OPENED, 1)
    this.onChange(to)
  }

  private age(now: number): number {
    return now - (this.cells.load(SINCE) * 1000 + this.cells.load(SINCE_MS))
  }
}

function hashOf(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return h | 1
}
