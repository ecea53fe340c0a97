// test/faults/run.ts: make faults. Runs rows at full size, one after the other, and keeps the table.
//
//   node test/faults/run.ts [--only 1,6,12] [--smoke]

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FaultRow } from './contract.ts'
import { faultRows } from './rows.ts'

interface Line {
  readonly row: FaultRow
  readonly state: 'passed' | 'FAILED' | 'skipped'
  readonly measured: string
}

async function runRow(row: FaultRow, full: boolean): Promise<Line> {
  const missing = row.missing?.({ full }) ?? ''
  if (missing !== '') return { row, state: 'skipped', measured: missing }
  try {
    const { ok, measured } = await row.run({ full })
    return { row, state: ok ? 'passed' : 'FAILED', measured }
  } catch (fault) {
    return { row, state: 'FAILED', measured: String(fault).slice(0, 300).replaceAll('\n', ' ') }
  }
}

function tableOf(lines: readonly Line[]): string {
  const rows = lines.map(({ row, state, measured }) => {
    return `| ${row.number} | ${row.name} | ${row.accept} | ${measured.replaceAll('|', '/')} | ${state} |\n`
  })
  return `| # | fault | must be reached | measured | |\n| --- | --- | --- | --- | --- |\n${rows.join('')}`
}

const flags = process.argv.slice(2)
const only = flags[flags.indexOf('--only') + 1]?.split(',').map(Number) ?? []
const full = !flags.includes('--smoke')
const chosen = flags.includes('--only')
  ? faultRows.filter(({ number }) => only.includes(number))
  : faultRows.filter(({ smoke }) => full || smoke)
const lines: Line[] = []
for (const row of chosen) {
  process.stdout.write(`${row.number}: ${row.name} ... `)
  const line = await runRow(row, full)
  lines.push(line)
  process.stdout.write(`${line.state}: ${line.measured}\n`)
}
const folder = join(import.meta.dirname, 'results')
mkdirSync(folder, { recursive: true })
const name = `${new Date().toISOString().slice(0, 10)}${only.length > 0 ? `-${only.join('-')}` : ''}${full ? '' : '-smoke'}.md`
writeFileSync(join(folder, name), `# Faults\n\n${tableOf(lines)}`)
const failed = lines.filter(({ state }) => state === 'FAILED').length
const passed = lines.filter(({ state }) => state === 'passed').length
process.stdout.write(
  `\n${tableOf(lines)}\n${passed} passed, ${failed} failed, ${lines.length - passed - failed} skipped\n`,
)
process.exit(failed === 0 ? 0 : 1)
