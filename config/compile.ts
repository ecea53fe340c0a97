// config/compile.ts: documents and facts in, one Generation out, with everything that was wrong on the way.
//
// Pure: the same input gives the same generation. It never throws for what users wrote; what is wrong
// disables the object and whatever needs it, and is told with its place. 10,000 routers whose documents did
// not change take some 100 ms, read anew some 350 ms. Hot: no.

import { Compilation } from './compile/compilation.ts'
import { additionsOf, childPlan, internalDrafts, plansOf } from './compile/entry-points.ts'
import type { Additions } from './compile/entry-points.ts'
import { Resolver } from './compile/resolver.ts'
import { draftRouter, failRouter, type Draft } from './compile/router-plan.ts'
import { resolveTree } from './compile/router-tree.ts'
import { statusOf } from './compile/status.ts'
import type { StaticFacts } from './facts.ts'
import {
  emptyGeneration,
  type Generation,
  type RouterPlan,
  type RuntimeStatus,
} from './generation.ts'
import { mergeDocuments, type ProviderDocuments } from './merge.ts'
import type { Problem } from './problem.ts'

export interface Compiled {
  readonly generation: Generation
  readonly problems: readonly Problem[]
  readonly status: RuntimeStatus // worked out when it is first asked for
}

export function compile(
  documents: ProviderDocuments,
  facts: StaticFacts,
  number: number,
): Compiled {
  const shared = new Compilation(facts, mergeDocuments(documents))
  const resolver = new Resolver(shared)
  resolver.resolveAll()
  const drafts = new Map<string, Draft>()
  for (const draft of internalDrafts(shared, resolver)) drafts.set(draft.name, draft)
  for (const entry of shared.merged.routers.values()) {
    drafts.set(entry.qualified, draftRouter(shared, resolver, entry))
  }
  const additions = additionsOf(shared, resolver)
  refuseBrokenEntryPoints(shared, drafts, additions)
  resolveTree(shared, drafts)
  const generation: Generation = {
    ...emptyGeneration(),
    number,
    routers: planRouters(drafts, additions),
    services: resolver.services,
    middlewares: resolver.middlewares,
    transports: resolver.transports,
  }
  let status: RuntimeStatus | null = null
  return {
    generation,
    problems: shared.problems,
    get status() {
      return (status ??= statusOf(shared, resolver, drafts.values()))
    },
  }
}

// The reason was told once, for the entry point.
function refuseBrokenEntryPoints(
  shared: Compilation,
  drafts: ReadonlyMap<string, Draft>,
  additions: Additions,
): void {
  for (const draft of drafts.values()) {
    const broken = draft.entryPoints.filter((name) => additions.get(name) === null)
    if (broken.length === 0) continue
    const message = `a middleware of the entry point ${broken.join(', ')} is missing or disabled`
    draft.entryPoints = draft.entryPoints.filter((name) => !broken.includes(name))
    if (draft.entryPoints.length === 0) failRouter(shared, draft, [], message)
    else draft.warnings.push(message)
  }
}

function planRouters(
  drafts: ReadonlyMap<string, Draft>,
  additions: Additions,
): Map<string, RouterPlan> {
  const plans = new Map<string, RouterPlan>()
  const named = new Map<string, readonly RouterPlan[]>() // of each root: its plans
  for (const draft of drafts.values()) {
    if (draft.errors.length > 0 || draft.parents.length > 0) continue
    const own = plansOf(draft, additions, drafts)
    named.set(draft.name, own)
    for (const plan of own) plans.set(plan.name, plan)
  }
  for (const draft of drafts.values()) {
    if (draft.errors.length > 0 || draft.parents.length === 0) continue
    const roots = rootsOf(drafts, draft).flatMap((name) => named.get(name) ?? [])
    const parents = draft.parents.flatMap(
      (name) => named.get(name)?.map((plan) => plan.name) ?? [name],
    )
    plans.set(draft.name, childPlan(draft, parents, roots))
  }
  return plans
}

function rootsOf(drafts: ReadonlyMap<string, Draft>, start: Draft): string[] {
  const roots: string[] = []
  const seen = new Set<string>()
  const open = [...start.parents]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue
    seen.add(name)
    const parents = drafts.get(name)!.parents
    if (parents.length === 0) roots.push(name)
    open.push(...parents)
  }
  return roots
}
