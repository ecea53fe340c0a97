// core/regex/safety.ts: whether V8's backtracking engine may run an expression. Not hot.
//
// Yes only when its work is bounded by a small constant times the length of the input, whatever the
// input. Read from right to left, so that for each choice it is known what may come next:
//
//   ^[a-z]+\.com$      the loop and what follows share no character: giving back never helps     yes
//   ^/api/.*/v1$       they share, but it is the only such loop and none follows it              yes
//   ^(.*)/(.*)$        two of them: quadratic                                                    no
//   [0-9]+x            not anchored: from each digit to the end of the digits, quadratic         no
//   v[0-9]+x           not anchored, but no loop runs over a place where a match may start       yes
//   (a|ab)*            a loop over more than one character                                       no
//   a?a?a?...          choices that share a character double the work each                       no, beyond CHOICES_MAX

import { EVERYTHING, NOTHING, areDisjoint, unionOf, type CharSet } from './sets.ts'
import type { RegexNode } from './syntax.ts'

const CHOICES_MAX = 64 // product of the alternatives that may have to be tried at one place
const COPIES_MAX = 256 // product of bounded repetitions
const SHORT_MAX = 16 // a repetition of one character up to here costs no more than writing it out

// What may follow a node.
interface Next {
  readonly first: CharSet // characters that it may begin with
  readonly open: boolean // nothing follows: whatever has matched so far is a match
}

interface Findings {
  choices: number
  copies: number
  loopsRead: number // loops to the right that may have to give back
  sharing: number // of these, loops that share a character with what follows
  sharingBeforeLoop: boolean // a sharing loop has another loop to its right
  loopSets: CharSet
  hopeless: boolean
}

export function isLinear(node: RegexNode): boolean {
  const findings: Findings = {
    choices: 1,
    copies: 1,
    loopsRead: 0,
    sharing: 0,
    sharingBeforeLoop: false,
    loopSets: NOTHING,
    hopeless: false,
  }
  const next = look(node, { first: NOTHING, open: true }, findings)
  if (findings.hopeless || findings.choices > CHOICES_MAX) return false
  if (isAnchored(node)) return findings.sharing <= 1 && !findings.sharingBeforeLoop
  if (findings.loopsRead === 0) return true
  return findings.sharing === 0 && !next.open && areDisjoint(findings.loopSets, next.first)
}

// Whether every match begins at the beginning of the text.
export function isAnchored(node: RegexNode): boolean {
  if (node.type === 'begin') return true
  if (node.type === 'group') return isAnchored(node.node)
  if (node.type === 'concat') return isAnchored(node.nodes[0]!)
  return node.type === 'either' && node.nodes.every(isAnchored)
}

// Returns what the node followed by `next` may begin with.
function look(node: RegexNode, next: Next, findings: Findings): Next {
  switch (node.type) {
    case 'set':
      return { first: node.set, open: false }
    case 'group':
      return look(node.node, next, findings)
    case 'concat':
      return node.nodes.reduceRight((after, part) => look(part, after, findings), next)
    case 'either':
      return lookEither(node.nodes, next, findings)
    case 'repeat':
      return lookRepeat(node, next, findings)
    case 'empty':
      return next
    case 'end':
      // Nothing can follow; a loop before it gives back in vain, but each try fails at once.
      return { first: NOTHING, open: false }
    default:
      return { first: next.first, open: false }
  }
}

function lookEither(nodes: readonly RegexNode[], next: Next, findings: Findings): Next {
  const starts = nodes.map((node) => look(node, next, findings))
  const first = unionOf(...starts.map((start) => start.first))
  if (!next.open && !arePairwiseDisjoint(starts)) findings.choices *= nodes.length
  return { first, open: starts.some((start) => start.open) }
}

function arePairwiseDisjoint(starts: readonly Next[]): boolean {
  let seen: CharSet = NOTHING
  for (const { first } of starts) {
    if (!areDisjoint(seen, first)) return false
    seen = unionOf(seen, first)
  }
  return true
}

function lookRepeat(
  node: RegexNode & { readonly type: 'repeat' },
  next: Next,
  findings: Findings,
): Next {
  const body = stripGroups(node.node)
  if (body.type === 'set') return lookLoop(body.set, node.min, node.max, next, findings)
  // JavaScript passes over a repetition that matched nothing where Go takes it: not the same matches.
  if (node.max === Infinity || isNullable(body)) {
    findings.hopeless = true
    return { first: EVERYTHING, open: false }
  }
  return lookCopies(node.node, node.min, node.max, next, findings)
}

function isNullable(node: RegexNode): boolean {
  switch (node.type) {
    case 'set':
      return false
    case 'group':
      return isNullable(node.node)
    case 'concat':
      return node.nodes.every(isNullable)
    case 'either':
      return node.nodes.some(isNullable)
    case 'repeat':
      return node.min === 0 || isNullable(node.node)
    default:
      return true
  }
}

function stripGroups(node: RegexNode): RegexNode {
  return node.type === 'group' ? stripGroups(node.node) : node
}

// Repeats one character.
function lookLoop(set: CharSet, min: number, max: number, next: Next, findings: Findings): Next {
  if (!next.open && (max > min || max > SHORT_MAX)) {
    const shares = max > min && !areDisjoint(set, next.first)
    if (max - min > 1 || max > SHORT_MAX) {
      if (shares && findings.loopsRead > 0) findings.sharingBeforeLoop = true
      if (shares) findings.sharing++
      findings.loopsRead++
      findings.loopSets = unionOf(findings.loopSets, set)
    } else if (shares) findings.choices *= 2
  }
  if (min > 0) return { first: set, open: false }
  return { first: unionOf(set, next.first), open: next.open }
}

// Repeats more than one character a bounded number of times: looked at once for each time.
function lookCopies(
  body: RegexNode,
  min: number,
  max: number,
  next: Next,
  findings: Findings,
): Next {
  findings.copies *= Math.max(max, 1)
  if (findings.copies > COPIES_MAX) {
    findings.hopeless = true
    return { first: EVERYTHING, open: false }
  }
  let after = next
  for (let copy = max; copy > 0; copy--) {
    const start = look(body, after, findings)
    const optional = copy > min
    if (optional && !after.open && !areDisjoint(start.first, after.first)) findings.choices *= 2
    after = optional
      ? { first: unionOf(start.first, next.first, after.first), open: start.open || next.open }
      : start
  }
  return after
}
