// core/route/matcher-builder.ts: makes a Matcher from the previous one and what changed.
//
// Not hot, but runs in the worker between requests: buildSlice() does a bounded piece of work, so that
// 10,000 routers are built over several turns of the event loop. Groups that no changed router touches
// are taken over as they are; a router that is set again unchanged changes nothing.

import { MapCopies } from '../map-copy.ts'
import { ownCopy } from '../normalise-host.ts'
import { compileRegex, literalPrefixOf, type SafeRegex } from '../regex.ts'
import { HOST_PATTERN, branchesOf, type Branch } from './branches.ts'
import { compilePredicate } from './predicate.ts'
import { sameRule } from './rule.ts'
import {
  GroupTable,
  Matcher,
  type CompiledRoute,
  type Group,
  type GroupKey,
  type RouteSpec,
} from './matcher.ts'
import { pathKeyOf } from './path-key.ts'
import { TrieNode, compareCandidates, insertEntry, linkTrie, type Entry } from './trie.ts'

// Up to here the entries of a group are scanned by their keys. 10,000 routers on 1,000 hosts, 500 of them
// asked for in turn: 2.9 us for a whole exchange without its sockets, with tries 3.3, with plain lists 3.4.
const SCANNED_MAX = 24

const COPIES = 20 // entries of a map are copied in the time of one other step

// A group whose routers change: what it held, what comes, and how far the new trie is.
interface Rebuild {
  readonly key: GroupKey
  readonly added: Entry[]
  entries: Entry[] | null // null until the building of this group begins
  root: TrieNode
  at: number
}

export class MatcherBuilder<T> {
  private readonly routes = new Map<string, CompiledRoute<T>>()
  private readonly copies = new MapCopies() // of what the previous matcher holds
  private readonly groups: GroupTable
  private readonly pending = new Map<string, RouteSpec<T> | null>()
  private readonly gone = new Set<unknown>() // routers whose entries leave their groups
  private readonly rebuilds = new Map<string, Rebuild>()
  private readonly regexes = new Map<string, SafeRegex>()
  private readonly regexOf = (source: string): SafeRegex => this.sharedRegex(source)

  private readonly scannedMax: number

  // `scannedMax` is for tests, which want a trie for everything.
  constructor(previous: Matcher<T> | null, scannedMax: number = SCANNED_MAX) {
    this.scannedMax = scannedMax
    if (previous !== null) this.copies.add(previous.routes, this.routes)
    this.groups = new GroupTable(previous === null ? null : previous.groups, this.copies)
  }

  set(spec: RouteSpec<T>): void {
    this.pending.set(spec.name, spec)
  }

  remove(name: string): void {
    this.pending.set(name, null)
  }

  // Does about `operations` small steps (one branch compiled or inserted, or COPIES entries taken over); true when
  // all is done.
  buildSlice(operations: number): boolean {
    if (!this.copies.step(operations * COPIES)) return false
    let left = operations
    for (const [name, spec] of this.pending) {
      if (left <= 0) return false
      this.pending.delete(name)
      left -= this.apply(name, spec)
    }
    for (const [id, rebuild] of this.rebuilds) {
      if (left <= 0) return false
      left -= this.continueRebuild(rebuild, left)
      if (rebuild.entries !== null && rebuild.at === rebuild.entries.length) {
        this.finishRebuild(rebuild)
        this.rebuilds.delete(id)
      }
    }
    return this.pending.size === 0 && this.rebuilds.size === 0
  }

  // The end of the builder: its tables now belong to the matcher and may not change any more.
  finish(): Matcher<T> {
    while (!this.buildSlice(Number.MAX_SAFE_INTEGER));
    return new Matcher(this.routes, this.groups)
  }

  // Returns how many operations it was.
  private apply(name: string, spec: RouteSpec<T> | null): number {
    const old = this.routes.get(name)
    if (old !== undefined) {
      if (spec !== null && isSame(old, spec)) return 1
      this.gone.add(old)
      for (const key of old.groups) this.rebuildOf(key)
      this.routes.delete(name)
    }
    return spec === null ? 1 : this.add(spec)
  }

  private add(spec: RouteSpec<T>): number {
    const branches = branchesOf(spec.rule)
    const route: CompiledRoute<T> = { ...spec, groups: groupKeysOf(branches) }
    for (const branch of branches) {
      const rebuild = this.rebuildOf({ kind: branch.hostKind, host: branch.host })
      rebuild.added.push(this.entryOf(route, branch))
    }
    this.routes.set(spec.name, route)
    return branches.length
  }

  private entryOf(candidate: CompiledRoute<T>, branch: Branch): Entry {
    const rest =
      branch.rest.length === 0
        ? null
        : branch.rest.map((node) => compilePredicate(node, this.regexOf))
    return {
      candidate,
      value: candidate.value,
      pathIsExact: branch.pathIsExact,
      path: branch.path,
      rest,
    }
  }

  private rebuildOf(key: GroupKey): Rebuild {
    const id = key.kind + key.host
    const known = this.rebuilds.get(id)
    if (known !== undefined) {
      restart(known)
      return known
    }
    const rebuild: Rebuild = { key, added: [], entries: null, root: new TrieNode(''), at: 0 }
    this.rebuilds.set(id, rebuild)
    return rebuild
  }

  private continueRebuild(rebuild: Rebuild, operations: number): number {
    rebuild.entries ??= this.entriesOf(rebuild)
    const { entries } = rebuild
    const end = Math.min(entries.length, rebuild.at + operations)
    const done = end - rebuild.at
    if (entries.length > this.scannedMax) {
      for (let i = rebuild.at; i < end; i++) insertEntry(rebuild.root, entries[i]!)
    }
    rebuild.at = end
    return done + 1
  }

  private entriesOf(rebuild: Rebuild): Entry[] {
    const old = this.groups.get(rebuild.key.kind, rebuild.key.host)
    // The old ones are in order already, which the sort makes use of.
    const entries = [...(old === null ? [] : old.entries), ...rebuild.added]
      .filter((entry) => !this.gone.has(entry.candidate))
      .sort((a, b) => compareCandidates(a.candidate, b.candidate))
    return entries.length > this.scannedMax ? entries : entries.map(copyOf)
  }

  private finishRebuild(rebuild: Rebuild): void {
    const { kind, host } = rebuild.key
    const entries = rebuild.entries!
    if (entries.length === 0) {
      this.groups.maps[kind]!.delete(host)
      return
    }
    const root = entries.length > this.scannedMax ? rebuild.root : null
    if (root !== null) linkTrie(root)
    const regex = kind === HOST_PATTERN ? this.sharedRegex(host) : null
    const hostPrefix = kind === HOST_PATTERN ? literalPrefixOf(host) : ''
    const keys = root === null ? entries.map((entry) => pathKeyOf(entry.path)) : []
    const group: Group = { kind, host, regex, hostPrefix, entries, keys, root }
    this.groups.maps[kind]!.set(host, group)
  }

  private sharedRegex(source: string): SafeRegex {
    const known = this.regexes.get(source)
    if (known !== undefined) return known
    const regex = compileRegex(source)
    this.regexes.set(source, regex)
    return regex
  }
}

// Copies that are made in one go lie together: what one request scans is then a page of memory or two, and not one for
// each entry and one more for the text of its rule.
function copyOf(entry: Entry): Entry {
  return { ...entry, path: ownCopy(entry.path) }
}

function isSame<T>(a: RouteSpec<T>, b: RouteSpec<T>): boolean {
  return (
    a.value === b.value &&
    a.priority === b.priority &&
    a.rank === b.rank &&
    sameRule(a.rule, b.rule)
  )
}

// A router was set between two slices: what was inserted so far may be wrong.
function restart(rebuild: Rebuild): void {
  if (rebuild.entries === null) return
  rebuild.entries = null
  rebuild.root = new TrieNode('')
  rebuild.at = 0
}

function groupKeysOf(branches: readonly Branch[]): GroupKey[] {
  const keys = new Map<string, GroupKey>()
  for (const { hostKind, host } of branches) {
    keys.set(hostKind + host, { kind: hostKind, host })
  }
  return [...keys.values()]
}
