// core/tcp/matcher.ts: which TCP router takes a connection: HostSNI, HostSNIRegexp, ALPN and ClientIP.
//
// Owner:  one matcher per entry point and kind (clear, TLS) of a generation; immutable.
// Hot:    no, once per connection. Rules that ask for one exact name or wildcard lie in tables, so that 10,000
//         of them cost two look-ups; the rest is scanned. The answer is that of a scan over all.
//
// Highest priority first, then the lower rank of the provider, then the lower name (traefik.md 2.2, 2.5).

import { AddressSet } from '../address.ts'
import { type SafeRegex, compileRegex } from '../regex.ts'
import {
  ALPN,
  CLIENT_IP,
  HOST_SNI,
  HOST_SNI_REGEXP,
  RULE_AND,
  RULE_LEAF,
  RULE_OR,
  type RuleLeaf,
  type RuleNode,
} from '../route/rule.ts'
import { hostMatches } from '../route/predicate.ts'

export interface TcpFacts {
  readonly isTls: boolean
  readonly sni: string // as core/tls/client-hello.ts gives it; '' for none and for clear text
  readonly alpn: readonly string[]
  readonly clientAddress: string
}

export interface TcpRoute<Value> {
  readonly rule: RuleNode
  readonly condition: TcpCondition // compileTcpRule(rule), made once: routers outlive matchers
  readonly priority: number
  readonly rank: number
  readonly name: string
  readonly value: Value
}

// Every connection, also one that names nothing: HostSNI(`*`) and nothing else.
export function isCatchAll(rule: RuleNode): boolean {
  return rule.op === RULE_LEAF && rule.matcher === HOST_SNI && !rule.negated && rule.value === '*'
}

// Of a router that sets no priority and whose rule is the catch-all: after all the others.
export const CATCH_ALL_PRIORITY = -1

export function compareRoutes(a: TcpRoute<unknown>, b: TcpRoute<unknown>): number {
  if (a.priority !== b.priority) return b.priority - a.priority
  if (a.rank !== b.rank) return a.rank - b.rank
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}

interface Entry<Value> {
  readonly order: number
  readonly condition: TcpCondition
  readonly value: Value
}

export class TcpMatcher<Value> {
  private readonly byHost = new Map<string, Entry<Value>[]>() // 'a.org' and '*.a.org'
  private readonly others: Entry<Value>[] = []
  readonly size: number

  constructor(routes: readonly TcpRoute<Value>[]) {
    this.size = routes.length
    const sorted = [...routes].sort(compareRoutes)
    sorted.forEach((route, order) => {
      const entry = { order, condition: route.condition, value: route.value }
      const hosts = hostsOf(route.rule)
      if (hosts === null) this.others.push(entry)
      else for (const host of new Set(hosts)) this.addTo(host, entry)
    })
  }

  match(facts: TcpFacts): Value | null {
    let best = firstOf(this.others, facts)
    if (facts.sni === '') return best === null ? null : best.value
    best = earlier(best, firstOf(this.byHost.get(facts.sni), facts))
    const dot = facts.sni.indexOf('.')
    if (dot > 0) best = earlier(best, firstOf(this.byHost.get('*' + facts.sni.slice(dot)), facts))
    return best === null ? null : best.value
  }

  private addTo(host: string, entry: Entry<Value>): void {
    const list = this.byHost.get(host)
    if (list === undefined) this.byHost.set(host, [entry])
    else list.push(entry)
  }
}

function firstOf<Value>(
  entries: readonly Entry<Value>[] | undefined,
  facts: TcpFacts,
): Entry<Value> | null {
  if (entries === undefined) return null
  for (const entry of entries) if (entry.condition.holds(facts)) return entry
  return null
}

function earlier<Value>(a: Entry<Value> | null, b: Entry<Value> | null): Entry<Value> | null {
  if (a === null || b === null) return a ?? b
  return a.order < b.order ? a : b
}

// The names of which one must be the client's for the rule to hold; null when the rule does not need any.
function hostsOf(rule: RuleNode): string[] | null {
  if (rule.op === RULE_LEAF) {
    const isName = rule.matcher === HOST_SNI && !rule.negated && rule.value !== '*'
    return isName ? [rule.value] : null
  }
  const parts = rule.nodes.map(hostsOf)
  if (rule.op === RULE_AND) return parts.find((part) => part !== null) ?? null
  return parts.every((part) => part !== null) ? parts.flat() : null
}

// ---- conditions

export interface TcpCondition {
  holds(facts: TcpFacts): boolean
}

export function compileTcpRule(rule: RuleNode): TcpCondition {
  if (rule.op === RULE_LEAF) return new Leaf(rule)
  return new Join(rule.op === RULE_OR, rule.nodes.map(compileTcpRule))
}

class Join implements TcpCondition {
  private readonly isAny: boolean
  private readonly parts: readonly TcpCondition[]

  constructor(isAny: boolean, parts: readonly TcpCondition[]) {
    this.isAny = isAny
    this.parts = parts
  }

  holds(facts: TcpFacts): boolean {
    for (const part of this.parts) if (part.holds(facts) === this.isAny) return this.isAny
    return !this.isAny
  }
}

class Leaf implements TcpCondition {
  private readonly leaf: RuleLeaf
  private readonly regex: SafeRegex | null
  private readonly addresses: AddressSet | null

  constructor(leaf: RuleLeaf) {
    this.leaf = leaf
    this.regex = leaf.matcher === HOST_SNI_REGEXP ? compileRegex(leaf.value) : null
    this.addresses = leaf.matcher === CLIENT_IP ? new AddressSet([leaf.value]) : null
  }

  holds(facts: TcpFacts): boolean {
    return this.isTrue(facts) !== this.leaf.negated
  }

  private isTrue(facts: TcpFacts): boolean {
    const { matcher, value } = this.leaf
    if (matcher === HOST_SNI) return value === '*' || hostMatches(value, facts.sni)
    if (matcher === HOST_SNI_REGEXP) return this.regex!.test(facts.sni)
    if (matcher === CLIENT_IP) return this.addresses!.contains(facts.clientAddress)
    return matcher === ALPN && facts.alpn.includes(value)
  }
}
