// core/route/predicate.ts: what is left of a rule once host and path have been looked up.
//
// Hot: yes, for routes that have such a rest. One class for all kinds and a switch, so that the call
// site stays monomorphic and evaluation allocates nothing (escaped queries and non-ASCII values aside).

import { AddressSet } from '../address.ts'
import type { Exchange } from '../exchange.ts'
import { HOST as HOST_HEADER, headerIdOf } from '../header-ids.ts'
import { bytesOfText } from '../percent.ts'
import type { SafeRegex } from '../regex.ts'
import { headerMatches, queryMatches } from './values.ts'
import {
  CLIENT_IP,
  HEADER,
  HEADER_REGEXP,
  HOST,
  HOST_REGEXP,
  METHOD,
  PATH,
  PATH_PREFIX,
  PATH_REGEXP,
  QUERY,
  QUERY_REGEXP,
  RULE_AND,
  RULE_LEAF,
  type RuleLeaf,
  type RuleNode,
} from './rule.ts'

const ALL = 100
const ANY = 101

export class Predicate {
  readonly kind: number // a matcher id, ALL or ANY
  readonly rule: RuleNode // what it was made of, for explanations
  readonly negated: boolean
  readonly name: string
  readonly headerId: number
  readonly value: string
  readonly regex: SafeRegex | null
  readonly addresses: AddressSet | null
  readonly nodes: readonly Predicate[] // of ALL and ANY

  constructor(rule: RuleNode, regex: SafeRegex | null, nodes: readonly Predicate[]) {
    const leaf = rule.op === RULE_LEAF ? rule : null
    this.kind = leaf !== null ? leaf.matcher : rule.op === RULE_AND ? ALL : ANY
    this.rule = rule
    this.negated = leaf !== null && leaf.negated
    this.name = leaf === null ? '' : nameOf(leaf)
    this.headerId = headerIdOf(this.name)
    this.value = leaf === null ? '' : valueOf(leaf)
    this.regex = regex
    this.addresses = this.kind === CLIENT_IP ? new AddressSet([this.value]) : null
    this.nodes = nodes
  }
}

function nameOf(leaf: RuleLeaf): string {
  return leaf.name
}

// Header bytes are compared as they arrived, all else as text.
function valueOf(leaf: RuleLeaf): string {
  return leaf.matcher === HEADER ? bytesOfText(leaf.value) : leaf.value
}

export function isRegexMatcher(matcher: number): boolean {
  return (
    matcher === HOST_REGEXP ||
    matcher === PATH_REGEXP ||
    matcher === HEADER_REGEXP ||
    matcher === QUERY_REGEXP
  )
}

// `regexOf` lets the builder share one compiled expression between routes.
export function compilePredicate(
  rule: RuleNode,
  regexOf: (source: string) => SafeRegex,
): Predicate {
  if (rule.op === RULE_LEAF) {
    return new Predicate(rule, isRegexMatcher(rule.matcher) ? regexOf(rule.value) : null, [])
  }
  return new Predicate(
    rule,
    null,
    rule.nodes.map((node) => compilePredicate(node, regexOf)),
  )
}

export function holdsAll(predicates: readonly Predicate[], exchange: Exchange): boolean {
  for (let i = 0; i < predicates.length; i++) if (!holds(predicates[i]!, exchange)) return false
  return true
}

// Depth is bounded by the parser (RULE_DEPTH_MAX).
export function holds(predicate: Predicate, exchange: Exchange): boolean {
  if (predicate.kind === ALL) return holdsAll(predicate.nodes, exchange)
  if (predicate.kind === ANY) return holdsAny(predicate.nodes, exchange)
  return holdsLeaf(predicate, exchange) !== predicate.negated
}

function holdsAny(predicates: readonly Predicate[], exchange: Exchange): boolean {
  for (let i = 0; i < predicates.length; i++) if (holds(predicates[i]!, exchange)) return true
  return false
}

function holdsLeaf(predicate: Predicate, exchange: Exchange): boolean {
  switch (predicate.kind) {
    case HOST:
      return hostMatches(predicate.value, exchange.host)
    case HOST_REGEXP:
      return predicate.regex!.test(exchange.host)
    case PATH:
      return exchange.routingPath === predicate.value
    case PATH_PREFIX:
      return exchange.routingPath.startsWith(predicate.value)
    case PATH_REGEXP:
      return predicate.regex!.test(exchange.routingPath)
    case METHOD:
      return exchange.method === predicate.value
    case HEADER:
    case HEADER_REGEXP:
      // Host is not among the headers for Traefik's matchers (Go takes it out), so it never matches.
      return predicate.headerId !== HOST_HEADER && headerMatches(exchange, predicate)
    case QUERY:
    case QUERY_REGEXP:
      return queryMatches(exchange.query, predicate)
    case CLIENT_IP:
      return predicate.addresses!.contains(exchange.clientAddress)
    default:
      return false // TCP matchers; the parser refuses them in HTTP rules
  }
}

// `pattern` is a host, "*" or "*.x" (one label, no more and no less); the empty host matches nothing.
export function hostMatches(pattern: string, host: string): boolean {
  if (host === '') return false
  if (pattern === '*' || pattern === host) return true
  if (pattern.charCodeAt(0) !== 42) return false
  const dot = host.indexOf('.')
  return dot > 0 && host.length - dot === pattern.length - 1 && host.endsWith(pattern.slice(1))
}
