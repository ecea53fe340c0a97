// bench/cpu.ts: what a process tree has cost so far, read from /proc.
//
// The stat file of a process counts all its threads, the ended ones too; the tree is summed because nginx
// answers from a child and a launcher may stand in front. Linux only, as is the whole comparison.

import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'

export interface CpuTime {
  readonly userUs: number
  readonly systemUs: number
}

const TICK_US = 1_000_000 / ticksPerSecond()

function ticksPerSecond(): number {
  try {
    return Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })) || 100
  } catch {
    return 100 // USER_HZ on every architecture that Node supports
  }
}

// Fields of /proc/PID/stat from the third on; the second is the name in brackets and may hold spaces.
export function statFields(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

export function processTree(rootPid: number): number[] {
  const childrenOf = new Map<number, number[]>()
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid)) continue
    const stat = readOrNull(`/proc/${pid}/stat`)
    if (stat === null) continue
    const parent = Number(statFields(stat)[1])
    const siblings = childrenOf.get(parent)
    if (siblings === undefined) childrenOf.set(parent, [pid])
    else siblings.push(pid)
  }
  const tree = [rootPid]
  for (let i = 0; i < tree.length; i++) tree.push(...(childrenOf.get(tree[i] ?? -1) ?? []))
  return tree
}

export function cpuOf(pids: readonly number[]): CpuTime {
  let userTicks = 0
  let systemTicks = 0
  for (const pid of pids) {
    const stat = readOrNull(`/proc/${pid}/stat`)
    if (stat === null) continue
    const fields = statFields(stat)
    userTicks += Number(fields[11])
    systemTicks += Number(fields[12])
  }
  return { userUs: userTicks * TICK_US, systemUs: systemTicks * TICK_US }
}

// Resident memory of the tree. Pages that nginx shares between master and worker are counted twice.
export function rssKibOf(pids: readonly number[]): number {
  let kib = 0
  for (const pid of pids) {
    const status = readOrNull(`/proc/${pid}/status`)
    kib += Number(/^VmRSS:\s+(\d+)/m.exec(status ?? '')?.[1] ?? 0)
  }
  return kib
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return null // the process ended between the listing and the read
  }
}
