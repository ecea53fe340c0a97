// bench/machine.ts: on what the figures were measured. Without it a result is an anecdote.

import { execFileSync, spawnSync } from 'node:child_process'
import os from 'node:os'
import type { Cores } from './cores.ts'
import { findProgram } from './cores.ts'
import { repositoryFolder } from './folders.ts'
import type { Machine } from './report.ts'

const VERSION_FLAGS: Readonly<Record<string, string>> = {
  nginx: '-v',
  haproxy: '-v',
  caddy: 'version',
  wrk: '-v',
}

export function describeMachine(cores: Cores): Machine {
  const isPinned = cores.subject !== null
  return {
    date: new Date().toISOString(),
    commit: commitName(),
    processor: os.cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: os.availableParallelism(),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    node: process.versions.node,
    peers: versions(),
    pinning: isPinned
      ? `Subject on core ${cores.subject}, load and origin on core ${cores.load}.`
      : 'Nothing pinned: one core only, or no taskset.',
  }
}

function git(...words: string[]): string {
  return execFileSync('git', words, { cwd: repositoryFolder, encoding: 'utf8' }).trim()
}

function commitName(): string {
  try {
    const isDirty = git('status', '--porcelain', '--untracked-files=no') !== ''
    return git('rev-parse', '--short', 'HEAD') + (isDirty ? '-changed' : '')
  } catch {
    return 'unknown'
  }
}

// Some print their version on stderr, some with a paragraph behind it; the first number with a dot is it.
function versions(): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, flag] of Object.entries(VERSION_FLAGS)) {
    const program = findProgram(name)
    if (program === null) continue
    const { stdout, stderr } = spawnSync(program, [flag], { encoding: 'utf8' })
    found[name] = /\d+\.\d+[.\d]*/.exec(stdout + stderr)?.[0] ?? 'unknown'
  }
  return found
}
