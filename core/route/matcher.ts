// core/route/matcher.ts: finds the router of a request.
//
// Hot: yes (match). Made by matcher-builder.ts, immutable but for its memo of hosts; one per entry point
// and worker, owned by the generation. Equal to a linear scan over all rules, best first; a property
// test holds it to that (reference.ts).
//
//   host -> plan: the groups whose host condition holds        "a.com" -> [=a.com, ~^a, any], best first
//   group -> trie of paths -> entries -> what is left of the rule

import type { Exchange } from '../exchange.ts'
import type { SafeRegex } from '../regex.ts'
import { HOST_ANY, HOST_EXACT, HOST_LABEL, HOST_PATTERN, type HostKind } from './branches.ts'
import type { RuleNode } from './rule.ts'
import {
  beats,
  compareCandidates,
  findInList,
  findInTrie,
  type Candidate,
  type Entry,
  type TrieNode,
} from './trie.ts'

export interface RouteSpec<T> {
  readonly rule: RuleNode
  readonly priority: number
  readonly rank: number // precedence of the provider: the lower wins among equal priorities
  readonly name: string // unique; the lower in code unit order wins among equal ranks
  readonly value: T
}

// A router in the table, with the places where its branches stand.
export interface CompiledRoute<T> extends Candidate, RouteSpec<T> {
  readonly groups: readonly GroupKey[]
}

export interface GroupKey {
  readonly kind: HostKind
  readonly host: string
}

// All branches that share a host condition.
export interface Group {
  readonly kind: HostKind
  readonly host: string
  readonly regex: SafeRegex | null // of HOST_PATTERN
  readonly hostPrefix: string // of HOST_PATTERN: what the host must begin with; spares most expressions
  readonly entries: readonly Entry[] // best first
  readonly keys: readonly number[] // of the entries' paths, see path-key.ts; [] when there is a trie
  readonly root: TrieNode | null // null for groups of few entries, which are scanned
}

// Hosts that no rule names outright and that are remembered nevertheless; beyond that all are forgotten.
const STRANGERS_MAX = 4096 // about 1 MiB
const MEMO_HOST_LENGTH_MAX = 255

export class GroupTable {
  // Indexed by HostKind; HOST_ANY holds at most the one group ''.
  readonly maps: readonly Map<string, Group>[]

  constructor(from: GroupTable | null) {
    const kinds = [HOST_EXACT, HOST_LABEL, HOST_PATTERN, HOST_ANY]
    this.maps = kinds.map((kind) => new Map(from === null ? [] : from.maps[kind]))
  }

  get(kind: HostKind, host: string): Group | null {
    return this.maps[kind]!.get(host) ?? null
  }
}

export class Matcher<T> {
  readonly routes: ReadonlyMap<string, CompiledRoute<T>>
  readonly groups: GroupTable
  private readonly plans = new Map<string, readonly Group[]>()
  private readonly anyPlan: readonly Group[]
  private readonly plansMax: number
  private readonly hasPatterns: boolean // of hosts: HostRegexp, or `*.x`

  constructor(routes: ReadonlyMap<string, CompiledRoute<T>>, groups: GroupTable) {
    this.routes = routes
    this.groups = groups
    this.anyPlan = [...groups.maps[HOST_ANY]!.values()]
    this.hasPatterns = groups.maps[HOST_LABEL]!.size + groups.maps[HOST_PATTERN]!.size > 0
    this.plansMax = groups.maps[HOST_EXACT]!.size + STRANGERS_MAX
  }

  match(exchange: Exchange): T | null {
    const route = this.find(exchange)
    return route === null ? null : route.value
  }

  find(exchange: Exchange): CompiledRoute<T> | null {
    const plan = this.plans.get(exchange.host) ?? this.makePlan(exchange.host)
    let best: Entry | null = null
    for (let i = 0; i < plan.length; i++) {
      const group = plan[i]!
      // Plans are in order of their best entries: nothing after this one can win either.
      if (best !== null && !beats(group.entries[0]!.candidate, best.candidate)) break
      best =
        group.root === null
          ? findInList(group.entries, group.keys, exchange, best)
          : findInTrie(group.root, exchange, best)
    }
    return best === null ? null : (best.candidate as CompiledRoute<T>)
  }

  // For tests and the heap's sake: bounded whatever clients send.
  get hostsRemembered(): number {
    return this.plans.size
  }

  private makePlan(host: string): readonly Group[] {
    const named = this.groups.get(HOST_EXACT, host)
    // The usual stranger: no rule could name it, so nothing is made and nothing remembered.
    if (named === null && !this.hasPatterns) return this.anyPlan
    const plan = this.groupsOf(host)
    if (host.length > MEMO_HOST_LENGTH_MAX) return plan
    if (this.plans.size >= this.plansMax) this.plans.clear()
    this.plans.set(named === null ? ownCopy(host) : named.host, plan)
    return plan
  }

  private groupsOf(host: string): Group[] {
    const plan = [...this.anyPlan]
    const named = this.groups.get(HOST_EXACT, host)
    if (named !== null) plan.push(named)
    const dot = host.indexOf('.')
    const label = dot > 0 ? this.groups.get(HOST_LABEL, host.slice(dot + 1)) : null
    if (label !== null) plan.push(label)
    for (const group of this.groups.maps[HOST_PATTERN]!.values()) {
      if (host.startsWith(group.hostPrefix) && group.regex!.test(host)) plan.push(group)
    }
    return plan.sort((a, b) => compareCandidates(a.entries[0]!.candidate, b.entries[0]!.candidate))
  }
}

// `host` is a slice of the request's head; as a key of the memo it would keep the whole head alive.
function ownCopy(host: string): string {
  return ('.' + host).slice(1)
}
