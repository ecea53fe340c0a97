// cli/io.ts: what a command may touch of the world: where it prints, and what surrounds the process.

import process from 'node:process'

export interface CommandIo {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

// Whoever reads may have read enough (`sluice help | head`): that is no failure of ours.
function endQuietly(fault: NodeJS.ErrnoException): void {
  if (fault.code === 'EPIPE') process.exit(0)
  throw fault
}

// Only a command prints: a gateway whose standard output closes goes on.
function print(text: string): void {
  if (process.stdout.listenerCount('error') === 0) process.stdout.on('error', endQuietly)
  process.stdout.write(text)
}

export function processIo(): CommandIo {
  return {
    out: print,
    err: (text) => void process.stderr.write(text),
    env: process.env,
    cwd: process.cwd(),
  }
}
