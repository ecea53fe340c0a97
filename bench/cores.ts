// bench/cores.ts: which core the subject runs on and which one carries the origin and the load.
//
// Only the cores that this process may use are taken; with a single core, or without taskset, nothing is
// pinned and the table says so.

import { existsSync, readFileSync } from 'node:fs'

export interface Cores {
  readonly subject: string | null // for taskset -c; null: not pinned
  readonly load: string | null
}

// '0-2,5' -> [0, 1, 2, 5]
export function parseCoreList(list: string): number[] {
  const cores: number[] = []
  for (const part of list.trim().split(',')) {
    const [first, last = first] = part.split('-').map(Number)
    if (first === undefined || last === undefined || Number.isNaN(first)) continue
    for (let core = first; core <= last; core++) cores.push(core)
  }
  return cores
}

export function chooseCores(): Cores {
  const status = readFileSync('/proc/self/status', 'latin1')
  const allowed = parseCoreList(/^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? '')
  const [subject, load] = allowed
  if (subject === undefined || load === undefined || findProgram('taskset') === null) {
    return { subject: null, load: null }
  }
  return { subject: String(subject), load: String(load) }
}

// Debian keeps servers in /usr/sbin, which is not in everybody's PATH.
export function findProgram(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']
  for (const folder of folders) {
    if (folder !== '' && existsSync(`${folder}/${name}`)) return `${folder}/${name}`
  }
  return null
}
