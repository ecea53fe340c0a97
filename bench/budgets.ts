// bench/budgets.ts: reads bench/budgets.json and says of an outcome which budgets it keeps. Pure but for the read.

import { readFileSync } from 'node:fs'
import path from 'node:path'
import { benchFolder } from './folders.ts'
import type { Sample, SampleMetric } from './measure.ts'
import { ratioOf } from './ratio.ts'
import type { Outcome } from './scenarios/contract.ts'

export interface Budget {
  readonly scenario: string
  readonly subject: string
  readonly against: string | null // null: a fact, not a comparison
  readonly metric: string
  readonly bar: number | null // what the project promises on a quiet machine
  readonly max: number | null // what CI holds
}

export interface Verdict {
  readonly budget: Budget
  readonly value: number // NaN: not measured
  readonly isKept: boolean
  readonly reason: string | null // why not, in a few words
}

export function readBudgets(): Budget[] {
  const text = readFileSync(path.join(benchFolder, 'budgets.json'), 'utf8')
  return (JSON.parse(text) as { budgets: Budget[] }).budgets
}

// A subject that did not run, or that answered with errors, has broken its budget: an error page is cheap.
export function judge(budget: Budget, outcome: Outcome, limit: number): Verdict {
  const value = valueOf(budget, outcome)
  const reason = complaintOf(budget, outcome, value, limit)
  return { budget, value, isKept: reason === null, reason }
}

export function valueOf(budget: Budget, outcome: Outcome): number {
  if (budget.against !== null) {
    return ratioOf(outcome, budget.subject, budget.against, budget.metric as SampleMetric)
  }
  const fact = outcome.facts.find(
    (one) => one.subject === budget.subject && one.metric === budget.metric,
  )
  return fact?.value ?? Number.NaN
}

function complaintOf(
  budget: Budget,
  outcome: Outcome,
  value: number,
  limit: number,
): string | null {
  for (const name of [budget.subject, budget.against]) {
    const subject = outcome.subjects.find((one) => one.subject === name)
    if (subject === undefined) continue
    if (subject.problem !== null) return `${name} did not run: ${subject.problem}`
    const failures = subject.samples.reduce((sum, sample: Sample) => sum + sample.failures, 0)
    if (failures > 0) return `${failures} requests of ${name} failed`
  }
  if (Number.isNaN(value)) return 'not measured'
  return value <= limit ? null : 'above the budget'
}

// Whether the rival that a budget compares with takes part in this run.
export function applies(budget: Budget, rivals: readonly string[]): boolean {
  if (budget.max === null) return false
  const isRival = budget.against !== null && !budget.against.startsWith('sluice')
  return !isRival || rivals.includes(budget.against ?? '')
}
