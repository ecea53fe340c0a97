// config/diff.ts: what changed between two generations, and how to apply it.
//
// A Delta is what travels to workers: as large as the change, not as the configuration. Plans that come from
// unchanged documents are often the very same objects, which the first comparison notices. Hot: no.

import {
  emptyPlans,
  families,
  type Changes,
  type Delta,
  type Generation,
  type PlanMaps,
} from './generation.ts'

interface Named {
  readonly name: string
}

export function diffGenerations(before: Generation, after: Generation): Delta {
  const changes = families.map((family) => [
    family,
    diffPlans<Named>(before[family], after[family]),
  ])
  return {
    number: after.number,
    base: before.number,
    changes: Object.fromEntries(changes) as unknown as Delta['changes'],
  }
}

// Whether a worker would do anything else after it.
export function isEmptyDelta(delta: Delta): boolean {
  return families.every((family) => {
    const { set, remove } = delta.changes[family]
    return set.length === 0 && remove.length === 0
  })
}

// Throws when the delta starts from another generation: the caller then asks for a whole one.
export function applyDelta(before: Generation, delta: Delta): Generation {
  if (delta.base !== 0 && delta.base !== before.number) {
    throw new Error(`a delta from generation ${delta.base} does not apply to ${before.number}`)
  }
  const base: PlanMaps = delta.base === 0 ? emptyPlans() : before
  const after = families.map((family) => [
    family,
    applyChanges<Named>(base[family], delta.changes[family]),
  ])
  return { number: delta.number, ...(Object.fromEntries(after) as unknown as PlanMaps) }
}

function diffPlans<Plan extends Named>(
  before: ReadonlyMap<string, Plan>,
  after: ReadonlyMap<string, Plan>,
): Changes<Plan> {
  if (before === after) return { set: [], remove: [] }
  const set: Plan[] = []
  const remove: string[] = []
  for (const [name, plan] of after) {
    const old = before.get(name)
    if (old === undefined || !isSame(old, plan)) set.push(plan)
  }
  for (const name of before.keys()) if (!after.has(name)) remove.push(name)
  return { set, remove }
}

// The order of a map carries no meaning (priority and rank do), so an unchanged list shares the old map.
function applyChanges<Plan extends Named>(
  before: ReadonlyMap<string, Plan>,
  changes: Changes<Plan>,
): ReadonlyMap<string, Plan> {
  if (changes.set.length === 0 && changes.remove.length === 0) return before
  const after = new Map(before)
  for (const name of changes.remove) after.delete(name)
  for (const plan of changes.set) after.set(plan.name, plan)
  return after
}

// Plans are trees of plain values made by our own code, so the recursion is as deep as the plan types.
function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true
  if (typeof one !== 'object' || typeof other !== 'object') return false
  if (one === null || other === null || Array.isArray(one) !== Array.isArray(other)) return false
  const left = one as Record<string, unknown>
  const right = other as Record<string, unknown>
  const keys = Object.keys(left)
  if (keys.length !== Object.keys(right).length) return false
  return keys.every((key) => Object.hasOwn(right, key) && isSame(left[key], right[key]))
}
