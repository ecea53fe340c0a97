import { expect, test } from 'vitest'
import type { Budget } from './budgets.ts'
import { applies, judge, readBudgets } from './budgets.ts'
import type { Sample } from './measure.ts'
import type { Outcome } from './scenarios/contract.ts'
import { scenarios } from './scenarios/scenarios.ts'

const budget: Budget = {
  scenario: 'small',
  subject: 'sluice',
  against: 'nginx',
  metric: 'cpuUs',
  bar: 1.25,
  max: 1.5,
}

function sampleWith(cpuUs: number, failures = 0): Sample {
  const zero = { userUs: 0, systemUs: 0, requestsPerSecond: 1, p50Us: 1, p99Us: 1, rssKib: 1 }
  return { ...zero, cpuUs, failures, busyShare: 1, requests: 100 }
}

function outcomeWith(sluice: readonly Sample[], nginx: readonly Sample[]): Outcome {
  return {
    scenario: 'small',
    summary: '',
    load: '',
    subjects: [
      { subject: 'sluice', samples: sluice, problem: null },
      { subject: 'nginx', samples: nginx, problem: nginx.length === 0 ? 'gone' : null },
    ],
    facts: [{ subject: 'sluice', metric: 'failedRequests', value: 3, unit: 'requests' }],
  }
}

test('A budget is kept when the median of the pairs is within it, whatever one pair says.', () => {
  const sluice = [sampleWith(14), sampleWith(14), sampleWith(90)]
  const nginx = [sampleWith(10), sampleWith(10), sampleWith(10)]
  const verdict = judge(budget, outcomeWith(sluice, nginx), 1.5)
  expect(verdict).toMatchObject({ value: 1.4, isKept: true, reason: null })
})

test('A budget is missed when the median is above it.', () => {
  const verdict = judge(budget, outcomeWith([sampleWith(16)], [sampleWith(10)]), 1.5)
  expect(verdict).toMatchObject({ value: 1.6, isKept: false, reason: 'above the budget' })
})

test('Failed requests miss a budget, however cheap they were.', () => {
  const verdict = judge(budget, outcomeWith([sampleWith(1, 2)], [sampleWith(10)]), 1.5)
  expect(verdict).toMatchObject({ isKept: false, reason: '2 requests of sluice failed' })
})

test('A rival that did not run misses the budget and is named.', () => {
  const verdict = judge(budget, outcomeWith([sampleWith(1)], []), 1.5)
  expect(verdict).toMatchObject({ isKept: false, reason: 'nginx did not run: gone' })
})

test('A fact is held against its limit, and a fact that is absent is missed.', () => {
  const fact: Budget = { ...budget, against: null, metric: 'failedRequests', bar: 0, max: 0 }
  const outcome = outcomeWith([sampleWith(1)], [sampleWith(1)])
  expect(judge(fact, outcome, 0).isKept).toBe(false)
  expect(judge(fact, outcome, 3).isKept).toBe(true)
  expect(judge({ ...fact, metric: 'resets' }, outcome, 9).reason).toBe('not measured')
})

test('A budget applies when its rival takes part and CI holds it.', () => {
  expect(applies(budget, ['nginx'])).toBe(true)
  expect(applies(budget, ['floor'])).toBe(false)
  expect(applies({ ...budget, max: null }, ['nginx'])).toBe(false)
  expect(applies({ ...budget, against: 'sluice-10' }, [])).toBe(true)
})

test('Every budget belongs to a scenario, and what CI holds is never stricter than the bar.', () => {
  const names = scenarios.map((scenario) => scenario.name)
  for (const one of readBudgets()) {
    expect(names).toContain(one.scenario)
    if (one.bar !== null && one.max !== null) expect(one.max).toBeGreaterThanOrEqual(one.bar)
  }
})
