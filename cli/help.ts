// cli/help.ts: `sluice help`: the commands, and every flag of the install configuration by its block.

import { listKeys, type KeyRow } from '../config/compat.ts'
import { staticSchema } from '../config/static.ts'
import type { CommandIo } from './io.ts'
import { tableText } from './table.ts'

export interface CommandFact {
  readonly usage: string
  readonly about: string
}

export const commandFacts: readonly CommandFact[] = [
  { usage: 'sluice [FLAGS]', about: 'starts the gateway' },
  {
    usage: 'sluice check [FILE] [--json] [FLAGS]',
    about:
      'reads the whole configuration and prints every problem; exit code 1 when one is an error',
  },
  {
    usage:
      "sluice explain [METHOD] URL [-H 'Name: value'] [--client-ip IP] [--entrypoint NAME] [--json] [FLAGS]",
    about: 'says which router takes a request, why others do not, and what happens to it',
  },
  {
    usage: 'sluice routes [--entrypoint NAME] [--json] [FLAGS]',
    about: 'lists the routers of each entry point in the order in which they are tried',
  },
  {
    usage: 'sluice healthcheck [FLAGS]',
    about: 'asks the running gateway for its ping; exit code 0 when it is well',
  },
  {
    usage: 'sluice rollout [NAME [pause|resume|promote|rollback|restart]] [FLAGS]',
    about: 'lists the rollouts of the running gateway, or steers one',
  },
  {
    usage: 'sluice cache [purge all|url URL|prefix URL|tag TAG] [FLAGS]',
    about: 'shows what the caches of the running gateway hold, or purges them',
  },
  { usage: 'sluice version', about: 'prints the version' },
  { usage: 'sluice help [BLOCK]', about: 'prints this, or the flags of one block: help api' },
]

export function runHelp(block: string | undefined, io: CommandIo): number {
  const groups = flagGroups()
  if (block === undefined) {
    io.out(commandsText() + '\n' + aboutFlags)
    for (const [name, rows] of groups) io.out('\n' + groupText(name, rows))
    return 0
  }
  const wanted = [...groups].find(([name]) => name.toLowerCase() === block.toLowerCase())
  if (wanted === undefined) {
    io.err(`sluice help: there is no block ${JSON.stringify(block)}; there are:\n`)
    io.err(`  ${[...groups.keys()].join(', ')}\n`)
    return 1
  }
  io.out(groupText(...wanted))
  return 0
}

function commandsText(): string {
  return commandFacts.map(({ usage, about }) => `${usage}\n    ${about}\n`).join('')
}

const aboutFlags = `FLAGS are the keys of the install configuration. Each may stand in the file that --configFile
names, in the environment (SLUICE_API_INSECURE=true) or here (--api.insecure); flags win over the
environment, and it over the file. <name> is yours to choose, [] stands for an index: [0].
`

export function flagGroups(): Map<string, KeyRow[]> {
  const groups = new Map<string, KeyRow[]>()
  for (const row of listKeys(staticSchema)) {
    if (!row.setting) continue
    const [first = '', second = ''] = row.path.split('.')
    const name =
      first === 'providers' && second !== '' && row.path.includes('.', 10)
        ? `${first}.${second}`
        : first
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [row])
    else group.push(row)
  }
  return groups
}

function groupText(name: string, rows: readonly KeyRow[]): string {
  return `${name}\n${tableText(rows.map(flagLine))}`
}

function flagLine(row: KeyRow): string[] {
  const flag = `  --${row.path.replaceAll('[]', '[0]')}`
  const value = row.shape.default
  const given = defaultText(value, row.shape.kind)
  const status = row.status === 'works' ? '' : row.status
  return [flag, given, [status, row.note].filter((text) => text !== '').join(': ')]
}

function defaultText(value: unknown, kind: string): string {
  if (Array.isArray(value)) return value.length === 0 ? kind : value.join(',')
  if (value === undefined || value === null || value === '') return kind
  return typeof value === 'object' ? kind : String(value)
}
