// config/compile/router-tree.ts: parents and children: which routers are reached, and which lead anywhere.
//
// Everything here is a walk with a work list, so the depth of a tree costs no stack. In the end each router
// that stands is reached from a root with entry points and ends, itself or below, in a service. Hot: no.

import type { Compilation } from './compilation.ts'
import { failRouter, type Draft } from './router-plan.ts'

export type Drafts = ReadonlyMap<string, Draft>

export function resolveTree(shared: Compilation, drafts: Drafts): void {
  const children = childrenOf(drafts)
  refuseServiceAndChildren(shared, drafts, children)
  reachFromRoots(shared, drafts, children)
  disableDeadEnds(shared, drafts, children)
  for (const draft of drafts.values()) {
    draft.parents = draft.parents.filter((name) => stands(drafts.get(name)))
  }
}

function stands(draft: Draft | undefined): draft is Draft {
  return draft !== undefined && draft.errors.length === 0
}

function childrenOf(drafts: Drafts): Map<string, Draft[]> {
  const children = new Map<string, Draft[]>()
  for (const draft of drafts.values()) {
    for (const parent of draft.parents) {
      const known = children.get(parent)
      if (known === undefined) children.set(parent, [draft])
      else known.push(draft)
    }
  }
  return children
}

// A disabled child counts: with it gone, its parent's service must not serve what the child was meant for.
function refuseServiceAndChildren(
  shared: Compilation,
  drafts: Drafts,
  children: ReadonlyMap<string, readonly Draft[]>,
): void {
  for (const draft of drafts.values()) {
    if (!stands(draft)) continue
    const isParent = children.has(draft.name)
    if (draft.service !== '' && isParent) {
      const message = 'a router with children must have no service'
      failRouter(shared, draft, ['service'], message)
    }
    if (draft.service === '' && !isParent) {
      failRouter(shared, draft, [], 'it has neither a service nor children')
    }
  }
}

// Breadth first; a child takes the entry points of all roots above it.
function reachFromRoots(
  shared: Compilation,
  drafts: Drafts,
  children: ReadonlyMap<string, readonly Draft[]>,
): void {
  const reached = new Map<Draft, Set<string>>()
  const queue: Draft[] = []
  for (const draft of drafts.values()) {
    if (stands(draft) && draft.parents.length === 0) {
      reached.set(draft, new Set(draft.entryPoints))
      queue.push(draft)
    }
  }
  for (let draft = queue.shift(); draft !== undefined; draft = queue.shift()) {
    for (const child of children.get(draft.name) ?? []) {
      if (stands(child) && addAll(reached, child, reached.get(draft)!)) queue.push(child)
    }
  }
  for (const draft of drafts.values()) {
    if (!stands(draft) || draft.parents.length === 0) continue
    const entryPoints = reached.get(draft)
    if (entryPoints !== undefined) draft.entryPoints = [...entryPoints]
    else refuseUnreached(shared, drafts, draft)
  }
}

// Whether anything was new, so that what stands below must be looked at again.
function addAll(reached: Map<Draft, Set<string>>, draft: Draft, names: Set<string>): boolean {
  const known = reached.get(draft)
  if (known === undefined) {
    reached.set(draft, new Set(names))
    return true
  }
  const before = known.size
  for (const name of names) known.add(name)
  return known.size > before
}

function refuseUnreached(shared: Compilation, drafts: Drafts, draft: Draft): void {
  const inCircle = leadsToItself(drafts, draft)
  const message = inCircle
    ? 'its parents lead back to itself'
    : 'none of its parents is reached from an entry point'
  if (!inCircle) {
    failRouter(shared, draft, ['parentRefs'], message)
    return
  }
  draft.errors.push(message)
  if (draft.entry === null) return
  shared.warning(draft.entry, ['parentRefs'], 'CONFIG_ROUTER_CYCLE', `${draft.name}: ${message}`)
}

function leadsToItself(drafts: Drafts, start: Draft): boolean {
  const seen = new Set<string>()
  const open = [...start.parents]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (name === start.name) return true
    if (seen.has(name)) continue
    seen.add(name)
    open.push(...(drafts.get(name)?.parents ?? []))
  }
  return false
}

// A parent all of whose children are disabled would only eat requests.
function disableDeadEnds(
  shared: Compilation,
  drafts: Drafts,
  children: ReadonlyMap<string, readonly Draft[]>,
): void {
  const open = [...drafts.values()]
  for (let draft = open.pop(); draft !== undefined; draft = open.pop()) {
    if (!stands(draft) || draft.service !== '') continue
    if ((children.get(draft.name) ?? []).some(stands)) continue
    failRouter(shared, draft, [], 'all of its children are disabled')
    for (const name of draft.parents) {
      const parent = drafts.get(name)
      if (parent !== undefined) open.push(parent)
    }
  }
}
