// A fifth of the traffic may be retries, measured over the last ten seconds.
import { expect, it } from 'vitest'
import { RetryBudget } from './retry-budget.ts'

function granted(budget: RetryBudget, now: number, wanted: number): number {
  let count = 0
  for (let i = 0; i < wanted; i++) if (budget.take(now)) count++
  return count
}

it('grants the share of the requests, and no more', () => {
  const budget = new RetryBudget(20, 0)
  for (let i = 0; i < 100; i++) budget.count(i * 10)
  expect(granted(budget, 1000, 100)).toBe(20)
})

it('grants the least even without traffic', () => {
  expect(granted(new RetryBudget(20, 2), 5000, 100)).toBe(20)
})

it('forgets what is older than ten seconds, requests and retries alike', () => {
  const budget = new RetryBudget(50, 0)
  for (let i = 0; i < 10; i++) budget.count(0)
  expect(granted(budget, 9999, 100)).toBe(5)
  expect(granted(budget, 10_000, 100)).toBe(0)
  for (let i = 0; i < 10; i++) budget.count(19_000)
  expect(granted(budget, 19_500, 100)).toBe(5)
})

it('survives a clock that stands still for hours', () => {
  const budget = new RetryBudget(50, 1)
  budget.count(0)
  expect(granted(budget, 36_000_000, 100)).toBe(10)
})
