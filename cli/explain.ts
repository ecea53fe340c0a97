// cli/explain.ts: `sluice explain`: what would become of one request, and why.

import { isIP } from 'node:net'
import type { Generation } from '../config/generation.ts'
import { formatProblem } from '../config/located.ts'
import type { EntryPointPlan } from '../workers/messages.ts'
import { isSet, lastOf, type CommandArguments } from './arguments.ts'
import { connectionOf } from './explain-connection.ts'
import { explanationOf, explanationText } from './explain-text.ts'
import { readRequest, splitUrl, type AskedRequest } from './explain-request.ts'
import { travel } from './explain-route.ts'
import type { CommandIo } from './io.ts'
import { loadWhole } from './load.ts'
import { workerPlanOf } from './worker-plan.ts'

export const explainOptions = {
  switches: ['--json'],
  values: ['-H', '--header', '--client-ip', '--entrypoint'],
}

export async function runExplain(given: CommandArguments, io: CommandIo): Promise<number> {
  const asked = askedOf(given)
  if (typeof asked === 'string') return fail(io, 2, asked)
  const { install, compiled, problems } = await loadWhole(given.flags, io)
  const errors = problems.filter((problem) => problem.severity === 'error')
  for (const problem of errors) io.err(`error: ${formatProblem(problem)}\n`)
  if (install === null || compiled === null) return 1
  const points = workerPlanOf(install.config, '').entryPoints
  const { generation } = compiled
  const point = choosePoint(points, asked, lastOf(given, '--entrypoint'), generation)
  if (typeof point === 'string') return fail(io, 1, point)
  const { exchange, code } = readRequest(asked, point)
  const admitted = { path: exchange.path, host: exchange.host }
  const connection = connectionOf(generation, {
    entryPoint: point.name,
    secure: asked.url.secure,
    serverName: serverNameOf(asked.url.authority),
    clientAddress: asked.clientAddress,
  })
  const served = code === 0 && connection.tcpRouter === null
  const journey = served ? travel(generation, exchange, connection.tls) : null
  const { status } = compiled
  const disabled = [...status.routers.values(), ...status.tcp.routers.values()].filter(
    (router) => router.status === 'disabled',
  )
  const explanation = explanationOf({
    asked,
    point,
    connection,
    exchange,
    admitted,
    code,
    journey,
    disabled,
  })
  if (isSet(given, '--json')) io.out(JSON.stringify(explanation, null, 2) + '\n')
  else io.out(explanationText(explanation))
  return 0
}

// A client names the host that it dials, unless that is an address.
function serverNameOf(authority: string): string {
  const host = authority.replace(/^[^@]*@/, '').replace(/:\d+$/, '')
  const name = host.toLowerCase().replace(/\.$/, '')
  return isIP(name) !== 0 || name.startsWith('[') ? '' : name
}

function fail(io: CommandIo, code: number, message: string): number {
  io.err(`sluice explain: ${message}\n`)
  return code
}

function askedOf(given: CommandArguments): AskedRequest | string {
  const { positions } = given
  if (positions.length < 1 || positions.length > 2) {
    return 'say what to explain: sluice explain GET http://shop.test/path'
  }
  const url = splitUrl(positions.at(-1)!)
  if (url === null) return `${JSON.stringify(positions.at(-1))} is neither a URL nor a path`
  const clientAddress = lastOf(given, '--client-ip') ?? '127.0.0.1'
  if (isIP(clientAddress) === 0) return `${JSON.stringify(clientAddress)} is not an IP address`
  const headers = ['-H', '--header'].flatMap((name) => given.options.get(name) ?? [])
  return { method: positions.length === 2 ? positions[0]! : 'GET', url, headers, clientAddress }
}

// The one that was named; else the one on the port of the URL; else the first with routers for its scheme.
function choosePoint(
  points: readonly EntryPointPlan[],
  asked: AskedRequest,
  name: string | null,
  generation: Generation,
): EntryPointPlan | string {
  const names = points.map((point) => point.name).join(', ')
  if (name !== null) {
    const named = points.find((point) => point.name === name)
    return named ?? `there is no entry point ${JSON.stringify(name)}; there are: ${names}`
  }
  const written = /:(\d+)$/.exec(asked.url.authority)?.[1]
  const port = written === undefined ? (asked.url.secure ? 443 : 80) : Number(written)
  const listening = points.find((point) => point.port === port)
  if (listening !== undefined) return listening
  if (written !== undefined)
    return `no entry point listens on port ${port}; choose --entrypoint: ${names}`
  return (
    points.find((point) => serves(generation, point, asked.url.secure)) ??
    points[0] ??
    'there is no entry point'
  )
}

function serves(generation: Generation, point: EntryPointPlan, secure: boolean): boolean {
  const routers = [...generation.routers.values()].filter((plan) => !plan.internal)
  return routers.some((plan) => plan.tls === secure && plan.entryPoints.includes(point.name))
}
