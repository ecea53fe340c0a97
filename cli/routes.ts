// cli/routes.ts: `sluice routes`: the routers of each entry point in the order in which they are tried.

import type { Generation, RouterPlan } from '../config/generation.ts'
import { formatProblem } from '../config/located.ts'
import { compareCandidates } from '../core/route/trie.ts'
import { isSet, lastOf, type CommandArguments } from './arguments.ts'
import type { CommandIo } from './io.ts'
import { loadWhole } from './load.ts'
import { tableText } from './table.ts'

export const routesOptions = { switches: ['--json'], values: ['--entrypoint'] }

interface ShownRoute {
  readonly name: string
  readonly priority: number
  readonly rule: string
  readonly middlewares: readonly string[]
  readonly service: string // '' for a parent
  readonly tls: boolean
  readonly children: readonly ShownRoute[]
}

export async function runRoutes(given: CommandArguments, io: CommandIo): Promise<number> {
  const { install, compiled, problems } = await loadWhole(given.flags, io)
  for (const problem of problems) {
    if (problem.severity === 'error') io.err(`error: ${formatProblem(problem)}\n`)
  }
  if (install === null || compiled === null) return 1
  const only = lastOf(given, '--entrypoint')
  const names = Object.keys(install.config.entryPoints)
  if (only !== null && !names.includes(only)) {
    io.err(`sluice routes: there is no entry point ${JSON.stringify(only)}\n`)
    return 1
  }
  const tables = (only === null ? names : [only]).map((name) => ({
    entryPoint: name,
    address: install.config.entryPoints[name]!.address,
    routes: routesOf(compiled.generation, name),
  }))
  if (isSet(given, '--json')) io.out(JSON.stringify(tables, null, 2) + '\n')
  else for (const table of tables) io.out(entryPointText(table))
  return 0
}

// Root routers of one entry point, best first.
export function rootsOf(generation: Generation, entryPoint: string): RouterPlan[] {
  return [...generation.routers.values()]
    .filter((plan) => plan.parents.length === 0 && plan.entryPoints.includes(entryPoint))
    .sort(compareCandidates)
}

function routesOf(generation: Generation, entryPoint: string): ShownRoute[] {
  return rootsOf(generation, entryPoint).map((plan) => shownRoute(generation, plan))
}

function shownRoute(generation: Generation, plan: RouterPlan): ShownRoute {
  const { name, priority, rule, middlewares, service, tls } = plan
  const children = childrenOf(generation, plan).map((child) => shownRoute(generation, child))
  return { name, priority, rule, middlewares, service, tls, children }
}

export function childrenOf(generation: Generation, parent: RouterPlan): RouterPlan[] {
  if (parent.service !== '') return []
  return [...generation.routers.values()]
    .filter((plan) => plan.parents.includes(parent.name))
    .sort(compareCandidates)
}

function entryPointText(table: {
  readonly entryPoint: string
  readonly address: string
  readonly routes: readonly ShownRoute[]
}): string {
  const title = `${table.entryPoint} ${table.address}\n`
  if (table.routes.length === 0) return `${title}  no routers\n\n`
  const head = ['  PRIORITY', 'ROUTER', 'SERVICE', 'MIDDLEWARES', 'RULE']
  const rows = table.routes.flatMap((route) => rowsOf(route, 0))
  return `${title}${tableText([head, ...rows])}\n`
}

function rowsOf(route: ShownRoute, depth: number): string[][] {
  const own = [
    '  ' + String(route.priority),
    '  '.repeat(depth) + route.name + (route.tls ? ' (TLS)' : ''),
    route.service === '' ? '(its children)' : route.service,
    route.middlewares.join(', ') || '-',
    route.rule,
  ]
  return [own, ...route.children.flatMap((child) => rowsOf(child, depth + 1))]
}
