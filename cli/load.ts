// cli/load.ts: the whole configuration read once, as the gateway would read it at its start.

import { readFileSync } from 'node:fs'
import { availableParallelism, homedir } from 'node:os'
import { compile, type Compiled } from '../config/compile.ts'
import { factsOf } from '../config/facts.ts'
import { ConfigError, decodeUtf8Strict, type Located, type Problem } from '../config/located.ts'
import { FileProvider } from '../config/providers/file.ts'
import { loadStatic, type LoadedStatic } from '../config/sources.ts'
import type { CommandIo } from './io.ts'

export interface LoadedWhole {
  readonly install: LoadedStatic | null // null when it is wrong; then nothing was compiled
  readonly compiled: Compiled | null
  readonly problems: readonly Problem[]
}

export async function loadWhole(flags: readonly string[], io: CommandIo): Promise<LoadedWhole> {
  const install = loadInstall(flags, io)
  if (!('config' in install)) return { install: null, compiled: null, problems: install }
  const { docs, problems } = await readRoutes(install, io)
  const compiled = compile(new Map([['file', docs]]), factsOf(install.config), 1)
  const all = [...install.problems, ...problems, ...compiled.problems]
  return { install, compiled, problems: all }
}

// The problems when the install configuration can't be used.
export function loadInstall(flags: readonly string[], io: CommandIo): LoadedStatic | Problem[] {
  try {
    return loadStatic({
      argv: flags,
      env: io.env,
      cwd: io.cwd,
      home: homedir(),
      readFile: readIfThere,
      cores: availableParallelism(),
    })
  } catch (fault) {
    if (fault instanceof ConfigError) return [...fault.problems]
    throw fault
  }
}

function readIfThere(path: string): string | null {
  try {
    return decodeUtf8Strict(readFileSync(path), path)
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw fault
  }
}

interface Routes {
  readonly docs: readonly Located[]
  readonly problems: readonly Problem[]
}

async function readRoutes(install: LoadedStatic, io: CommandIo): Promise<Routes> {
  const { file } = install.config.providers
  let routes: Routes = { docs: [], problems: [] }
  if (file === null) return routes
  const { filename, directory } = file
  if ((filename === '') === (directory === '')) return routes // told by the static configuration
  const options = { filename, directory, watch: false, throttleMs: 0, environment: io.env }
  const provider = new FileProvider(options, (docs, problems) => {
    routes = { docs, problems }
  })
  await provider.start()
  provider.close()
  return routes
}
