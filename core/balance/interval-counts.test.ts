import { describe, expect, it } from 'vitest'
import { SLOT_TABLE_BYTES, SlotTable } from '../shared/slot-table.ts'
import { IntervalCounts } from './interval-counts.ts'
import { NOT_SENT, type OutlierOptions, Standing } from './standing.ts'

const options: OutlierOptions = {
  consecutive5xx: 0,
  consecutiveGatewayErrors: 0,
  baseMs: 30_000,
  maxMs: 300_000,
  intervalMs: 10_000,
  maxPercent: 20,
  successRate: { minServers: 5, minRequests: 100, stdevFactor: 1.9 },
  failurePercentage: null,
}
const failurePercentage = { threshold: 85, minServers: 5, minRequests: 50 }
const five = ['a', 'b', 'c', 'd', 'e']

// Several workers of one process: each has views of its own of the same memory, and objects of its own.
function process(over: Partial<OutlierOptions> = {}) {
  const memory = new SharedArrayBuffer(SLOT_TABLE_BYTES)
  const clock = { now: 1_000_001, preciseNow: () => clock.now }
  const outlier = { ...options, ...over }
  const worker = (names = five) => {
    const table = new SlotTable(memory)
    const standings = names.map((name) =>
      Standing.open(name, { passive: null, outlier }, table, clock),
    )
    const counts = IntervalCounts.open('service', outlier, standings, table, clock)!
    return { standings, counts, names, table }
  }
  return { clock, worker, nextInterval: () => (clock.now += outlier.intervalMs) }
}

type Worker = ReturnType<ReturnType<typeof process>['worker']>

// So many answers of each server, those of `bad` failed; what was ejected meanwhile, by name.
function answers(worker: Worker, each: number, bad: Readonly<Record<string, number>>): string[] {
  const { counts, names } = worker
  const ejected: string[] = []
  for (let index = 0; index < names.length; index++) {
    const failed = bad[names[index]!] ?? 0
    for (let i = 0; i < each; i++) {
      const status = i >= failed ? 200 : i % 2 === 0 ? 500 : NOT_SENT
      for (const one of counts.note(index, status))
        ejected.push(`${names[one.index]} ${one.reason}`)
    }
  }
  return ejected
}

const downOf = ({ standings, names }: Worker): string[] =>
  names.filter((_, i) => !standings[i]!.isGood)

describe('the end of an interval', () => {
  it('ejects the server whose rate was bad, when the next answer comes', () => {
    const { clock, worker, nextInterval } = process()
    const one = worker()
    expect(answers(one, 100, { c: 30 })).toEqual([])
    expect(downOf(one)).toEqual([])
    nextInterval()
    expect(one.counts.note(0, 200)).toMatchObject([{ index: 2, percent: 70 }])
    expect(downOf(one)).toEqual(['c'])
    expect(one.standings[2]!.until).toBe(clock.now + 30_000)
    expect(one.counts.note(0, 200)).toEqual([])
  })

  it('is judged by one worker, over what all of them have counted', () => {
    const { worker, nextInterval } = process()
    const [one, two] = [worker(), worker()]
    expect([...answers(one, 50, { c: 30 }), ...answers(two, 50, {})]).toEqual([])
    nextInterval()
    expect(two.counts.note(4, 200)).toHaveLength(1)
    expect(one.counts.note(4, 200)).toEqual([])
    expect([downOf(one), downOf(two)]).toEqual([['c'], ['c']])
  })

  it('ends its counts: half of the answers that are needed, twice, are too few', () => {
    const { worker, nextInterval } = process()
    const one = worker()
    for (let i = 0; i < 4; i++) {
      expect(answers(one, 50, { c: 30 })).toEqual([])
      nextInterval()
    }
    expect(answers(one, 100, { c: 30 })).toEqual([])
    nextInterval()
    expect(answers(one, 1, {})).toEqual(['c success_rate'])
  })

  it('comes too late when an ejection would be over by now', () => {
    const { clock, worker } = process()
    const one = worker()
    answers(one, 100, { c: 30 })
    clock.now += 40_000 // it ended at 1,010,000
    expect(one.counts.note(0, 200)).toEqual([])
    answers(one, 100, { c: 30 })
    clock.now += 30_000 // the interval and two silent ones; a third would have been too late
    expect(one.counts.note(0, 200)).toHaveLength(1)
  })

  it('is not ended by a worker whose clock is behind', () => {
    const { clock, worker, nextInterval } = process()
    const one = worker()
    answers(one, 100, {})
    nextInterval()
    answers(one, 50, { c: 15 })
    clock.now -= 10_000
    answers(one, 1, {})
    clock.now += 10_000
    answers(one, 50, { c: 15 })
    nextInterval()
    expect(answers(one, 1, {})).toEqual(['c success_rate'])
  })
})

describe('who is compared', () => {
  it('is nobody when servers are too few', () => {
    const { worker, nextInterval } = process()
    const one = worker(five.slice(0, 4))
    answers(one, 200, { c: 60 })
    nextInterval()
    expect(answers(one, 1, {})).toEqual([])
  })

  it('is not a server that is out already', () => {
    const { worker, nextInterval } = process({ maxPercent: 50 })
    const one = worker([...five, 'f'])
    answers(one, 100, { c: 100 })
    nextInterval()
    // Among six d were hidden by c (mean 78, deviation 36); among the five that are left it is not.
    expect(answers(one, 100, { c: 100, d: 30 })).toEqual(['c success_rate'])
    nextInterval()
    expect(answers(one, 1, {})).toEqual(['d success_rate'])
  })

  it('is not a server with what was counted before it was away', () => {
    const { worker, nextInterval } = process()
    answers(worker(), 100, { c: 30 })
    nextInterval()
    answers(worker(['a', 'b', 'd', 'e']), 100, {}) // a reload has taken c away
    nextInterval()
    const back = worker()
    expect(answers(back, 100, {})).toEqual([])
    nextInterval()
    answers(back, 100, { d: 30 })
    nextInterval()
    expect(answers(back, 1, {})).toEqual(['d success_rate'])
    expect(downOf(back)).toEqual(['d'])
  })

  it('is not a server whose counts a worker left, that ended while it took them', () => {
    const { worker, nextInterval } = process()
    const one = worker()
    answers(one, 100, { c: 30 })
    nextInterval()
    // It has put its number in the place of the one before, and did no more.
    Atomics.add(one.table.integers, one.table.find('service') * 32, 1)
    expect(answers(one, 100, {})).toEqual([])
    nextInterval()
    expect(answers(one, 100, {})).toEqual([]) // 200 answers of two intervals, 30 of them bad
    nextInterval()
    expect(answers(one, 100, { c: 30 })).toEqual([])
    nextInterval()
    expect(answers(one, 1, {})).toEqual(['c success_rate'])
  })

  it('is not a server that a check has found well meanwhile', () => {
    const { worker, nextInterval } = process()
    const one = worker()
    answers(one, 100, { c: 30 })
    one.standings[2]!.eject(options, one.standings, 0)
    one.standings[2]!.clear()
    nextInterval()
    expect(answers(one, 1, {})).toEqual([])
  })

  it('is a server once that is in the list twice', () => {
    const { worker, nextInterval } = process()
    const one = worker(['a', 'b', 'c', 'd', 'd'])
    answers(one, 100, { c: 30 })
    nextInterval()
    expect(answers(one, 1, {})).toEqual([])
  })
})

describe('ejection by rates', () => {
  it('takes out no more than may be, the worst first', () => {
    const bad = { a: 85, b: 90, c: 100, d: 95 }
    const ejected = (maxPercent: number) => {
      const { worker, nextInterval } = process({ successRate: null, failurePercentage, maxPercent })
      const one = worker()
      answers(one, 100, bad)
      nextInterval()
      return answers(one, 1, {}).map((name) => name[0])
    }
    expect([ejected(0), ejected(10), ejected(40), ejected(100)]).toEqual([
      [],
      ['c'],
      ['c', 'd'],
      ['c', 'd', 'b', 'a'],
    ])
  })

  it('tells a server that both rules find once', () => {
    const { worker, nextInterval } = process({ failurePercentage, maxPercent: 100 })
    const one = worker()
    answers(one, 100, { c: 100 })
    nextInterval()
    expect(answers(one, 1, {})).toEqual(['c success_rate'])
  })

  it('lasts longer for a server that is bad again in its first whole interval', () => {
    const { clock, worker, nextInterval } = process()
    const one = worker()
    const lasts = (): number => {
      answers(one, 100, { c: 30 })
      nextInterval()
      expect(one.counts.note(0, 200)).toHaveLength(1)
      const ms = one.standings[2]!.until - clock.now
      clock.now = one.standings[2]!.until
      one.counts.note(0, 200) // the interval in which it is back has begun
      nextInterval()
      return ms
    }
    expect([lasts(), lasts(), lasts()]).toEqual([30_000, 60_000, 90_000])
    for (let i = 0; i < 10; i++) {
      answers(one, 100, {})
      nextInterval()
    }
    expect(lasts()).toBe(30_000)
  })
})

it('Nothing is opened where no rule asks for rates, or where the table is full', () => {
  const clock = { preciseNow: () => 1 }
  const table = new SlotTable(new SharedArrayBuffer(SLOT_TABLE_BYTES))
  const off = { ...options, successRate: null }
  expect(IntervalCounts.open('s', null, [], table, clock)).toBe(null)
  expect(IntervalCounts.open('s', off, [], table, clock)).toBe(null)
  expect(table.find('s')).toBe(-1)
  expect(IntervalCounts.open('s', options, [null], table, clock)!.note(0, 500)).toEqual([])
  for (let i = 0; i < 20_000; i++) table.claim(`name ${i}`)
  const opened = Array.from({ length: 200 }, (_, i) =>
    IntervalCounts.open(`s${i}`, options, [], table, clock),
  )
  expect(opened).toContain(null)
})
