// bench/scenarios/scenarios.ts: all scenarios, in the order of the table.

import type { Scenario } from './contract.ts'
import { idle } from './idle.ts'
import { overload } from './overload.ts'
import * as protocols from './protocols.ts'
import { reload } from './reload.ts'
import { reloads } from './reloads.ts'
import { start } from './start.ts'
import * as steady from './steady.ts'
import * as traffic from './traffic.ts'

export const scenarios: readonly Scenario[] = [
  steady.small,
  steady.coalesce,
  steady.routes,
  steady.response64k,
  steady.response10m,
  steady.post64k,
  steady.connect,
  steady.crowd,
  steady.middlewares,
  steady.autocannon,
  traffic.fiveMiddlewares,
  traffic.cacheHit,
  protocols.tls,
  protocols.tlsConnect,
  protocols.tlsResume,
  protocols.h2,
  protocols.grpc,
  protocols.webSocket,
  protocols.tcp10m,
  protocols.tcpConnect,
  protocols.udp,
  idle,
  reload,
  reloads,
  overload,
  start,
]

export function findScenarios(names: readonly string[]): Scenario[] {
  return names.map((name) => {
    const found = scenarios.find((scenario) => scenario.name === name)
    if (found !== undefined) return found
    throw new Error(`no scenario ${name}; there are ${scenarios.map((s) => s.name).join(', ')}`)
  })
}
