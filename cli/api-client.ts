// cli/api-client.ts: commands that ask the running gateway's API, on the entry point that api.insecure publishes it on.

import { request as ask } from 'node:http'
import { formatProblem } from '../config/located.ts'
import type { StaticConfig } from '../config/static.ts'
import type { CommandArguments } from './arguments.ts'
import { reachable } from './healthcheck.ts'
import type { CommandIo } from './io.ts'
import { loadInstall } from './load.ts'

const TIMEOUT_MS = 5000

// The URL of a resource below /api; null when there is none to ask, which was said.
export function findApi(
  command: string,
  resource: string,
  given: CommandArguments,
  io: CommandIo,
): string | null {
  const install = loadInstall(given.flags, io)
  if (!('config' in install)) {
    for (const problem of install) io.err(`error: ${formatProblem(problem)}\n`)
    return null
  }
  const base = apiUrl(install.config)
  if (base !== null) return base + resource
  io.err(
    `sluice ${command}: the API is not published; add \`api: { insecure: true }\`, or ask it by your own router\n`,
  )
  return null
}

// null: no entry point publishes it.
function apiUrl(config: StaticConfig): string | null {
  const { api } = config
  const point = api?.insecure === true ? config.entryPoints[api.entryPoint] : undefined
  if (api === null || point === undefined) return null
  const { host, port } = point.listen
  return `http://${reachable(host)}:${port}${api.basePath.replace(/\/+$/, '')}/api`
}

export interface ApiAnswer {
  readonly status: number // 0: nobody has answered
  readonly value: unknown
}

export function askApi(method: string, url: string): Promise<ApiAnswer> {
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

// The exit code.
export function failedAnswer(command: string, { status, value }: ApiAnswer, io: CommandIo): number {
  const message = (value as { message?: string } | null)?.message ?? ''
  io.err(`sluice ${command}: ${status === 0 ? 'no gateway answers' : status} ${message}\n`)
  return 1
}
