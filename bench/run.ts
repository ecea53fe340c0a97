// bench/run.ts: make bench. Runs the scenarios one after the other and keeps the results.
//
//   node bench/run.ts [--only small,routes] [--peers nginx,haproxy,caddy] [--pairs 5] [--seconds 6] [--warm 3]
//                     [--reloads 1000] [--generator wrk|own]
//
// Results: bench/results/<date>-<commit>.json and .md, and latest.md when all scenarios ran.

import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { readArguments } from './arguments.ts'
import { readBudgets } from './budgets.ts'
import { stopAllChildren } from './children.ts'
import { resultsFolder } from './folders.ts'
import { describeMachine } from './machine.ts'
import type { Run } from './report.ts'
import { barTable, markdownOf } from './report.ts'
import type { Outcome } from './scenarios/contract.ts'
import { findScenarios, scenarios } from './scenarios/scenarios.ts'

const DEFAULTS = { pairs: 5, seconds: 6, warmSeconds: 3, reloads: 1000 }

async function main(): Promise<void> {
  const { bench, only } = readArguments(process.argv.slice(2), DEFAULTS)
  const machine = describeMachine(bench.cores)
  const outcomes: Outcome[] = []
  for (const scenario of only.length > 0 ? findScenarios(only) : scenarios) {
    bench.log(`${scenario.name}: ${scenario.summary}`)
    outcomes.push(await scenario.run(bench))
  }
  keep({ machine, outcomes }, only)
  bench.log(`\n${barTable(outcomes, readBudgets())}`)
}

// A partial run has the scenarios in its name, so that it never replaces a complete one.
function keep(run: Run, only: readonly string[]): void {
  mkdirSync(resultsFolder, { recursive: true })
  const name = path.join(
    resultsFolder,
    `${run.machine.date.slice(0, 10)}-${run.machine.commit}${only.map((one) => `-${one}`).join('')}`,
  )
  const text = markdownOf(run, readBudgets())
  writeFileSync(`${name}.json`, `${JSON.stringify(run, null, 2)}\n`)
  writeFileSync(`${name}.md`, text)
  if (only.length === 0) writeFileSync(path.join(resultsFolder, 'latest.md'), text)
  process.stdout.write(`results: ${path.relative(process.cwd(), name)}.md\n`)
}

try {
  await main()
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
} finally {
  await stopAllChildren()
}
