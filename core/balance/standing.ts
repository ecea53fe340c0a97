// core/balance/standing.ts: what the workers have seen of a server's answers together: failures in a row, ejections,
// and until when it gets no requests. Lock-free, in core/shared/slot-table.ts.
//
// Owner:  a Target; the memory is the process's and is found by name, so that it outlives reloads and workers.
// Hot:    answered() and isGood, once per exchange of a service that uses them.
//
//   cell 0  until when it is down; 0: never was. Infinity: until a check has found it well
//   cell 1  failures so far | failures when it last answered well     } passiveHealthCheck
//   cell 2  answers of 500 and more in a row | gateway errors in a row } outlierDetection
//   cell 3  how often it was ejected lately | interval with which cell 4 began
//   cell 4  good answers | failed answers, of an interval: core/balance/interval-counts.ts
//
// Times of the last failures stand in slots of their own, as a ring, where more than one failure is needed.
// Two workers that fail at once may both find it down: they write the same. One that was stopped between two
// writes leaves a count that is too low by one, until the next answer.

import { CELLS, type SlotTable } from '../shared/slot-table.ts'
import type { RateOptions } from './success-rate.ts'

export interface PassiveOptions {
  readonly windowMs: number
  readonly maxFailed: number
  readonly untilChecked: boolean // an active check says when it is well again, as in Traefik
}

export interface OutlierOptions extends RateOptions {
  readonly consecutive5xx: number // 0: not looked at
  readonly consecutiveGatewayErrors: number // 0: not looked at
  readonly baseMs: number
  readonly maxMs: number
  readonly intervalMs: number
  readonly maxPercent: number
}

export interface StandingOptions {
  readonly passive: PassiveOptions | null
  readonly outlier: OutlierOptions | null
}

// What has happened to a server through one answer.
export const NOTHING = 0
export const FELL = 1 // passiveHealthCheck
export const EJECTED_5XX = 2
export const EJECTED_GATEWAY = 3
export type Happened = typeof NOTHING | typeof FELL | typeof EJECTED_5XX | typeof EJECTED_GATEWAY

export interface StandingClock {
  preciseNow(): number
}

export const NOT_SENT = 0 // in place of a status: no answer came

export function isWell(status: number): boolean {
  return status !== NOT_SENT && status < 500
}

export class Standing {
  private readonly options: StandingOptions
  private readonly table: SlotTable
  private readonly clock: StandingClock
  private readonly cell: number // in table.numbers
  readonly word: number // in table.integers
  private readonly ring: readonly number[] // slots of it; [] when one failure is enough

  private constructor(
    options: StandingOptions,
    table: SlotTable,
    clock: StandingClock,
    slot: number,
    ring: readonly number[],
  ) {
    this.options = options
    this.table = table
    this.clock = clock
    this.cell = slot * CELLS
    this.word = slot * CELLS * 2
    this.ring = ring
  }

  // Null: the table is full, and this server's answers are not noted.
  static open(
    name: string,
    options: StandingOptions,
    table: SlotTable,
    clock: StandingClock,
  ): Standing | null {
    const slot = table.claim(name)
    const maxFailed = options.passive?.maxFailed ?? 1
    const slots = maxFailed === 1 ? 0 : Math.ceil(maxFailed / CELLS)
    const ring = Array.from({ length: slots }, (_, i) => table.claim(`${name} ${maxFailed} ${i}`))
    if (slot < 0 || ring.some((other) => other < 0)) return null
    return new Standing(options, table, clock, slot, ring)
  }

  // For whoever only looks on: what nobody has noted is good.
  static isGoodIn(table: SlotTable, name: string, now: number): boolean {
    const slot = table.find(name)
    return slot < 0 || table.numbers[slot * CELLS]! <= now
  }

  get until(): number {
    return this.table.numbers[this.cell]!
  }

  get isGood(): boolean {
    const until = this.table.numbers[this.cell]!
    return until === 0 || until <= this.clock.preciseNow()
  }

  // An exchange with the server has come to its head, or to its failure (NOT_SENT). `all`: the servers of the service.
  answered(status: number, all: readonly (Standing | null)[]): Happened {
    if (isWell(status)) return this.wasWell()
    const fell = this.noteFailure()
    const { outlier } = this.options
    const ejected = outlier === null ? NOTHING : this.noteOutlier(outlier, status, all)
    return fell ? FELL : ejected
  }

  private wasWell(): typeof NOTHING {
    const { integers } = this.table
    const { word } = this
    const failures = integers[word + 2]!
    if (integers[word + 3] !== failures) Atomics.store(integers, word + 3, failures)
    if (integers[word + 4] !== 0) Atomics.store(integers, word + 4, 0)
    if (integers[word + 5] !== 0) Atomics.store(integers, word + 5, 0)
    return NOTHING
  }

  // A check has found it well: what was noted before is the past.
  clear(): void {
    if (this.isGood) return
    this.wasWell()
    Atomics.store(this.table.integers, this.word + 7, 0) // of no interval: what is in cell 4 is not judged
    this.table.numbers[this.cell] = this.clock.preciseNow()
  }

  private noteFailure(): boolean {
    const { passive } = this.options
    if (passive === null) return false
    const { integers } = this.table
    const { word } = this
    const now = this.clock.preciseNow()
    const mine = Atomics.add(integers, word + 2, 1)
    const { maxFailed } = passive
    if (maxFailed > 1) {
      this.setFailedAt(mine, maxFailed, now)
      // Not `mine`: of those who fail at once the last one to get here must see them all.
      const failures = Atomics.load(integers, word + 2)
      if (failures - Atomics.load(integers, word + 3) < maxFailed) return false
      if (this.failedAt(failures, maxFailed) < now - passive.windowMs) return false
    }
    const wasGood = this.isGood
    this.goDown(passive.untilChecked ? Infinity : now + passive.windowMs)
    return wasGood
  }

  private goDown(until: number): void {
    const { numbers } = this.table
    if (until > numbers[this.cell]!) numbers[this.cell] = until
  }

  private setFailedAt(failure: number, maxFailed: number, now: number): void {
    this.table.numbers[this.placeOf(failure, maxFailed)] = now
  }

  // The oldest of the last maxFailed ones stands where the next one goes.
  private failedAt(failure: number, maxFailed: number): number {
    return this.table.numbers[this.placeOf(failure, maxFailed)]!
  }

  private placeOf(failure: number, maxFailed: number): number {
    const place = (failure >>> 0) % maxFailed
    return this.ring[Math.floor(place / CELLS)]! * CELLS + (place % CELLS)
  }

  private noteOutlier(
    options: OutlierOptions,
    status: number,
    all: readonly (Standing | null)[],
  ): Happened {
    const { integers } = this.table
    const { word } = this
    const isGateway = status === NOT_SENT || (status >= 502 && status <= 504)
    const inRow = Atomics.add(integers, word + 4, 1) + 1
    let gateway = 0
    if (isGateway) gateway = Atomics.add(integers, word + 5, 1) + 1
    else if (integers[word + 5] !== 0) Atomics.store(integers, word + 5, 0)
    if (reaches(gateway, options.consecutiveGatewayErrors))
      return this.eject(options, all, this.clock.preciseNow()) ? EJECTED_GATEWAY : NOTHING
    if (reaches(inRow, options.consecutive5xx))
      return this.eject(options, all, this.clock.preciseNow()) ? EJECTED_5XX : NOTHING
    return NOTHING
  }

  // For longer each time: as Envoy does, and each interval that it was not ejected takes one time off. `quietUntil`:
  // the interval that it is ejected for was none of them.
  eject(options: OutlierOptions, all: readonly (Standing | null)[], quietUntil: number): boolean {
    if (!this.isGood) return false
    const { integers, numbers } = this.table
    const now = this.clock.preciseNow()
    const before = numbers[this.cell]!
    const times = integers[this.word + 6]!
    const forgotten = Math.max(0, Math.floor((quietUntil - before) / options.intervalMs))
    const multiplier = Math.max(0, times - forgotten) + 1
    numbers[this.cell] = now + Math.min(options.baseMs * multiplier, options.maxMs)
    if (countDown(all, now) > allowed(options.maxPercent, all.length)) {
      numbers[this.cell] = before // another worker may do the same at this moment; the next failure tries again
      return false
    }
    integers[this.word + 6] = multiplier
    Atomics.store(integers, this.word + 4, 0)
    Atomics.store(integers, this.word + 5, 0)
    return true
  }
}

function reaches(count: number, limit: number): boolean {
  return limit > 0 && count >= limit
}

function countDown(all: readonly (Standing | null)[], now: number): number {
  return all.reduce((sum, one) => sum + (one === null || one.until <= now ? 0 : 1), 0)
}

// One may always be ejected, unless nobody shall.
function allowed(percent: number, servers: number): number {
  return percent === 0 ? 0 : Math.max(1, Math.floor((servers * percent) / 100))
}
