// cli/main.ts: the commands of `sluice`. Without one, main.ts starts the gateway.

import { nearestKey } from '../config/schema.ts'
import { readArguments, type CommandArguments, type OptionNames } from './arguments.ts'
import { processIo, type CommandIo } from './io.ts'

interface Command {
  readonly options: OptionNames
  readonly run: (given: CommandArguments, io: CommandIo) => Promise<number>
}

// Each is loaded when it is asked for: what starts the gateway waits for none of them.
const commands: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ['check', loadCheck],
  ['explain', loadExplain],
  ['routes', loadRoutes],
  ['healthcheck', loadHealthcheck],
  ['rollout', loadRollout],
  ['cache', loadCache],
  ['version', loadVersion],
  ['help', loadHelp],
])

const spellings: Readonly<Record<string, string>> = {
  '--help': 'help',
  '-h': 'help',
  '--version': 'version',
}

// The exit code; null when no command was given.
export async function runCommand(
  argv: readonly string[],
  io: CommandIo = processIo(),
): Promise<number | null> {
  const first = argv[0]
  if (first === undefined) return null
  const name = spellings[first] ?? first
  if (name.startsWith('-')) return null
  const load = commands.get(name)
  if (load === undefined) {
    const near = nearestKey(name, [...commands.keys()])
    const hint = near === '' ? '' : ` (did you mean "${near}"?)`
    io.err(`sluice: there is no command ${JSON.stringify(name)}${hint}; see sluice help\n`)
    return 2
  }
  const command = await load()
  const given = readArguments(argv.slice(1), command.options)
  if (typeof given !== 'string') return command.run(given, io)
  io.err(`sluice ${name}: ${given}\n`)
  return 2
}

async function loadCheck(): Promise<Command> {
  const { checkOptions, runCheck } = await import('./check.ts')
  return { options: checkOptions, run: runCheck }
}

async function loadExplain(): Promise<Command> {
  const { explainOptions, runExplain } = await import('./explain.ts')
  return { options: explainOptions, run: runExplain }
}

async function loadRoutes(): Promise<Command> {
  const { routesOptions, runRoutes } = await import('./routes.ts')
  return { options: routesOptions, run: runRoutes }
}

async function loadHealthcheck(): Promise<Command> {
  const { healthcheckOptions, runHealthcheck } = await import('./healthcheck.ts')
  return { options: healthcheckOptions, run: runHealthcheck }
}

async function loadRollout(): Promise<Command> {
  const { rolloutOptions, runRollout } = await import('./rollout.ts')
  return { options: rolloutOptions, run: runRollout }
}

async function loadCache(): Promise<Command> {
  const { cacheOptions, runCache } = await import('./cache.ts')
  return { options: cacheOptions, run: runCache }
}

const noOptions: OptionNames = { switches: [], values: [] }

async function loadVersion(): Promise<Command> {
  const { readVersion } = await import('./version.ts')
  const run = async (_given: CommandArguments, io: CommandIo) => {
    io.out(`sluice ${readVersion()}, Node.js ${process.version}\n`)
    return 0
  }
  return { options: noOptions, run }
}

async function loadHelp(): Promise<Command> {
  const { runHelp } = await import('./help.ts')
  const run = async (given: CommandArguments, io: CommandIo) => runHelp(given.positions[0], io)
  return { options: noOptions, run }
}
