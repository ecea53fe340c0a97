import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { type Counted, canBeOutlier, limitOf, outliersOf } from './success-rate.ts'

// Servers with 100 answers each, of which so many are good.
const withRates = (...rates: number[]): Counted[] =>
  rates.map((rate, index) => ({ index, well: rate, failed: 100 - rate }))

const successRate = { minServers: 5, minRequests: 100, stdevFactor: 1.9 }
const failurePercentage = { threshold: 85, minServers: 5, minRequests: 50 }

describe('success rate', () => {
  const indexes = (counted: readonly Counted[], over: Partial<typeof successRate> = {}) =>
    outliersOf(counted, {
      successRate: { ...successRate, ...over },
      failurePercentage: null,
    }).map(({ index }) => index)

  it('has its limit so many deviations below the mean', () => {
    // Mean 94; squares 4 * 36 + 576 = 720, by 5 servers 144: deviation 12.
    expect(limitOf([100, 100, 100, 100, 70], 1.9)).toBeCloseTo(94 - 1.9 * 12, 9)
    // Mean 70; squares 400 + 100 + 0 + 100 + 400 = 1000, by 5 servers 200.
    expect(limitOf([90, 80, 70, 60, 50], 1)).toBeCloseTo(70 - 14.142_135_6, 6)
    expect(limitOf([100], 1.9)).toBe(100)
  })

  it('finds the server that is below the limit, with both numbers', () => {
    const found = outliersOf(withRates(100, 100, 70, 100, 100), {
      successRate,
      failurePercentage: null,
    })
    expect(found).toHaveLength(1)
    expect(found[0]).toMatchObject({ index: 2, reason: 'success_rate', percent: 70 })
    expect(found[0]!.limit).toBeCloseTo(71.2, 9)
    expect(indexes(withRates(100, 100, 70, 100, 100), { stdevFactor: 2 })).toEqual([]) // 70 is not below 70
    expect(indexes(withRates(90, 80, 70, 60, 50))).toEqual([]) // 43.1
  })

  it('names the worst first', () => {
    // Mean 86, deviation 28.4: below 100 - 14 - 28.4 = 57.6 are both.
    const rates = withRates(100, 100, 50, 100, 100, 100, 100, 10, 100, 100)
    expect(indexes(rates, { stdevFactor: 1 })).toEqual([7, 2])
  })

  it('looks at servers with enough requests only, and not when they are too few', () => {
    const four = withRates(100, 100, 70, 100)
    const fifth = { index: 4, well: 99, failed: 0 }
    expect(indexes([...four, fifth])).toEqual([])
    expect(indexes([...four, fifth], { minRequests: 99 })).toEqual([2])
    expect(indexes([...four, { ...fifth, well: 100 }])).toEqual([2])
    expect(indexes([])).toEqual([])
  })

  it('finds nobody where all are equal, whatever rounding makes of their mean', () => {
    const one = fc.record({ servers: fc.integer({ min: 5, max: 50 }), well: fc.nat(997) })
    fc.assert(
      fc.property(one, ({ servers, well }) => {
        const all = Array.from({ length: servers }, (_, index) => ({
          index,
          well,
          failed: 997 - well,
        }))
        expect(indexes(all, { stdevFactor: 0.1 })).toEqual([])
      }),
    )
  })

  it('can find one of so many servers only when the factor is below the root of the others', () => {
    expect(canBeOutlier(5, successRate)).toBe(true) // 2 deviations
    expect(canBeOutlier(4, { ...successRate, minServers: 2 })).toBe(false) // 1.73
    expect(canBeOutlier(4, { ...successRate, minServers: 2, stdevFactor: 1.7 })).toBe(true)
    expect(canBeOutlier(9, { ...successRate, minServers: 10 })).toBe(false)
    const rates = fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 2, maxLength: 12 })
    fc.assert(
      fc.property(rates, fc.integer({ min: 10, max: 400 }), (all, hundredths) => {
        const options = { minServers: 2, minRequests: 1, stdevFactor: hundredths / 100 }
        const found = outliersOf(withRates(...all), {
          successRate: options,
          failurePercentage: null,
        })
        if (found.length > 0) expect(canBeOutlier(all.length, options)).toBe(true)
      }),
    )
  })
})

describe('failure percentage', () => {
  const indexes = (counted: readonly Counted[], over: Partial<typeof failurePercentage> = {}) =>
    outliersOf(counted, {
      successRate: null,
      failurePercentage: { ...failurePercentage, ...over },
    }).map(({ index }) => index)

  it('finds all servers at the threshold and above it, the worst first', () => {
    expect(indexes(withRates(16, 15, 100, 0, 90))).toEqual([3, 1])
    expect(indexes(withRates(0, 0, 0, 0, 0))).toEqual([0, 1, 2, 3, 4]) // no mean hides them
  })

  it('looks at servers with enough requests only, and not when they are too few', () => {
    const four = withRates(100, 0, 100, 100)
    expect(indexes([...four, { index: 4, well: 49, failed: 0 }])).toEqual([])
    expect(indexes([...four, { index: 4, well: 50, failed: 0 }])).toEqual([1])
    expect(indexes(four, { minServers: 4 })).toEqual([1])
  })
})

it('one that both rules find is named by the success rate first', () => {
  const found = outliersOf(withRates(100, 100, 100, 100, 0), { successRate, failurePercentage })
  expect(found.map(({ index, reason, percent }) => [index, reason, percent])).toEqual([
    [4, 'success_rate', 0],
    [4, 'failure_percentage', 100],
  ])
  expect(outliersOf(withRates(0), { successRate: null, failurePercentage: null })).toEqual([])
})
