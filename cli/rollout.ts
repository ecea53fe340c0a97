// cli/rollout.ts: `sluice rollout [NAME ACTION]`: lists the rollouts of the running gateway, or steers one.

import { request as ask } from 'node:http'
import type { StaticConfig } from '../config/static.ts'
import { formatProblem } from '../config/located.ts'
import type { RolloutStatus } from '../core/rollout/plan.ts'
import { rolloutActions } from '../core/rollout/progress.ts'
import type { CommandArguments } from './arguments.ts'
import { reachable } from './healthcheck.ts'
import type { CommandIo } from './io.ts'
import { loadInstall } from './load.ts'
import { tableText } from './table.ts'

export const rolloutOptions = { switches: [], values: [] }

const TIMEOUT_MS = 5000

export async function runRollout(given: CommandArguments, io: CommandIo): Promise<number> {
  const install = loadInstall(given.flags, io)
  if (!('config' in install)) {
    for (const problem of install) io.err(`error: ${formatProblem(problem)}\n`)
    return 1
  }
  const base = apiUrl(install.config)
  if (base === null) {
    io.err(
      'sluice rollout: the API is not published; add `api: { insecure: true }`, or ask it by your own router\n',
    )
    return 1
  }
  const [name = '', action = 'show'] = given.positions
  return name === '' || action === 'show' ? list(base, name, io) : steer(base, name, action, io)
}

// null: no entry point publishes it.
function apiUrl(config: StaticConfig): string | null {
  const { api } = config
  const point = api?.insecure === true ? config.entryPoints[api.entryPoint] : undefined
  if (api === null || point === undefined) return null
  const { host, port } = point.listen
  return `http://${reachable(host)}:${port}${api.basePath.replace(/\/+$/, '')}/api/http/rollouts`
}

async function list(base: string, name: string, io: CommandIo): Promise<number> {
  const answer = await fetchJson('GET', base)
  if (answer.status !== 200) return failed(answer, io)
  const rollouts = (answer.value as RolloutStatus[]).filter(
    (one) => name === '' || one.name === name,
  )
  if (name !== '' && rollouts.length === 0) {
    io.err(`sluice rollout: there is no rollout ${name}\n`)
    return 1
  }
  io.out(tableText(rollouts.map(rowOf)))
  return 0
}

function rowOf({ name, state, percent, step, steps, to, reason, sides }: RolloutStatus): string[] {
  const side = sides[1]!
  const seen = `${side.requests} requests, ${side.errors} errors, p99 ${side.p99Ms} ms`
  return [name, state, `${percent} % for ${to}`, `step ${step} of ${steps.length}`, seen, reason]
}

async function steer(base: string, name: string, action: string, io: CommandIo): Promise<number> {
  if (!rolloutActions.some((one) => one === action)) {
    io.err(`sluice rollout: ${action} is none of ${rolloutActions.join(', ')}\n`)
    return 2
  }
  const answer = await fetchJson('POST', `${base}/${encodeURIComponent(name)}/${action}`)
  if (answer.status !== 200) return failed(answer, io)
  io.out(tableText([rowOf(answer.value as RolloutStatus)]))
  return 0
}

function failed({ status, value }: Answer, io: CommandIo): number {
  const message = (value as { message?: string } | null)?.message ?? ''
  io.err(`sluice rollout: ${status === 0 ? 'no gateway answers' : status} ${message}\n`)
  return 1
}

interface Answer {
  readonly status: number // 0: nobody has answered
  readonly value: unknown
}

function fetchJson(method: string, url: string): Promise<Answer> {
  return new Promise((resolve) => {
    const fault = (error: Error): void => resolve({ status: 0, value: { message: error.message } })
    const sent = ask(url, { method, agent: false, timeout: TIMEOUT_MS }, (response) => {
      let text = ''
      response.on('data', (bytes: Buffer) => (text += bytes.toString()))
      response.on('error', fault)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, value: parsed(text) }))
    })
    sent.on('timeout', () => sent.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)))
    sent.on('error', fault)
    sent.end()
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return { message: text.slice(0, 200) }
  }
}
