// bench/check.ts: make bench-check, for CI: short phases, ratios of the same run held against bench/budgets.json.
//
// Machines are noisy, so a budget is missed only when three attempts miss it. All scenarios run once first; what
// missed runs again while there is time. Without nginx the yardstick is our own floor, with budgets of its own.

import { readArguments } from './arguments.ts'
import type { Budget, Verdict } from './budgets.ts'
import { applies, judge, readBudgets } from './budgets.ts'
import { stopAllChildren } from './children.ts'
import { shown, table } from './report.ts'
import type { Bench } from './scenarios/contract.ts'
import { findScenarios } from './scenarios/scenarios.ts'

const DEFAULTS = { pairs: 3, seconds: 2, warmSeconds: 2, reloads: 40 }
const ATTEMPTS_MAX = 3
const TIME_MAX_MS = 480_000 // no new attempt begins after this: on a slow machine the first of all takes half of it
const SCENARIOS = [
  'small',
  'coalesce',
  'routes',
  'response-64k',
  'post-64k',
  'connect',
  'middlewares',
  'cache-hit',
  'autocannon',
  'reload',
  'reloads',
  'start',
]

interface Held {
  readonly budget: Budget
  readonly verdicts: Verdict[] // one per attempt
}

async function main(): Promise<number> {
  const { bench, only } = readArguments(process.argv.slice(2), DEFAULTS)
  const names = only.length > 0 ? only : SCENARIOS
  // Caddy costs time and its bar is the easiest; make bench holds it.
  const rivals = bench.rivals.includes('nginx') ? ['nginx'] : ['floor']
  const checked: Bench = { ...bench, rivals }
  if (rivals[0] === 'floor') bench.log('nginx is not installed: held against our own floor instead')
  const held = readBudgets()
    .filter((budget) => names.includes(budget.scenario) && applies(budget, rivals))
    .map((budget): Held => ({ budget, verdicts: [] }))
  const startedAt = performance.now()
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    await attemptAll(checked, names, held, startedAt, attempt)
  }
  return report(held)
}

async function attemptAll(
  bench: Bench,
  names: readonly string[],
  held: readonly Held[],
  startedAt: number,
  attempt: number,
): Promise<void> {
  for (const scenario of findScenarios(names)) {
    const open = held.filter((one) => one.budget.scenario === scenario.name && !isKept(one))
    if (open.length === 0) continue
    if (attempt > 1 && performance.now() - startedAt > TIME_MAX_MS) continue
    bench.log(`${scenario.name}: ${scenario.summary} (attempt ${attempt})`)
    const outcome = await scenario.run({ ...bench, subjects: subjectsOf(open) })
    for (const one of open) {
      one.verdicts.push(judge(one.budget, outcome, one.budget.max ?? Number.NaN))
    }
  }
}

// What no open budget speaks of need not run.
function subjectsOf(open: readonly Held[]): string[] {
  const names = open.flatMap(({ budget }) => [budget.subject, budget.against])
  return names.filter((name): name is string => name !== null)
}

function isKept(held: Held): boolean {
  return held.verdicts.some((verdict) => verdict.isKept)
}

function report(held: readonly Held[]): number {
  const rows = held.map((one) => {
    const { budget, verdicts } = one
    const values = verdicts.map((verdict) =>
      Number.isNaN(verdict.value) ? '-' : shown(verdict.value),
    )
    const what = budget.against === null ? budget.metric : `${budget.metric} / ${budget.against}`
    const bar = budget.bar === null ? '-' : shown(budget.bar)
    const state = isKept(one) ? 'held' : `MISSED: ${verdicts.at(-1)?.reason ?? 'never measured'}`
    return [
      budget.scenario,
      budget.subject,
      what,
      bar,
      shown(budget.max ?? Number.NaN),
      values.join(' '),
      state,
    ]
  })
  const header = ['scenario', 'subject', 'what', 'bar', 'budget', 'attempts', '']
  process.stdout.write(`\n${table(header, rows)}\n`)
  const failed = held.filter((one) => !isKept(one)).length
  process.stdout.write(`${held.length - failed} passed, ${failed} failed\n`)
  return failed === 0 && held.length > 0 ? 0 : 1
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`bench-check: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
} finally {
  await stopAllChildren()
}
