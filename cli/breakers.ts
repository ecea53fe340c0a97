// cli/breakers.ts: the circuit breakers of a generation and their states, read from the memory that workers share.
//
// Not hot: looked at when somebody asks the API or scrapes; a generation without breakers costs a look at its middlewares.

import type { BreakerRow } from '../admin/state.ts'
import type { Generation, ServicePlan } from '../config/generation.ts'
import { breakerName, readBreaker, stateNames } from '../core/resilience/breaker.ts'
import type { Scope } from '../core/middleware/contract.ts'
import { findCells } from '../core/resilience/cells.ts'
import type { SlotTable } from '../core/shared/slot-table.ts'

export function breakersOf(generation: Generation, states: SlotTable): BreakerRow[] {
  const kinds = new Set<string>()
  for (const { name, kind } of generation.middlewares.values())
    if (kind === 'circuitBreaker') kinds.add(name)
  if (kinds.size === 0) return []
  const rows = new Map<string, BreakerRow>()
  const add = (kind: 'router' | 'service', owner: string, names: readonly string[]): void => {
    // One that a router names twice has a second breaker, which is not shown.
    for (const name of new Set(names)) {
      if (!kinds.has(name)) continue
      const row = { router: owner, ...rowOf(states, `${kind} ${owner}`, name) }
      const place = `${owner}\n${name}`
      rows.set(place, worse(row, rows.get(place)))
    }
  }
  for (const { name, middlewares } of generation.routers.values()) add('router', name, middlewares)
  for (const service of generation.services.values())
    add('service', service.name, middlewaresOf(service))
  return [...rows.values()]
}

// Of a router and a service of one name that have the same middleware: they are one row, and one series.
function worse(one: BreakerRow, other: BreakerRow | undefined): BreakerRow {
  if (other === undefined) return one
  const { code, state } = one.code > other.code ? one : other
  return { ...one, code, state, opened: one.opened + other.opened }
}

function middlewaresOf(service: ServicePlan): readonly string[] {
  return 'middlewares' in service ? service.middlewares : []
}

// One that no request has met yet has no memory, and is closed.
function rowOf(states: SlotTable, scope: Scope, middleware: string): Omit<BreakerRow, 'router'> {
  const cells = findCells(states, breakerName(scope, middleware))
  const { state, opened } = cells === null ? { state: 0 as const, opened: 0 } : readBreaker(cells)
  return { middleware, code: state, state: stateNames[state], opened }
}
