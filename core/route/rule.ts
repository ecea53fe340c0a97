// core/route/rule.ts: a router's rule as a tree: what the parser makes and the matcher compiles.
//
// Plain data without classes or functions, so that it crosses from supervisor to workers by structured
// clone. Negation stands at the leaves only: the parser pushes it inward (De Morgan).
//
//   Host(`a.com`) && !Path(`/x`)
//   { op: RULE_AND, nodes: [{ op: RULE_LEAF, matcher: HOST, negated: false, name: '', value: 'a.com' },
//                           { op: RULE_LEAF, matcher: PATH, negated: true, name: '', value: '/x' }] }

export type RuleKind = 'http' | 'tcp'

export const RULE_AND = 0
export const RULE_OR = 1
export const RULE_LEAF = 2

export const HOST = 0
export const HOST_REGEXP = 1
export const PATH = 2
export const PATH_PREFIX = 3
export const PATH_REGEXP = 4
export const METHOD = 5
export const HEADER = 6
export const HEADER_REGEXP = 7
export const QUERY = 8
export const QUERY_REGEXP = 9
export const CLIENT_IP = 10
export const HOST_SNI = 11
export const HOST_SNI_REGEXP = 12
export const ALPN = 13
export type MatcherId =
  | typeof HOST
  | typeof HOST_REGEXP
  | typeof PATH
  | typeof PATH_PREFIX
  | typeof PATH_REGEXP
  | typeof METHOD
  | typeof HEADER
  | typeof HEADER_REGEXP
  | typeof QUERY
  | typeof QUERY_REGEXP
  | typeof CLIENT_IP
  | typeof HOST_SNI
  | typeof HOST_SNI_REGEXP
  | typeof ALPN

export const matcherNames = [
  'Host',
  'HostRegexp',
  'Path',
  'PathPrefix',
  'PathRegexp',
  'Method',
  'Header',
  'HeaderRegexp',
  'Query',
  'QueryRegexp',
  'ClientIP',
  'HostSNI',
  'HostSNIRegexp',
  'ALPN',
] as const

export interface RuleLeaf {
  readonly op: typeof RULE_LEAF
  readonly matcher: MatcherId
  readonly negated: boolean
  readonly name: string // lower-case header name, or query key; '' for the others
  // As it is compared: hosts in lower case without trailing dot, methods in upper case.
  readonly value: string
}

export interface RuleBranch {
  readonly op: typeof RULE_AND | typeof RULE_OR
  readonly nodes: readonly RuleNode[] // two at least
}

export type RuleNode = RuleLeaf | RuleBranch

export function sameRule(a: RuleNode, b: RuleNode): boolean {
  if (a === b) return true
  if (a.op === RULE_LEAF || b.op === RULE_LEAF) {
    return a.op === RULE_LEAF && b.op === RULE_LEAF && sameLeaf(a, b)
  }
  if (a.op !== b.op || a.nodes.length !== b.nodes.length) return false
  return a.nodes.every((node, i) => sameRule(node, b.nodes[i]!))
}

function sameLeaf(a: RuleLeaf, b: RuleLeaf): boolean {
  return (
    a.matcher === b.matcher && a.negated === b.negated && a.name === b.name && a.value === b.value
  )
}

// One leaf in the words of the configuration: !Path(`/x`).
export function leafText(leaf: RuleLeaf): string {
  const args = leaf.name === '' ? [leaf.value] : [leaf.name, leaf.value]
  const shown = args.map((text) => '`' + text + '`').join(', ')
  return `${leaf.negated ? '!' : ''}${matcherNames[leaf.matcher]}(${shown})`
}

export function ruleText(node: RuleNode): string {
  if (node.op === RULE_LEAF) return leafText(node)
  const parts = node.nodes.map((child) =>
    child.op === RULE_LEAF ? leafText(child) : `(${ruleText(child)})`,
  )
  return parts.join(node.op === RULE_AND ? ' && ' : ' || ')
}
