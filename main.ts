// main.ts: the entry of the program: a command of the command line, or the gateway.

import { readFileSync } from 'node:fs'
import { availableParallelism, homedir } from 'node:os'
import { ConfigError, decodeUtf8Strict, formatProblem } from './config/located.ts'
import { loadStatic, type LoadedStatic } from './config/sources.ts'

const version = '0.1.0'

function readIfThere(path: string): string | null {
  try {
    return decodeUtf8Strict(readFileSync(path), path)
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw fault
  }
}

function load(argv: readonly string[]): LoadedStatic {
  return loadStatic({
    argv,
    env: process.env,
    cwd: process.cwd(),
    home: homedir(),
    readFile: readIfThere,
    cores: availableParallelism(),
  })
}

async function startGateway(argv: readonly string[]): Promise<void> {
  const { config, problems } = load(argv)
  for (const problem of problems) console.error(formatProblem(problem))
  if (config.fips) {
    const { requireFips } = await import('./cli/fips.ts')
    requireFips()
  }
  const { Gateway } = await import('./cli/gateway.ts')
  await new Gateway(config, version).start()
}

async function main(argv: readonly string[]): Promise<void> {
  const { runCommand } = await import('./cli/main.ts')
  const code = await runCommand(argv)
  if (code === null) await startGateway(argv)
  else process.exitCode = code
}

try {
  await main(process.argv.slice(2))
} catch (fault) {
  if (!(fault instanceof ConfigError)) throw fault
  for (const problem of fault.problems) console.error(formatProblem(problem))
  process.exitCode = 1
}
