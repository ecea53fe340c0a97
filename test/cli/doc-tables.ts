// test/cli/doc-tables.ts: the tables of docs/ that code knows better than people: errors, metrics, fields, commands.
//
// `node test/cli/doc-tables.ts` writes them between their marks; docs.test.ts fails while a page is behind. Not hot.
//
//   <!-- table: errors -->   what stands here is written by this file   <!-- end -->

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gatewayFacts, processFacts, workerFacts } from '../../admin/metrics/catalogue.ts'
import type { MetricFact } from '../../admin/metrics/fact.ts'
import { accessLogFields, accessLogFieldsLater } from '../../core/access-log/fields.ts'
import { errorTable, type Side } from '../../core/errors.ts'
import { commandFacts } from '../../cli/help.ts'

export const docPages = ['errors.md', 'metrics.md', 'access-log.md', 'cli.md'] as const

const tables: Readonly<Record<string, () => string>> = {
  'errors-client': () => errorRows('client'),
  'errors-upstream': () => errorRows('upstream'),
  'errors-gateway': () => errorRows('gateway'),
  'metrics-workers': () => metricRows(workerFacts),
  'metrics-gateway': () => metricRows(gatewayFacts),
  'metrics-process': () => metricRows(processFacts),
  fields: () =>
    table(
      ['Field', 'Meaning'],
      accessLogFields.map((f) => [code(f.name), f.meaning]),
    ),
  'fields-later': () => accessLogFieldsLater.map(code).join(', ') + '.\n',
  commands: () =>
    table(
      ['Command', 'Does'],
      commandFacts.map((c) => [code(c.usage), c.about]),
    ),
}

function errorRows(side: Side): string {
  const rows = errorTable
    .filter((fact) => fact.side === side && fact.status !== 0)
    .map((fact) => [code(fact.name), String(fact.status), fact.sentence])
  return table(['Code', 'Status', 'Meaning'], rows)
}

function metricRows(facts: readonly MetricFact[]): string {
  const rows = facts.map(({ name, type, labels, help }) => [
    code(name),
    type,
    labels.map(code).join(', '),
    help,
  ])
  return table(['Metric', 'Type', 'Labels', 'Meaning'], rows)
}

function code(text: string): string {
  return '`' + text + '`'
}

// Columns are padded as the formatter does it, so that it leaves the page alone.
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map(escapeCell))
  const widths = head.map((_, at) => Math.max(3, ...cells.map((row) => row[at]!.length)))
  const rule = widths.map((width) => '-'.repeat(width))
  const lines = [cells[0]!, rule, ...cells.slice(1)]
  return lines
    .map((row) => `| ${row.map((c, at) => c.padEnd(widths[at]!)).join(' | ')} |\n`)
    .join('')
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|')
}

const MARKS = /(<!-- table: ([\w-]+) -->\n)[\s\S]*?(\n?<!-- end -->)/g

// The page with its tables as they should be. Throws for a mark that names no table.
export function withTables(page: string): string {
  return page.replace(MARKS, (_all, start: string, name: string) => {
    const make = tables[name]
    if (make === undefined) throw new Error(`no table is called ${name}`)
    return `${start}\n${make()}\n<!-- end -->`
  })
}

export function tableNames(): string[] {
  return Object.keys(tables)
}

export function docPath(name: string): string {
  return join(import.meta.dirname, '..', '..', 'docs', name)
}

if (import.meta.main) {
  for (const name of docPages) {
    writeFileSync(docPath(name), withTables(readFileSync(docPath(name), 'utf8')))
  }
}
