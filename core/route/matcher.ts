// core/route/matcher.ts: finds the router of a request.
//
// Hot: yes (match). Made by matcher-builder.ts, immutable but for its memo of hosts; one per entry point
// and worker, owned by the generation. Equal to a linear scan over all rules, best first; a property
// test holds it to that (reference.ts).
//
//   host -> plan: the groups whose host condition holds        "a.com" -> [=a.com, ~^a, any], best first
//   group -> trie of paths -> entries -> what is left of the rule

import type { Exchange } from '../exchange.ts'
import { HOST_SLOTS, NO_SLOT, ownCopy } from '../normalise-host.ts'
import type { MapCopies } from '../map-copy.ts'
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

// Where to look for a host: the group whose best entry is best of all, unfolded, and the others, which most hosts
// do not have. In a table that no cache holds, each object on the way to a router is a wait for memory.
class HostPlan {
  host = '' // of the request that asked last: normalise-host.ts gives the next one the same string object
  readonly keys: readonly number[]
  readonly entries: readonly Entry[]
  readonly root: TrieNode | null
  readonly others: readonly Group[] | null // in order of their best entries

  constructor(groups: readonly Group[]) {
    const first = groups[0]
    this.keys = first === undefined ? [] : first.keys
    this.entries = first === undefined ? [] : first.entries
    this.root = first === undefined ? null : first.root
    this.others = groups.length > 1 ? groups.slice(1) : null
  }
}

// Hosts that no rule names outright and that are remembered nevertheless; beyond that all are forgotten.
const STRANGERS_MAX = 4096 // about 1 MiB
const MEMO_HOST_LENGTH_MAX = 255

export class GroupTable {
  // Indexed by HostKind; HOST_ANY holds at most the one group ''.
  readonly maps: readonly Map<string, Group>[]

  constructor(from: GroupTable | null, copies: MapCopies) {
    const kinds = [HOST_EXACT, HOST_LABEL, HOST_PATTERN, HOST_ANY]
    this.maps = kinds.map(() => new Map<string, Group>())
    if (from !== null) for (const kind of kinds) copies.add(from.maps[kind]!, this.maps[kind]!)
  }

  get(kind: HostKind, host: string): Group | null {
    return this.maps[kind]!.get(host) ?? null
  }
}

export class Matcher<T> {
  readonly routes: ReadonlyMap<string, CompiledRoute<T>>
  readonly groups: GroupTable
  private readonly plans = new Map<string, HostPlan>()
  private readonly anyPlan: HostPlan
  private readonly plansMax: number
  private readonly recent: (HostPlan | null)[] // by the slot of the host: a Map is five waits for memory
  private readonly hasPatterns: boolean // of hosts: HostRegexp, or `*.x`

  constructor(routes: ReadonlyMap<string, CompiledRoute<T>>, groups: GroupTable) {
    this.routes = routes
    this.groups = groups
    this.anyPlan = new HostPlan([...groups.maps[HOST_ANY]!.values()])
    this.hasPatterns = groups.maps[HOST_LABEL]!.size + groups.maps[HOST_PATTERN]!.size > 0
    this.plansMax = groups.maps[HOST_EXACT]!.size + STRANGERS_MAX
    this.recent = Array.from({ length: recentSizeFor(groups) }, () => null)
  }

  match(exchange: Exchange): T | null {
    const entry = this.findEntry(exchange)
    return entry === null ? null : (entry.value as T)
  }

  find(exchange: Exchange): CompiledRoute<T> | null {
    const entry = this.findEntry(exchange)
    return entry === null ? null : (entry.candidate as CompiledRoute<T>)
  }

  private findEntry(exchange: Exchange): Entry | null {
    const { root, others, entries, keys } = this.planOf(exchange)
    const best =
      root === null ? findInList(entries, keys, exchange, null) : findInTrie(root, exchange, null)
    return others === null ? best : findInOthers(others, exchange, best)
  }

  private planOf(exchange: Exchange): HostPlan {
    const { host, hostSlot } = exchange
    const at = hostSlot & (this.recent.length - 1)
    const recent = this.recent[at]!
    if (recent !== null && recent.host === host) return recent
    const plan = this.plans.get(host) ?? this.makePlan(host)
    if (hostSlot === NO_SLOT || plan === this.anyPlan) return plan
    plan.host = host
    this.recent[at] = plan
    return plan
  }

  // For tests and the heap's sake: bounded whatever clients send.
  get hostsRemembered(): number {
    return this.plans.size
  }

  private makePlan(host: string): HostPlan {
    const named = this.groups.get(HOST_EXACT, host)
    // The usual stranger: no rule could name it, so nothing is made and nothing remembered.
    if (named === null && !this.hasPatterns) return this.anyPlan
    const plan = new HostPlan(this.groupsOf(host))
    if (host.length > MEMO_HOST_LENGTH_MAX) return plan
    if (this.plans.size >= this.plansMax) this.plans.clear()
    this.plans.set(named === null ? ownCopy(host) : named.host, plan)
    return plan
  }

  private groupsOf(host: string): Group[] {
    const plan = [...this.groups.maps[HOST_ANY]!.values()]
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

// A power of two. Small for the few hosts of most tables: each entry point and each parent has one of its own.
function recentSizeFor({ maps }: GroupTable): number {
  let size = 1
  while (size < HOST_SLOTS && size < 2 * maps[HOST_EXACT]!.size) size *= 2
  return size
}

function findInOthers(
  groups: readonly Group[],
  exchange: Exchange,
  found: Entry | null,
): Entry | null {
  let best = found
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i]!
    // Nothing after this one can win either.
    if (best !== null && !beats(group.entries[0]!.candidate, best.candidate)) break
    best =
      group.root === null
        ? findInList(group.entries, group.keys, exchange, best)
        : findInTrie(group.root, exchange, best)
  }
  return best
}
