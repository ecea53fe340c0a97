// core/balance/interval-counts.ts: good and failed answers of a service's servers in each interval, counted by all
// workers together; when an interval is over one worker ejects those whose rate is bad (core/balance/success-rate.ts).
//
// Owner:  a ServiceWatch; the cells are the process's and outlive it.
// Hot:    yes: note(), once per exchange of a service that asks for rates: a load, a comparison and an addition.
//
//   slot of a server   the second half of cell 3, and cell 4: see core/balance/standing.ts
//   slot of a service  cell 0: the interval that is counted
//
// Intervals have numbers, by the clock that all threads share. The first answer in a new one puts its number in the
// place of the one before; whoever succeeds judges that one, and takes all counts out while the others go on adding.
// So there is no timer, and a service that nobody asks is not judged: it need not be. Counts of a server are believed
// when they began with the interval that is judged. They did not when the server is new in the list or was away from
// it, or when whoever should have judged before did not come to this server (it was stopped, or it is judging yet).

import { CELLS, type SlotTable } from '../shared/slot-table.ts'
import { isWell, type OutlierOptions, type Standing, type StandingClock } from './standing.ts'
import { type Counted, type Outlier, outliersOf } from './success-rate.ts'

const BEGAN = 7 // integers of a server's slot
const WELL = 8
const FAILED = 9
const NOBODY: readonly Outlier[] = []

export class IntervalCounts {
  private readonly options: OutlierOptions
  private readonly standings: readonly (Standing | null)[]
  private readonly table: SlotTable
  private readonly clock: StandingClock
  private readonly word: number // in table.integers: the number of the interval

  private constructor(
    options: OutlierOptions,
    standings: readonly (Standing | null)[],
    table: SlotTable,
    clock: StandingClock,
    slot: number,
  ) {
    this.options = options
    this.standings = standings
    this.table = table
    this.clock = clock
    this.word = slot * CELLS * 2
  }

  // Null: no rule asks for rates, or the table is full and nothing is counted. `name`: of the service.
  static open(
    name: string,
    options: OutlierOptions | null,
    standings: readonly (Standing | null)[],
    table: SlotTable,
    clock: StandingClock,
  ): IntervalCounts | null {
    if (options === null || !asksForRates(options)) return null
    const slot = table.claim(name)
    return slot < 0 ? null : new IntervalCounts(options, standings, table, clock, slot)
  }

  // A server's answer, or NOT_SENT. What comes back are servers that this call has ejected, for the interval before.
  note(index: number, status: number): readonly Outlier[] {
    const { integers } = this.table
    const current = Math.floor(this.clock.preciseNow() / this.options.intervalMs)
    const counted = Atomics.load(integers, this.word)
    const ejected = isAfter(current, counted) ? this.end(counted, current) : NOBODY
    const standing = this.standings[index]
    if (standing !== null && standing !== undefined)
      Atomics.add(integers, standing.word + (isWell(status) ? WELL : FAILED), 1)
    return ejected
  }

  private end(counted: number, current: number): readonly Outlier[] {
    const { integers } = this.table
    if (Atomics.compareExchange(integers, this.word, counted, current | 0) !== counted)
      return NOBODY // another worker judges it
    const servers = this.take(counted, current)
    const { intervalMs, baseMs } = this.options
    const intervals = (current - counted) | 0
    // The first one, or nobody has asked since: an ejection at its end would be over by now.
    if (counted === 0 || (intervals - 1) * intervalMs >= baseMs) return NOBODY
    return this.eject(outliersOf(servers, this.options), (current - intervals) * intervalMs)
  }

  // Counts of the interval that is over; those who are out already are not compared with.
  private take(counted: number, current: number): Counted[] {
    const { integers } = this.table
    const servers: Counted[] = []
    for (let index = 0; index < this.standings.length; index++) {
      const standing = this.standings[index]!
      if (standing === null) continue
      const { word } = standing
      const well = Atomics.exchange(integers, word + WELL, 0) >>> 0
      const failed = Atomics.exchange(integers, word + FAILED, 0) >>> 0
      const began = Atomics.exchange(integers, word + BEGAN, current)
      if (began === counted && standing.isGood) servers.push({ index, well, failed })
    }
    return servers
  }

  private eject(outliers: readonly Outlier[], intervalBegan: number): readonly Outlier[] {
    const ejected: Outlier[] = []
    for (const outlier of outliers) {
      const standing = this.standings[outlier.index]!
      if (!standing.isGood) continue // by the other rule, or by errors in a row meanwhile
      if (!standing.eject(this.options, this.standings, intervalBegan)) break // no more may be out
      ejected.push(outlier)
    }
    return ejected
  }
}

function asksForRates({ successRate, failurePercentage }: OutlierOptions): boolean {
  return successRate !== null || failurePercentage !== null
}

// The numbers wrap; a worker whose clock is a turn behind must not go back. 0: there was none.
function isAfter(current: number, counted: number): boolean {
  return ((current - counted) | 0) > 0 || counted === 0
}
