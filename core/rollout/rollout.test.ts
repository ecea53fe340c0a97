import { expect, test } from 'vitest'
import { SLOT_TABLE_BYTES, SlotTable } from '../shared/slot-table.ts'
import { NEW, OLD, RolloutCounts, quantileMs, since } from './counts.ts'
import type { RolloutPlan } from './plan.ts'
import { PAUSED, PROGRESSING, PROMOTED, ROLLED_BACK, RolloutProgress } from './progress.ts'

const plan: RolloutPlan = {
  steps: [5, 50, 100],
  intervalMs: 1000,
  startsPaused: false,
  maxErrorRatio: 0.1,
  maxP99Ms: 400,
  minRequests: 10,
}

function counts(): RolloutCounts {
  const table = new SlotTable(new SharedArrayBuffer(SLOT_TABLE_BYTES))
  return new RolloutCounts(table, table.claim('a'))
}

function answer(of: RolloutCounts, times: number, status = 200, ms = 20): void {
  for (let i = 0; i < times; i++) of.count(NEW, status, ms)
}

test('counts of the two sides lie apart, and quantiles lie in their bucket', () => {
  const of = counts()
  of.share = 55
  for (let i = 0; i < 99; i++) of.count(NEW, 200, 8)
  of.count(NEW, 503, 700)
  of.count(OLD, 500, 1e9)
  const seen = of.read(NEW)
  expect([of.share, seen.requests, seen.errors]).toEqual([55, 100, 1])
  expect(quantileMs(seen, 0.5)).toBeGreaterThan(5)
  expect(quantileMs(seen, 0.99)).toBeLessThanOrEqual(10)
  expect(quantileMs(seen, 1)).toBe(1000)
  expect(quantileMs(of.read(OLD), 0.99)).toBe(30_000)
  expect(quantileMs(since(seen, seen), 0.99)).toBe(0)
})

test('steps follow each other while the guard is kept, each after its time and enough requests', () => {
  const of = counts()
  const progress = new RolloutProgress(plan, 0, of.read(NEW))
  expect([progress.share, progress.tick(5000, of.read(NEW))]).toEqual([5, false]) // nobody came
  answer(of, 10)
  expect(progress.tick(900, of.read(NEW))).toBe(false)
  expect([progress.tick(1000, of.read(NEW)), progress.share]).toEqual([true, 50])
  expect(progress.tick(2500, of.read(NEW))).toBe(false)
  answer(of, 10)
  expect([progress.tick(2500, of.read(NEW)), progress.share]).toEqual([true, 100])
  answer(of, 10)
  expect([progress.tick(4000, of.read(NEW)), progress.state]).toEqual([true, PROMOTED])
})

test.each([
  ['errors', 500, 20, '50.0 % of 20 answers were errors'],
  ['slowness', 200, 900, 'p99 was'],
])('%s roll it back at once', (_what, status, ms, reason) => {
  const of = counts()
  const progress = new RolloutProgress(plan, 0, of.read(NEW))
  answer(of, 10)
  answer(of, 10, status, ms)
  expect(progress.tick(1, of.read(NEW))).toBe(true)
  expect([progress.state, progress.share]).toEqual([ROLLED_BACK, 0])
  expect(progress.reason).toContain(reason)
  expect(progress.act('resume', 2, of.read(NEW))).toBe('it is rolledBack')
  expect(progress.act('restart', 2, of.read(NEW))).toBe('')
  expect([progress.state, progress.share, progress.tick(2, of.read(NEW))]).toEqual([
    PROGRESSING,
    5,
    false, // what was before the restart is not held against it
  ])
})

test('it may wait for somebody, be paused and promoted', () => {
  const of = counts()
  const progress = new RolloutProgress({ ...plan, startsPaused: true }, 0, of.read(NEW))
  expect([progress.state, progress.share]).toEqual([PAUSED, 0])
  expect(progress.act('resume', 1, of.read(NEW))).toBe('')
  expect(progress.share).toBe(5)
  expect(progress.act('pause', 2, of.read(NEW))).toBe('')
  answer(of, 100, 500)
  expect([progress.tick(1e6, of.read(NEW)), progress.share]).toEqual([false, 5])
  expect(progress.act('promote', 3, of.read(NEW))).toBe('')
  expect(progress.share).toBe(100)
})
