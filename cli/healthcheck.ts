// cli/healthcheck.ts: `sluice healthcheck`: asks the running gateway for its ping, as containers do.

import { get } from 'node:http'
import type { StaticConfig } from '../config/static.ts'
import { formatProblem } from '../config/located.ts'
import type { CommandArguments } from './arguments.ts'
import type { CommandIo } from './io.ts'
import { loadInstall } from './load.ts'

export const healthcheckOptions = { switches: [], values: [] }

const TIMEOUT_MS = 5000 // Traefik's

export async function runHealthcheck(given: CommandArguments, io: CommandIo): Promise<number> {
  const install = loadInstall(given.flags, io)
  if (!('config' in install)) {
    for (const problem of install) io.err(`error: ${formatProblem(problem)}\n`)
    return 1
  }
  const url = pingUrl(install.config)
  if (url === null) {
    io.err('sluice healthcheck: ping is not enabled; add `ping: {}` to the configuration\n')
    return 1
  }
  const answer = await ask(url)
  if (answer === 200) io.out(`OK: ${url}\n`)
  else io.err(`Bad healthcheck: ${url}: ${typeof answer === 'number' ? answer : answer.message}\n`)
  return answer === 200 ? 0 : 1
}

// null: the gateway answers no ping.
function pingUrl(config: StaticConfig): string | null {
  const { ping } = config
  const point = ping === null ? undefined : config.entryPoints[ping.entryPoint]
  if (point === undefined) return null
  const { host, port } = point.listen
  return `http://${reachable(host)}:${port}/ping`
}

// An entry point that listens on every address is asked on this machine.
export function reachable(host: string): string {
  if (host === '' || host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}

function ask(url: string): Promise<number | Error> {
  return new Promise((resolve) => {
    const sent = get(url, { agent: false, timeout: TIMEOUT_MS }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    sent.on('timeout', () => sent.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)))
    sent.on('error', resolve)
  })
}
