// The breaker by itself: what opens it, how it recovers, and that all who share its memory agree.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SLOT_TABLE_BYTES, SlotTable } from '../shared/slot-table.ts'
import { Breaker, CLOSED, OPEN, RECOVERING } from './breaker.ts'
import { compileCondition } from './breaker-expression.ts'
import { BreakerWindow, emptySums, latencyAt } from './breaker-window.ts'
import { claimCells } from './cells.ts'

const times = { checkPeriodMs: 100, fallbackMs: 10_000, recoveryMs: 10_000 }

function tableOf(): SlotTable {
  return new SlotTable(new SharedArrayBuffer(SLOT_TABLE_BYTES))
}

function breakerOf(expression: string, table = tableOf(), changes: number[] = []): Breaker {
  const claim = (part: string) => claimCells(table, `b\n${part}`)
  return new Breaker(claim, compileCondition(expression), times, (to) => changes.push(to))
}

describe('a breaker', () => {
  it('opens at the next check after its expression holds, and says so once', () => {
    const changes: number[] = []
    const breaker = breakerOf(
      'NetworkErrorRatio() > 0.5 && RequestThreshold() >= 4',
      tableOf(),
      changes,
    )
    for (let i = 0; i < 3; i++) breaker.record(1000 + i * 100, 502, true, 5)
    expect(breaker.state).toBe(CLOSED)
    breaker.record(1400, 502, true, 5)
    breaker.record(1500, 502, true, 5)
    expect(breaker.state).toBe(OPEN)
    expect(breaker.admits(1500)).toBe(false)
    expect(breaker.waitMs(2500)).toBe(8900)
    expect(changes).toEqual([OPEN])
  })

  it('is one for all workers', () => {
    const table = tableOf()
    const workers = Array.from({ length: 4 }, () => breakerOf('RequestThreshold() >= 8', table))
    for (let i = 0; i < 8; i++) workers[i % 4]!.record(1000 + i * 100, 200, false, 1)
    expect(workers.map((worker) => worker.state)).toEqual([OPEN, OPEN, OPEN, OPEN])
    expect(workers.map((worker) => worker.admits(12_000))).toEqual([false, false, false, false])
    expect(workers.map((worker) => worker.state)).toEqual(
      Array.from({ length: 4 }, () => RECOVERING),
    )
  })

  it('lets a share pass while it recovers that grows evenly from none to all', () => {
    const breaker = breakerOf('NetworkErrorRatio() > 0.5')
    breaker.record(1000, 502, true, 1)
    const shares: number[] = []
    for (let tenth = 0; tenth < 10; tenth++) {
      let passed = 0
      for (let i = 0; i < 1000; i++) if (breaker.admits(11_000 + tenth * 1000 + i)) passed++
      shares.push(passed / 1000)
    }
    shares.forEach((share, tenth) =>
      expect(Math.abs(share - (tenth + 0.5) / 10)).toBeLessThan(0.02),
    )
    expect(breaker.admits(21_000)).toBe(true)
    expect(breaker.state).toBe(CLOSED)
  })

  it('opens again when the expression holds while it recovers', () => {
    const breaker = breakerOf('NetworkErrorRatio() > 0.5')
    breaker.record(1000, 502, true, 1)
    breaker.admits(11_000)
    expect(breaker.state).toBe(RECOVERING)
    breaker.record(12_000, 504, true, 1)
    expect([breaker.state, breaker.waitMs(12_000)]).toEqual([OPEN, 10_000])
  })

  it('forgets at each change what it had counted, and while open what comes late', () => {
    const breaker = breakerOf('NetworkErrorRatio() > 0.5')
    breaker.record(1000, 502, true, 1)
    for (let i = 0; i < 50; i++) breaker.record(1000 + i, 502, true, 1)
    breaker.admits(11_000)
    breaker.record(11_200, 200, false, 1)
    expect(breaker.state).toBe(RECOVERING)
  })

  it('keeps its state in a reload, and its counts only for the same expression', () => {
    const table = tableOf()
    const expression = 'RequestThreshold() >= 3'
    const first = breakerOf(expression, table)
    first.record(1000, 200, false, 1)
    first.record(1100, 200, false, 1)
    const other = breakerOf('RequestThreshold() >= 2', table)
    other.record(1200, 200, false, 1)
    expect(other.state).toBe(CLOSED)
    const again = breakerOf('RequestThreshold() >= 2', table)
    again.record(1300, 200, false, 1)
    expect(breakerOf('RequestThreshold() >= 2', table).state).toBe(OPEN)
  })
})

describe('what it counts', () => {
  it('divides statuses as the expression says', () => {
    const breaker = breakerOf('ResponseCodeRatio(500, 600, 200, 300) >= 0.5')
    for (const status of [200, 200, 404, 404]) breaker.record(1000, status, false, 1)
    breaker.record(1100, 599, false, 1)
    expect(breaker.state).toBe(OPEN)
    const never = breakerOf('ResponseCodeRatio(500, 600, 200, 300) >= 0.5')
    never.record(1000, 500, false, 1)
    expect(never.state).toBe(CLOSED) // nothing to divide by
  })

  it('lets go of what is older than ten seconds', () => {
    const table = tableOf()
    const window = new BreakerWindow((part) => claimCells(table, part), [], false)
    const sums = emptySums()
    for (let second = 0; second < 100; second++) {
      window.record(second * 1000, 200, false, 1)
      window.sum(second * 1000, sums)
      expect(sums.requests).toBeGreaterThanOrEqual(Math.min(second + 1, 9))
      expect(sums.requests).toBeLessThanOrEqual(10)
    }
    window.sum(1_000_000, sums)
    expect(sums.requests).toBe(0)
  })

  it('knows quantiles to within a fifth', () => {
    const latencies = fc.array(fc.integer({ min: 1, max: 30_000 }), {
      minLength: 1,
      maxLength: 300,
    })
    fc.assert(
      fc.property(latencies, fc.integer({ min: 1, max: 100 }), (all, quantile) => {
        const table = tableOf()
        const window = new BreakerWindow((part) => claimCells(table, part), [], true)
        for (const ms of all) window.record(5000, 200, false, ms)
        const sums = emptySums()
        window.sum(5000, sums)
        const sorted = all.toSorted((a, b) => a - b)
        const exact = sorted[Math.ceil((quantile / 100) * sorted.length) - 1]!
        const found = latencyAt(sums, quantile)
        expect(found).toBeGreaterThan(exact * 0.8)
        expect(found).toBeLessThan(exact * 1.2 + 1)
      }),
      { numRuns: 50 },
    )
  })
})

describe('an expression that can not be', () => {
  it.each([
    ['ResponseCodeRatio(600, 500, 0, 600) > 0.5', /from must be smaller/],
    ['LatencyAtQuantileMS(101.0) > 5', /quantile is more than 0/],
    ['NetworkErrorRatio()', /a condition is wanted/],
    ['ErrorRatio() > 1', /there is no function ErrorRatio/],
  ])('%s is refused', (source, message) => {
    expect(() => compileCondition(source)).toThrow(message)
  })
})
