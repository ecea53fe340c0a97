// certificates/dns-providers/exec.ts: a program of the operator: `program present <name>. <value>`, and `cleanup`.
//
// No shell is started. What the program prints is not logged: it may print anything. It gets the environment of the
// gateway, as under lego. Hot: no.

import { spawn } from 'node:child_process'
import type { DnsProvider, ProviderTools, TxtRecord } from './contract.ts'

const RUN_MAX_MS = 120_000

export function exec({ environment }: ProviderTools): DnsProvider {
  const program = environment.needed('EXEC_PATH')
  const isRaw = environment.text('EXEC_MODE') === 'RAW'

  function wordsOf(action: string, record: TxtRecord): string[] {
    const { domain, token, keyAuthorization, name, value } = record
    return isRaw ? [action, '--', domain, token, keyAuthorization] : [action, `${name}.`, value]
  }

  return {
    ...environment.times('EXEC', 60, 2),
    present: (record, signal) => run(program, wordsOf('present', record), signal),
    cleanup: (record, signal) => run(program, wordsOf('cleanup', record), signal),
  }
}

function run(program: string, words: readonly string[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { stdio: 'ignore', timeout: RUN_MAX_MS, signal })
    child.once('error', (fault) => reject(new Error(`exec: ${program}: ${fault.message}`)))
    child.once('close', (code, killedBy) => {
      if (code === 0) return resolve()
      const how = code === null ? `was ended by ${killedBy}` : `ended with ${code}`
      reject(new Error(`exec: ${program} ${words[0]} ${how}`))
    })
  })
}
