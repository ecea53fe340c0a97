import { expect, test } from 'vitest'
import { median, pairRatios, quantile, spreadOf } from './statistics.ts'

test('The median of an even count lies between the two middle values.', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(median([9, 1, 5])).toBe(5)
})

test('Nothing measured is not a number, so that it can never pass for a fast one.', () => {
  expect(median([])).toBeNaN()
  expect(pairRatios([1], [0])).toEqual([Number.NaN])
})

test('Numbers are sorted as numbers and the input is left alone.', () => {
  const values = [100, 9, 20]
  expect(quantile(values, 1)).toBe(100)
  expect(values).toEqual([100, 9, 20])
})

test('Pairs are compared with their neighbour, so a slow second half of the run cancels out.', () => {
  expect(pairRatios([10, 20, 40], [10, 20, 40])).toEqual([1, 1, 1])
  expect(pairRatios([12, 24], [10, 20, 30])).toEqual([1.2, 1.2])
})

test('A spread names its lowest and its highest value.', () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, low: 1, high: 3 })
})
