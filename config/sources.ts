// The static configuration from everything that may hold a part of it: flags, environment, one file.
//
// Flags win over the environment, and it over the file (Traefik allows one of the three only). Maps merge
// key by key; lists and values replace. With none of them, the quickstart example runs. Hot: no.

import { dirname, isAbsolute, join, resolve } from 'node:path'
import { ConfigError, parseLocated } from './located.ts'
import type { Path, Problem } from './problem.ts'
import { finishCheck, notYetProblem, originOf } from './schema.ts'
import { newWalk, walkValue, type Origin } from './schema-walk.ts'
import { shapeOf } from './shape.ts'
import { readEnvironment, nameVariable } from './sources/environment.ts'
import { nameFlag, readFlags } from './sources/flags.ts'
import { layerOf, type Layer } from './sources/given.ts'
import { staticSchema, type StaticConfig } from './static.ts'
import { addImplicitEntryPoints, checkReferences, notYetValues } from './static/finish.ts'

export interface StaticInput {
  argv: readonly string[]
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  home?: string
  readFile: (path: string) => string | null // null when there is no such file
  cores: number
}

export interface LoadedStatic {
  config: StaticConfig
  file: string | null // null when flags and environment said everything
  problems: Problem[] // warnings
  notYet: string[]
}

// The configuration of somebody who has given none.
export function quickstartPath(): string {
  return join(import.meta.dirname, 'examples', 'quickstart.yml')
}

export function loadStatic(input: StaticInput): LoadedStatic {
  const shape = shapeOf(staticSchema)
  const flags = readFlags(input.argv, shape)
  const environment = readEnvironment(input.env, shape)
  const layers = [
    layerOf(flags.settings, shape, nameFlag),
    layerOf(environment.settings, shape, nameVariable),
  ]
  const problems = [...flags.problems, ...environment.problems]
  const named = flags.configFile ?? environment.configFile
  const found = findFile(input, named, layers)
  if (found !== null) layers.push(fileLayer(found))
  for (const layer of layers) problems.push(...layer.problems)
  refuseErrors(problems)
  return finish(input, layers, problems, found?.path ?? null)
}

function refuseErrors(problems: readonly Problem[]): void {
  if (problems.some((problem) => problem.severity === 'error')) throw new ConfigError(problems)
}

function finish(
  input: StaticInput,
  layers: readonly Layer[],
  problems: Problem[],
  file: string | null,
): LoadedStatic {
  const merged = layers.reduceRight<unknown>(
    (weaker, layer) => merge(without(weaker, layer.removed), layer.value),
    {},
  )
  const origin = mergedOrigin(layers)
  const checked = finishCheck(staticSchema, merged, [], newWalk(origin, []))
  problems.push(...checked.problems)
  if (checked.value === null) throw new ConfigError(problems)
  const keys = checked.value
  addImplicitEntryPoints(keys)
  problems.push(...checkReferences(keys, origin))
  refuseErrors(problems)
  resolveFileProvider(keys, input, file)
  const notYet = [...layers.flatMap((layer) => layer.notYet), ...notYetValues(keys)]
  const unique = [...new Set(notYet)].sort()
  const warning = notYetProblem(unique, file ?? 'configuration')
  if (warning !== null) problems.push(warning)
  const config = { ...keys, workers: keys.workers ?? Math.max(1, input.cores) }
  return { config, file, problems, notYet: unique }
}

interface FoundFile {
  path: string
  text: string
}

function findFile(
  input: StaticInput,
  named: string | null,
  layers: readonly Layer[],
): FoundFile | null {
  if (named !== null) {
    const path = resolve(input.cwd, named)
    const text = input.readFile(path)
    if (text === null) throw missingFile(path)
    return { path, text }
  }
  for (const path of searchPaths(input)) {
    const text = input.readFile(path)
    if (text !== null) return { path, text }
  }
  // Switches alone (SLUICE_WORKERS=2, --log.level=DEBUG) don't make a gateway: the example still runs.
  const given = layers.some(({ value }) => 'entryPoints' in value || 'providers' in value)
  return given ? null : readQuickstart(input)
}

function readQuickstart(input: StaticInput): FoundFile {
  const path = quickstartPath()
  const text = input.readFile(path)
  if (text === null) throw missingFile(path)
  return { path, text }
}

function missingFile(file: string): ConfigError {
  const message = 'there is no such file, or it cannot be read'
  const place = { file, line: 0, column: 0, path: '', suggestion: '' }
  return new ConfigError([{ severity: 'error', code: 'CONFIG_FILE', ...place, message }])
}

function searchPaths(input: StaticInput): string[] {
  const homeConfig = input.home === undefined ? [] : [join(input.home, '.config')]
  const xdg = input.env['XDG_CONFIG_HOME']
  const personal = xdg !== undefined && isAbsolute(xdg) ? [xdg, ...homeConfig] : homeConfig
  const folders = ['/etc/sluice', '/etc/traefik', ...personal, input.cwd]
  return ['sluice', 'traefik'].flatMap((name) =>
    folders.flatMap((folder) =>
      ['yml', 'yaml', 'toml'].map((end) => join(folder, `${name}.${end}`)),
    ),
  )
}

function fileLayer(found: FoundFile): Layer {
  const doc = parseLocated(found.text, found.path)
  const origin = originOf(doc)
  const walk = newWalk(origin, [])
  const value = (walkValue(walk, shapeOf(staticSchema), doc.value) ?? {}) as Layer['value']
  return { value, origin, problems: walk.problems, notYet: [...walk.notYet], removed: [] }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function merge(weaker: unknown, stronger: unknown): unknown {
  if (!isMap(weaker) || !isMap(stronger)) return stronger
  const result = { ...weaker }
  for (const key of Object.keys(stronger)) {
    result[key] = Object.hasOwn(weaker, key) ? merge(weaker[key], stronger[key]) : stronger[key]
  }
  return result
}

function without(value: unknown, removed: readonly Path[]): unknown {
  return removed.reduce<unknown>(removePath, value)
}

function removePath(value: unknown, path: Path): unknown {
  const [step, ...rest] = path
  if (!isMap(value) || step === undefined || !Object.hasOwn(value, step)) return value
  const result = { ...value }
  if (rest.length === 0) Reflect.deleteProperty(result, step)
  else result[step] = removePath(result[step], rest)
  return result
}

// A problem of the merged whole stands where the strongest source that reaches deepest has put it.
function mergedOrigin(layers: readonly Layer[]): Origin {
  return (path) => {
    let best = layers[0]!
    let bestDepth = -1
    for (const layer of layers) {
      const depth = reach(layer.value, path)
      if (depth > bestDepth) {
        best = layer
        bestDepth = depth
      }
    }
    if (bestDepth > 0) return best.origin(path)
    return layers[2]?.origin(path) ?? { file: 'configuration', line: 0, column: 0 }
  }
}

function reach(root: unknown, path: Path): number {
  let value = root
  for (let at = 0; at < path.length; at++) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, path[at]!)) return at
    value = (value as Record<string | number, unknown>)[path[at]!]
  }
  return path.length
}

// As in Traefik, paths are relative to the working directory; a file of routes that isn't there is looked
// for beside the file that names it, so that an example runs from anywhere.
function resolveFileProvider(
  keys: Pick<StaticConfig, 'providers'>,
  input: StaticInput,
  file: string | null,
): void {
  const provider = keys.providers.file
  if (provider === null) return
  if (provider.directory !== '') provider.directory = resolve(input.cwd, provider.directory)
  if (provider.filename === '') return
  const path = resolve(input.cwd, provider.filename)
  const beside = file === null ? path : resolve(dirname(file), provider.filename)
  provider.filename =
    input.readFile(path) === null && input.readFile(beside) !== null ? beside : path
}
