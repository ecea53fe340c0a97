// cli/routes.ts: `sluice routes`: the routers of each entry point in the order in which they are tried.

import type { Generation, RouterPlan } from '../config/generation.ts'
import { formatProblem } from '../config/located.ts'
import type { TcpRouterPlan, UdpRouterPlan } from '../config/protocol-plans.ts'
import { parseRule } from '../core/route/parse.ts'
import { compareCandidates } from '../core/route/trie.ts'
import { compareRoutes, compileTcpRule } from '../core/tcp/matcher.ts'
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
  readonly tlsOptions: string // '' for any
  readonly children: readonly ShownRoute[]
}

interface Table {
  readonly entryPoint: string
  readonly address: string
  readonly routes: readonly ShownRoute[]
  readonly tcp: readonly TcpRouterPlan[]
  readonly udp: readonly UdpRouterPlan[]
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
  const tables = (only === null ? names : [only]).map((name): Table => ({
    entryPoint: name,
    address: install.config.entryPoints[name]!.address,
    routes: routesOf(compiled.generation, name),
    tcp: tcpRoutesOf(compiled.generation, name),
    udp: udpRoutesOf(compiled.generation, name),
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

// Those of TLS and those of clear text never meet, so each kind is in its own order.
function tcpRoutesOf(generation: Generation, entryPoint: string): TcpRouterPlan[] {
  return [...generation.tcpRouters.values()]
    .filter((plan) => plan.entryPoints.includes(entryPoint))
    .sort((one, other) => compareRoutes(asRoute(one), asRoute(other)))
}

function asRoute(plan: TcpRouterPlan): Parameters<typeof compareRoutes>[0] {
  const rule = parseRule(plan.rule, 'tcp')
  return { ...plan, rule, condition: compileTcpRule(rule), value: null }
}

function udpRoutesOf(generation: Generation, entryPoint: string): UdpRouterPlan[] {
  return [...generation.udpRouters.values()].filter((plan) => plan.entryPoints.includes(entryPoint))
}

function shownRoute(generation: Generation, plan: RouterPlan): ShownRoute {
  const { name, priority, rule, middlewares, service, tls, tlsOptions } = plan
  const children = childrenOf(generation, plan).map((child) => shownRoute(generation, child))
  return { name, priority, rule, middlewares, service, tls, tlsOptions, children }
}

export function childrenOf(generation: Generation, parent: RouterPlan): RouterPlan[] {
  if (parent.service !== '') return []
  return [...generation.routers.values()]
    .filter((plan) => plan.parents.includes(parent.name))
    .sort(compareCandidates)
}

function entryPointText({ entryPoint, address, routes, tcp, udp }: Table): string {
  const title = `${entryPoint} ${address}\n`
  if (routes.length + tcp.length + udp.length === 0) return `${title}  no routers\n\n`
  const head = ['  PRIORITY', 'ROUTER', 'SERVICE', 'MIDDLEWARES', 'RULE']
  const http = routes.flatMap((route) => rowsOf(route, 0))
  const parts = [
    http.length > 0 ? tableText([head, ...http]) : '',
    tcp.length > 0 ? `  TCP\n${tableText([head, ...tcp.map(tcpRow)])}` : '',
    udp.length > 0
      ? `  UDP\n${tableText(udp.map(({ name, service }) => ['  ' + name, service]))}`
      : '',
  ]
  return `${title}${parts.join('')}\n`
}

function tcpRow({ priority, name, tls, service, middlewares, rule }: TcpRouterPlan): string[] {
  const how = tls === 'none' ? '' : ` (TLS: ${tls})`
  return ['  ' + String(priority), name + how, service, middlewares.join(', ') || '-', rule]
}

function tlsText({ tls, tlsOptions }: ShownRoute): string {
  if (!tls) return ''
  return tlsOptions === '' || tlsOptions === 'default' ? ' (TLS)' : ` (TLS: ${tlsOptions})`
}

function rowsOf(route: ShownRoute, depth: number): string[][] {
  const own = [
    '  ' + String(route.priority),
    '  '.repeat(depth) + route.name + tlsText(route),
    route.service === '' ? '(its children)' : route.service,
    route.middlewares.join(', ') || '-',
    route.rule,
  ]
  return [own, ...route.children.flatMap((child) => rowsOf(child, depth + 1))]
}
