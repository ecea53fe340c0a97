// The bound on what files hold: one for all workers, and kept when a worker dies.

import { expect, test } from 'vitest'
import { SPOOL_BLOCK, SpoolBudget, spoolBudgetBytes, spooledBytes } from './spool-budget.ts'

test('workers share one bound, and what is given back can be taken by another', () => {
  const memory = new SharedArrayBuffer(spoolBudgetBytes(2))
  const first = new SpoolBudget(memory, 0, 3 * SPOOL_BLOCK)
  const second = new SpoolBudget(memory, 1, 3 * SPOOL_BLOCK)
  expect([first.take(), second.take(), first.take(), second.take()]).toEqual([
    true,
    true,
    true,
    false,
  ])
  expect(spooledBytes(memory)).toBe(3 * SPOOL_BLOCK)
  first.giveBack(2)
  expect(second.take()).toBe(true)
  expect(spooledBytes(memory)).toBe(2 * SPOOL_BLOCK)
})

test('what a dead worker held is free once another one takes its place', () => {
  const memory = new SharedArrayBuffer(spoolBudgetBytes(2))
  const other = new SpoolBudget(memory, 1, 2 * SPOOL_BLOCK)
  other.take()
  new SpoolBudget(memory, 0, 2 * SPOOL_BLOCK).take()
  expect(other.take()).toBe(false)
  const successor = new SpoolBudget(memory, 0, 2 * SPOOL_BLOCK)
  expect(spooledBytes(memory)).toBe(SPOOL_BLOCK)
  expect(successor.take()).toBe(true)
})

test('a bound below one block lets no file grow', () => {
  const budget = new SpoolBudget(new SharedArrayBuffer(spoolBudgetBytes(1)), 0, SPOOL_BLOCK - 1)
  expect(budget.take()).toBe(false)
})
