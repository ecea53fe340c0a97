// core/route/trie.ts: the paths of one host group, as a radix trie of characters.
//
// Hot: yes (findInTrie). Built by matcher-builder.ts, immutable afterwards and shared by generations.
// Path and PathPrefix are raw strings in Traefik (/foo matches /foobar), so nodes part anywhere, not at
// slashes. `up` skips to the nearest shorter prefix that has entries: walking down finds the longest
// match, walking up from there meets every shorter one without keeping a stack.

import type { Exchange } from '../exchange.ts'
import { mayBegin } from './path-key.ts'
import { holdsAll, type Predicate } from './predicate.ts'

// A router as the matcher orders it. Names are unique, so the order is total.
export interface Candidate {
  readonly priority: number
  readonly rank: number
  readonly name: string
}

export interface Entry {
  readonly candidate: Candidate
  readonly value: unknown // the candidate's, here as well: one cache line less for a match
  readonly pathIsExact: boolean
  readonly path: string
  readonly rest: readonly Predicate[] | null // null when host and path say it all
}

// Higher priority, then lower rank (precedence of the provider), then the name in code unit order.
export function beats(a: Candidate, b: Candidate): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority
  if (a.rank !== b.rank) return a.rank < b.rank
  return a.name < b.name
}

export function compareCandidates(a: Candidate, b: Candidate): number {
  return a === b ? 0 : beats(a, b) ? -1 : 1
}

export class TrieNode {
  label: string // what leads here from the parent
  codes: number[] = [] // first characters of the children's labels, ascending
  children: TrieNode[] = []
  exact: Entry[] | null = null // paths that end here, best first
  prefix: Entry[] | null = null // prefixes that end here, best first
  up: TrieNode | null = null // nearest ancestor with prefix entries; set by linkTrie

  constructor(label: string) {
    this.label = label
  }
}

// Entries must come best first: they are appended.
export function insertEntry(root: TrieNode, entry: Entry): void {
  const node = nodeFor(root, entry.path)
  if (entry.pathIsExact) (node.exact ??= []).push(entry)
  else (node.prefix ??= []).push(entry)
}

function nodeFor(root: TrieNode, path: string): TrieNode {
  let node = root
  let at = 0
  while (at < path.length) {
    const index = indexOfCode(node.codes, path.charCodeAt(at))
    if (index < 0) return addChild(node, path.slice(at))
    const child = node.children[index]!
    const common = commonLength(child.label, path, at)
    node = common === child.label.length ? child : splitChild(node, index, common)
    at += common
  }
  return node
}

function commonLength(label: string, path: string, at: number): number {
  let length = 0
  while (length < label.length && label.charCodeAt(length) === path.charCodeAt(at + length)) {
    length++
  }
  return length
}

function addChild(node: TrieNode, label: string): TrieNode {
  const child = new TrieNode(label)
  const code = label.charCodeAt(0)
  let index = node.codes.length
  while (index > 0 && node.codes[index - 1]! > code) index--
  node.codes.splice(index, 0, code)
  node.children.splice(index, 0, child)
  return child
}

// Puts a new node where the child's label parts from the path.
function splitChild(node: TrieNode, index: number, length: number): TrieNode {
  const child = node.children[index]!
  const middle = new TrieNode(child.label.slice(0, length))
  child.label = child.label.slice(length)
  middle.codes.push(child.label.charCodeAt(0))
  middle.children.push(child)
  node.children[index] = middle
  return middle
}

export function linkTrie(root: TrieNode): void {
  const pending = [root]
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const up = node.prefix === null ? node.up : node
    for (const child of node.children) {
      child.up = up
      pending.push(child)
    }
  }
}

function indexOfCode(codes: readonly number[], code: number): number {
  let low = 0
  let high = codes.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const found = codes[middle]!
    if (found === code) return middle
    if (found < code) low = middle + 1
    else high = middle - 1
  }
  return -1
}

// The best entry that matches and beats `best`; else `best` itself.
export function findInTrie(root: TrieNode, exchange: Exchange, best: Entry | null): Entry | null {
  const path = exchange.routingPath
  let node = root
  let at = 0
  let deepest = root
  while (at < path.length) {
    const index = indexOfCode(node.codes, path.charCodeAt(at))
    if (index < 0) break
    const child = node.children[index]!
    if (!path.startsWith(child.label, at)) break
    at += child.label.length
    node = child
    if (node.prefix !== null) deepest = node
  }
  let found = best
  if (at === path.length && node.exact !== null) found = firstOf(node.exact, exchange, found)
  for (let step: TrieNode | null = deepest; step !== null; step = step.up) {
    if (step.prefix !== null) found = firstOf(step.prefix, exchange, found)
  }
  return found
}

// For the few entries of a typical host: no trie is as quick as not having to walk one.
export function findInList(
  entries: readonly Entry[],
  keys: readonly number[],
  exchange: Exchange,
  best: Entry | null,
): Entry | null {
  const path = exchange.routingPath
  for (let i = 0; i < entries.length; i++) {
    if (!mayBegin(keys[i]!, path)) continue
    const entry = entries[i]!
    if (best !== null && !beats(entry.candidate, best.candidate)) return best
    if (entry.pathIsExact ? path !== entry.path : !path.startsWith(entry.path)) continue
    if (entry.rest === null || holdsAll(entry.rest, exchange)) return entry
  }
  return best
}

function firstOf(entries: readonly Entry[], exchange: Exchange, best: Entry | null): Entry | null {
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i]!
    if (best !== null && !beats(entry.candidate, best.candidate)) return best
    if (entry.rest === null || holdsAll(entry.rest, exchange)) return entry
  }
  return best
}
