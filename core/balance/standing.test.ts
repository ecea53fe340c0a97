import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { SLOT_TABLE_BYTES, SlotTable } from '../shared/slot-table.ts'
import {
  EJECTED_5XX,
  EJECTED_GATEWAY,
  FELL,
  NOTHING,
  NOT_SENT,
  type OutlierOptions,
  type PassiveOptions,
  Standing,
} from './standing.ts'

const passive: PassiveOptions = { windowMs: 1000, maxFailed: 1, untilChecked: false }
const outlier: OutlierOptions = {
  consecutive5xx: 3,
  consecutiveGatewayErrors: 2,
  baseMs: 1000,
  maxMs: 2500,
  intervalMs: 10_000,
  maxPercent: 50,
  successRate: null,
  failurePercentage: null,
}

// Several workers of one process: each has views of its own of the same memory.
function process() {
  const memory = new SharedArrayBuffer(SLOT_TABLE_BYTES)
  const clock = { now: 1, preciseNow: () => clock.now }
  const worker = (over: { passive?: PassiveOptions; outlier?: OutlierOptions }, names = ['s']) =>
    names.map((name) => {
      const options = { passive: over.passive ?? null, outlier: over.outlier ?? null }
      return Standing.open(name, options, new SlotTable(memory), clock)!
    })
  return { clock, worker }
}

describe('passive health', () => {
  it('takes a server out in all workers at once, for the window', () => {
    const { clock, worker } = process()
    const [one] = worker({ passive })
    const [two] = worker({ passive })
    expect(one!.answered(499, [])).toBe(NOTHING)
    expect(one!.answered(500, [])).toBe(FELL)
    expect([one!.isGood, two!.isGood]).toEqual([false, false])
    expect(two!.answered(NOT_SENT, [])).toBe(NOTHING) // known already
    clock.now += 1000
    expect([one!.isGood, two!.isGood]).toEqual([true, true])
  })

  it('counts failures of all workers within the window, and forgets them at a good answer', () => {
    const settings = { ...passive, maxFailed: 3 }
    const script = fc.array(
      fc.record({ ms: fc.nat(600), worker: fc.nat(1), failed: fc.boolean() }),
      { maxLength: 60 },
    )
    fc.assert(
      fc.property(script, (steps) => {
        const { clock, worker } = process()
        const workers = [worker({ passive: settings })[0]!, worker({ passive: settings })[0]!]
        let failures: number[] = []
        let until = 0
        for (const { ms, worker: index, failed } of steps) {
          clock.now += ms
          workers[index]!.answered(failed ? 502 : 200, [])
          if (!failed) failures = []
          else {
            failures = [...failures.filter((at) => at >= clock.now - 1000), clock.now]
            if (failures.length >= 3) until = clock.now + 1000
          }
          for (const one of workers) expect(one.isGood).toBe(until <= clock.now)
        }
      }),
    )
  })

  it('waits for a check where there is one', () => {
    const { clock, worker } = process()
    const [one] = worker({ passive: { ...passive, untilChecked: true } })
    one!.answered(503, [])
    clock.now += 1e9
    expect(one!.isGood).toBe(false)
    one!.clear()
    expect(one!.isGood).toBe(true)
    expect(one!.until).toBe(clock.now)
  })
})

describe('ejection of outliers', () => {
  const names = ['a', 'b', 'c', 'd']

  it('comes after so many errors in a row, whoever saw them, and one good answer begins anew', () => {
    const { worker } = process()
    const one = worker({ outlier }, names)
    const two = worker({ outlier }, names)
    expect(one[0]!.answered(500, one)).toBe(NOTHING)
    expect(two[0]!.answered(501, two)).toBe(NOTHING)
    expect(one[0]!.answered(200, one)).toBe(NOTHING)
    expect(one[0]!.answered(500, one)).toBe(NOTHING)
    expect(two[0]!.answered(500, two)).toBe(NOTHING)
    expect(one[0]!.answered(500, one)).toBe(EJECTED_5XX)
    expect(two[0]!.isGood).toBe(false)
  })

  it('looks at gateway errors by themselves', () => {
    const { worker } = process()
    const all = worker({ outlier }, names)
    all[0]!.answered(503, all)
    all[0]!.answered(500, all) // an error, but not of a gateway
    expect(all[1]!.answered(NOT_SENT, all)).toBe(NOTHING)
    expect(all[1]!.answered(504, all)).toBe(EJECTED_GATEWAY)
  })

  it('lasts longer each time, up to its bound, and less again after quiet intervals', () => {
    const { clock, worker } = process()
    const all = worker({ outlier }, names)
    const eject = () => {
      for (let i = 0; i < 2; i++) all[0]!.answered(502, all)
      const lasts = all[0]!.until - clock.now
      clock.now = all[0]!.until
      return lasts
    }
    expect([eject(), eject(), eject()]).toEqual([1000, 2000, 2500])
    clock.now += 20_000
    expect(eject()).toBe(2000)
    clock.now += 100_000
    expect(eject()).toBe(1000)
  })

  it('never takes out more than the share, but one at least, and none at 0', () => {
    const fail = (count: number, maxPercent: number) => {
      const { worker } = process()
      const all = worker({ outlier: { ...outlier, maxPercent } }, names.slice(0, count))
      for (const one of all) for (let i = 0; i < 2; i++) one.answered(502, all)
      return all.filter((one) => !one.isGood).length
    }
    expect([fail(4, 50), fail(4, 10), fail(1, 10), fail(4, 0), fail(4, 100)]).toEqual([
      2, 1, 1, 0, 4,
    ])
  })
})

it('a table that is full notes nothing, and says so', () => {
  const table = new SlotTable(new SharedArrayBuffer(SLOT_TABLE_BYTES))
  for (let i = 0; i < 20_000; i++) table.claim(`name ${i}`)
  const opened = Array.from({ length: 200 }, (_, i) =>
    Standing.open(`s${i}`, { passive, outlier }, table, { preciseNow: () => 0 }),
  )
  expect(opened).toContain(null)
})
