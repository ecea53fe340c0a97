// bench/children.ts: starts programs, and never leaves one behind.
//
// Each child leads a process group of its own, so that its children end with it and a Ctrl-C reaches this
// process only, which then ends them all. Nothing here kills by name.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { makeWorkFolder, repositoryFolder } from './folders.ts'
import { findProgram } from './cores.ts'

export interface ChildOptions {
  readonly name: string // of its log file
  readonly cores?: string | null
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly openFilesMax?: number
}

export interface Child {
  readonly pid: number
  readonly logFile: string
  readonly process: ChildProcess
  hasEnded(): boolean
  stop(): Promise<void>
}

const running = new Set<Child>()
const STOP_GRACE_MS = 3000
let childCount = 0

export function startChild(command: readonly string[], options: ChildOptions): Child {
  const line = [...prefixFor(options), ...command]
  const logFile = path.join(makeWorkFolder(), `${options.name}-${++childCount}.log`)
  const log = openSync(logFile, 'w')
  const spawned = spawn(line[0] ?? '', line.slice(1), {
    detached: true,
    stdio: ['pipe', 'pipe', log],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  closeSync(log)
  spawned.on('error', () => {}) // seen as hasEnded(), with the log beside it
  const child: Child = {
    pid: spawned.pid ?? -1,
    logFile,
    process: spawned,
    hasEnded: () =>
      spawned.pid === undefined || spawned.exitCode !== null || spawned.signalCode !== null,
    stop: () => stopChild(child),
  }
  running.add(child)
  return child
}

// taskset and prlimit replace themselves by the command, so the pid stays the one we know.
function prefixFor(options: ChildOptions): string[] {
  const prefix: string[] = []
  if (options.openFilesMax !== undefined && findProgram('prlimit') !== null) {
    prefix.push('prlimit', `--nofile=${options.openFilesMax}:${options.openFilesMax}`)
  }
  if (options.cores !== undefined && options.cores !== null) {
    prefix.push('taskset', '-c', options.cores)
  }
  return prefix
}

async function stopChild(child: Child): Promise<void> {
  if (!child.hasEnded()) {
    const ended = new Promise<void>((resolve) => child.process.once('exit', () => resolve()))
    signalGroup(child, 'SIGTERM')
    const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), STOP_GRACE_MS)
    await ended
    clearTimeout(timer)
  }
  signalGroup(child, 'SIGKILL') // grandchildren that outlived their parent
  running.delete(child)
}

function signalGroup(child: Child, signal: NodeJS.Signals): void {
  if (child.pid <= 1) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // the whole group has ended already
  }
}

export async function stopAllChildren(): Promise<void> {
  await Promise.all([...running].map((child) => child.stop()))
}

process.on('exit', () => {
  for (const child of running) signalGroup(child, 'SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(130))
}

// What a child wrote to its standard output, once it has ended by itself.
export async function outputOf(child: Child): Promise<string> {
  const chunks: Buffer[] = []
  child.process.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  await new Promise<void>((resolve) => child.process.once('close', () => resolve()))
  running.delete(child)
  return Buffer.concat(chunks).toString('utf8')
}

// The end of its log on one line and without this machine's paths, for the message when it didn't do what it should.
export function logTailOf(child: Child): string {
  const lines = readFileSync(child.logFile, 'utf8').trimEnd().split('\n')
  const fault = lines.findIndex((line) => /^\w*Error\b/.test(line.trim()))
  const shown = fault >= 0 ? lines.slice(fault, fault + 1) : lines.slice(-3)
  return shown.join(' · ').replaceAll(repositoryFolder, '.').slice(0, 300)
}

// A port that was free a moment ago. All are asked for together, so that no two are the same.
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer())
  const ports: number[] = []
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    if (address !== null && typeof address === 'object') ports.push(address.port)
  }
  for (const server of servers) await new Promise((resolve) => server.close(resolve))
  return ports
}
