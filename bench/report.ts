// bench/report.ts: turns outcomes into the Markdown table and the JSON that are kept. Pure.

import type { Budget } from './budgets.ts'
import { judge } from './budgets.ts'
import { metricOf } from './ratio.ts'
import type { SampleMetric } from './measure.ts'
import type { Outcome, SubjectResult } from './scenarios/contract.ts'
import { spreadOf } from './statistics.ts'

export interface Machine {
  readonly date: string
  readonly commit: string
  readonly processor: string
  readonly cores: number
  readonly system: string
  readonly node: string
  readonly peers: Readonly<Record<string, string>> // name -> version
  readonly pinning: string
}

export interface Run {
  readonly machine: Machine
  readonly outcomes: readonly Outcome[]
}

export function markdownOf(run: Run, budgets: readonly Budget[]): string {
  return [
    `# Bench of ${run.machine.date.slice(0, 10)}, commit ${run.machine.commit}`,
    machineText(run.machine),
    '## The bars',
    barTable(run.outcomes, budgets),
    ...run.outcomes.map(outcomeText),
    '',
  ].join('\n\n')
}

function machineText(machine: Machine): string {
  const versions = Object.entries(machine.peers).map(([name, version]) => `${name} ${version}`)
  return [
    `${machine.processor}, ${machine.cores} cores, ${machine.system}, Node ${machine.node}.`,
    `${machine.pinning} Peers: ${versions.join(', ') || 'none'}.`,
    'CPU is user and system time of all processes and threads of the subject, per request. Values are medians;',
    'ratios are medians of the ratios pair by pair. "busy" well below 100 % means that the load was the limit.',
  ].join('\n')
}

// Only the bars whose scenario ran; a rival that isn't installed leaves its line out.
export function barTable(outcomes: readonly Outcome[], budgets: readonly Budget[]): string {
  const rows: string[][] = []
  for (const budget of budgets) {
    const outcome = outcomes.find((one) => one.scenario === budget.scenario)
    if (outcome === undefined || budget.bar === null || !takesPart(budget, outcome)) continue
    const verdict = judge(budget, outcome, budget.bar)
    const what = budget.against === null ? budget.metric : `${budget.metric} / ${budget.against}`
    const found = Number.isNaN(verdict.value) ? '-' : shown(verdict.value)
    const isReached = verdict.isKept ? 'reached' : `**missed**: ${verdict.reason}`
    rows.push([budget.scenario, budget.subject, what, shown(budget.bar), found, isReached])
  }
  return table(['scenario', 'subject', 'what', 'bar', 'measured', ''], rows)
}

function takesPart(budget: Budget, outcome: Outcome): boolean {
  const { against } = budget
  return against === null || outcome.subjects.some((subject) => subject.subject === against)
}

function outcomeText(outcome: Outcome): string {
  const parts = [`## ${outcome.scenario}: ${outcome.summary}`, outcome.load]
  const measured = outcome.subjects.filter((subject) => subject.samples.length > 0)
  if (measured.length > 0) parts.push(sampleTable(outcome, measured))
  if (outcome.facts.length > 0) parts.push(factTable(outcome))
  for (const { subject, problem } of outcome.subjects) {
    if (problem !== null) parts.push(`${subject} did not run: ${problem}`)
  }
  return parts.join('\n\n')
}

function sampleTable(outcome: Outcome, subjects: readonly SubjectResult[]): string {
  const header = [
    'subject',
    'CPU us',
    'lowest-highest',
    'user',
    'system',
    'requests/s',
    'p50 us',
    'p99 us',
  ]
  const rows = subjects.map(({ subject }) => {
    const middle = (metric: SampleMetric): number =>
      spreadOf(metricOf(outcome, subject, metric)).median
    const cpu = spreadOf(metricOf(outcome, subject, 'cpuUs'))
    const failures = metricOf(outcome, subject, 'failures').reduce((sum, value) => sum + value, 0)
    return [
      subject,
      shown(cpu.median),
      `${shown(cpu.low)}-${shown(cpu.high)}`,
      shown(middle('userUs')),
      shown(middle('systemUs')),
      String(Math.round(middle('requestsPerSecond'))),
      String(Math.round(middle('p50Us'))),
      String(Math.round(middle('p99Us'))),
      (middle('rssKib') / 1024).toFixed(1),
      `${Math.round(middle('busyShare') * 100)} %`,
      String(failures),
    ]
  })
  return table([...header, 'RSS MB', 'busy', 'failed'], rows)
}

function factTable(outcome: Outcome): string {
  const rows = outcome.facts.map((fact) => [
    fact.subject,
    fact.metric,
    shown(fact.value),
    fact.unit,
  ])
  return table(['subject', 'metric', 'value', 'unit'], rows)
}

export function shown(value: number): string {
  if (Number.isInteger(value)) return String(value)
  return value >= 1000 ? value.toFixed(0) : value.toFixed(2)
}

export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows]
  const widths = header.map((_, column) =>
    Math.max(3, ...all.map((row) => (row[column] ?? '').length)),
  )
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |`
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`
  return [line(header), rule, ...rows.map(line)].join('\n')
}
