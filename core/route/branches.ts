// core/route/branches.ts: a rule as alternatives, each with the host and path it can be looked up by.
//
// Not hot. A rule is spread over its "||" as long as that stays small (BRANCHES_MAX); what is not spread
// stays in the branch as a predicate, so the result is always exact and only the look-up gets coarser:
//
//   (Host(`a`) || Host(`b`)) && PathPrefix(`/x`) && Method(`GET`)
//   => { host =a, path /x*, rest Method }  { host =b, path /x*, rest Method }

import { literalPrefixOf } from '../regex.ts'
import {
  HOST,
  HOST_REGEXP,
  PATH,
  PATH_PREFIX,
  PATH_REGEXP,
  RULE_AND,
  RULE_LEAF,
  type MatcherId,
  type RuleLeaf,
  type RuleNode,
} from './rule.ts'

export const BRANCHES_MAX = 2048 // alternatives of one rule; the rest is evaluated as written

export const HOST_EXACT = 0
export const HOST_LABEL = 1 // "*.x": kept as "x"
export const HOST_PATTERN = 2
export const HOST_ANY = 3
export type HostKind = typeof HOST_EXACT | typeof HOST_LABEL | typeof HOST_PATTERN | typeof HOST_ANY

export interface Branch {
  readonly hostKind: HostKind
  readonly host: string
  readonly pathIsExact: boolean
  readonly path: string // '' when the branch does not care
  readonly rest: readonly RuleNode[] // what host and path do not already say
}

export function branchesOf(rule: RuleNode): Branch[] {
  return spread(rule).map(branchOf)
}

// Each alternative is a list of nodes that must all hold.
function spread(rule: RuleNode): RuleNode[][] {
  if (rule.op === RULE_LEAF) return [[rule]]
  if (rule.op === RULE_AND) return spreadAnd(rule.nodes)
  const all: RuleNode[][] = []
  for (const node of rule.nodes) {
    for (const alternative of spread(node)) all.push(alternative)
    if (all.length > BRANCHES_MAX) return [[rule]]
  }
  return all
}

// Alternatives over hosts are spread first: the host table is where looking up gains most.
function spreadAnd(nodes: readonly RuleNode[]): RuleNode[][] {
  let all: RuleNode[][] = [[]]
  const ordered = nodes.toSorted((a, b) => Number(hasHost(b)) - Number(hasHost(a)))
  for (const node of ordered) {
    const alternatives = spread(node)
    const fits = all.length * alternatives.length <= BRANCHES_MAX
    const chosen = fits ? alternatives : [[node]]
    all = all.flatMap((left) => chosen.map((right) => [...left, ...right]))
  }
  return all
}

function hasHost(node: RuleNode): boolean {
  return node.op === RULE_LEAF ? node.matcher === HOST : node.nodes.some(hasHost)
}

function branchOf(nodes: readonly RuleNode[]): Branch {
  const hostLeaf = hostLeafOf(nodes)
  const path = pathOf(nodes)
  const rest = nodes.filter((node) => node !== hostLeaf && node !== path.leaf)
  return { ...hostOf(hostLeaf), pathIsExact: path.isExact, path: path.text, rest }
}

function leavesOf(nodes: readonly RuleNode[], matcher: MatcherId): RuleLeaf[] {
  return nodes.filter(
    (node): node is RuleLeaf => node.op === RULE_LEAF && node.matcher === matcher && !node.negated,
  )
}

function hostLeafOf(nodes: readonly RuleNode[]): RuleLeaf | null {
  const hosts = leavesOf(nodes, HOST).filter((leaf) => leaf.value !== '*')
  const exact = hosts.find((leaf) => !leaf.value.startsWith('*'))
  return exact ?? hosts[0] ?? leavesOf(nodes, HOST_REGEXP)[0] ?? null
}

function hostOf(leaf: RuleLeaf | null): { hostKind: HostKind; host: string } {
  if (leaf === null) return { hostKind: HOST_ANY, host: '' }
  if (leaf.matcher === HOST_REGEXP) return { hostKind: HOST_PATTERN, host: leaf.value }
  if (leaf.value.startsWith('*.')) return { hostKind: HOST_LABEL, host: leaf.value.slice(2) }
  return { hostKind: HOST_EXACT, host: leaf.value }
}

interface PathKey {
  readonly leaf: RuleLeaf | null // the leaf that the look-up makes superfluous
  readonly isExact: boolean
  readonly text: string
}

// An anchored expression is looked up by what it must begin with, and still evaluated.
function pathOf(nodes: readonly RuleNode[]): PathKey {
  const exact = leavesOf(nodes, PATH)[0]
  if (exact !== undefined) return { leaf: exact, isExact: true, text: exact.value }
  let best: PathKey = { leaf: null, isExact: false, text: '' }
  for (const leaf of leavesOf(nodes, PATH_PREFIX)) {
    if (leaf.value.length > best.text.length) best = { leaf, isExact: false, text: leaf.value }
  }
  for (const leaf of leavesOf(nodes, PATH_REGEXP)) {
    const prefix = literalPrefixOf(leaf.value)
    if (prefix.length > best.text.length) best = { leaf: null, isExact: false, text: prefix }
  }
  return best
}
