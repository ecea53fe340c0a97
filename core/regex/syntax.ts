// core/regex/syntax.ts: the tree of a regular expression, and the parser of Go's (RE2's) syntax.
//
// Not hot. Made to judge expressions, not to run them: what it does not model in full (Unicode classes,
// folding beyond ASCII, multi-line anchors) is marked `exotic` and left to the linear engine.

import { readClass } from './classes.ts'
import { readEscape } from './escapes.ts'
import { RegexError, type Reader } from './reader.ts'
import { EVERYTHING, complementOf, foldedSet, type CharSet } from './sets.ts'

export type RegexNode =
  | { readonly type: 'empty' }
  | { readonly type: 'set'; readonly set: CharSet } // one character
  | { readonly type: 'begin' } // of the text
  | { readonly type: 'end' } // of the text
  | { readonly type: 'word'; readonly negated: boolean } // \b, \B
  | { readonly type: 'group'; readonly node: RegexNode }
  | { readonly type: 'concat'; readonly nodes: readonly RegexNode[] }
  | { readonly type: 'either'; readonly nodes: readonly RegexNode[] }
  | {
      readonly type: 'repeat'
      readonly node: RegexNode
      readonly min: number
      readonly max: number // Infinity for none
      readonly lazy: boolean
    }

export interface Regex {
  readonly node: RegexNode
  readonly exotic: boolean // the tree does not say everything; only the linear engine may run it
  readonly groupNames: readonly string[] // by number from 1; '' for groups without a name
}

export const REGEX_LENGTH_MAX = 8192
const DEPTH_MAX = 200
const REPEAT_MAX = 1000 // Go's bound

export function parseRegex(source: string): Regex {
  if (source.length > REGEX_LENGTH_MAX) {
    throw new RegexError(`the expression is longer than ${REGEX_LENGTH_MAX} characters`)
  }
  if (!source.isWellFormed()) throw new RegexError('the expression is not legal Unicode')
  const flags = { fold: false, lines: false, dotAll: false, swap: false }
  const reader: Reader = { source, at: 0, flags, depth: 0, exotic: false, groupNames: [] }
  const node = readEither(reader)
  if (reader.at < source.length) throw new RegexError('a ")" has no "("')
  return { node, exotic: reader.exotic, groupNames: reader.groupNames }
}

// Flags set in a branch last to the end of its group, so the group restores them.
function readEither(reader: Reader): RegexNode {
  if (++reader.depth > DEPTH_MAX) throw new RegexError('the expression is nested too deeply')
  const nodes = [readConcat(reader)]
  while (reader.source[reader.at] === '|') {
    reader.at++
    nodes.push(readConcat(reader))
  }
  reader.depth--
  return nodes.length === 1 ? nodes[0]! : { type: 'either', nodes }
}

function readConcat(reader: Reader): RegexNode {
  const nodes: RegexNode[] = []
  while (reader.at < reader.source.length) {
    const character = reader.source[reader.at]!
    if (character === '|' || character === ')') break
    if (reader.source.startsWith('\\Q', reader.at)) {
      readQuotation(reader, nodes)
      continue
    }
    const node = readAtom(reader)
    if (node !== null) nodes.push(readRepeat(reader, node))
  }
  if (nodes.length === 1) return nodes[0]!
  return nodes.length === 0 ? { type: 'empty' } : { type: 'concat', nodes }
}

// \Q...\E, where nothing is special; a repetition after it means its last character.
function readQuotation(reader: Reader, nodes: RegexNode[]): void {
  const close = reader.source.indexOf('\\E', reader.at + 2)
  const end = close < 0 ? reader.source.length : close
  for (const character of reader.source.slice(reader.at + 2, end)) {
    nodes.push(literal(reader, character.codePointAt(0)!))
  }
  reader.at = close < 0 ? end : end + 2
  const last = nodes.pop()
  if (last !== undefined) nodes.push(readRepeat(reader, last))
}

// null for what only sets flags.
function readAtom(reader: Reader): RegexNode | null {
  const character = reader.source[reader.at]!
  switch (character) {
    case '(':
      return readGroup(reader)
    case '[':
      return setNode(reader, readClass(reader))
    case '\\':
      return readEscapeNode(reader)
    case '.':
      reader.at++
      return { type: 'set', set: reader.flags.dotAll ? EVERYTHING : complementOf([10, 10]) }
    case '^':
    case '$':
      reader.at++
      if (reader.flags.lines) reader.exotic = true
      return { type: character === '^' ? 'begin' : 'end' }
    case '*':
    case '+':
    case '?':
      throw new RegexError(`"${character}" has nothing to repeat`)
    default:
      return readLiteral(reader)
  }
}

function readLiteral(reader: Reader): RegexNode {
  const point = reader.source.codePointAt(reader.at)!
  reader.at += point > 0xffff ? 2 : 1
  return literal(reader, point)
}

function literal(reader: Reader, point: number): RegexNode {
  return setNode(reader, [point, point])
}

function setNode(reader: Reader, set: CharSet): RegexNode {
  if (!reader.flags.fold) return { type: 'set', set }
  const folded = foldedSet(set)
  if (folded === null) reader.exotic = true
  return { type: 'set', set: folded ?? set }
}

function readEscapeNode(reader: Reader): RegexNode {
  const letter = reader.source[reader.at + 1]
  if (letter === 'A' || letter === 'z' || letter === 'b' || letter === 'B') {
    reader.at += 2
    if (letter === 'B') reader.exotic = true // V8 finds it between the halves of a pair
    if (letter === 'A') return { type: 'begin' }
    return letter === 'z' ? { type: 'end' } : { type: 'word', negated: letter === 'B' }
  }
  return setNode(reader, readEscape(reader))
}

function readGroup(reader: Reader): RegexNode | null {
  const outer = reader.flags
  const start = reader.at
  reader.at++
  let captures = true
  if (reader.source[reader.at] === '?') {
    const name = /^\?P?<([A-Za-z0-9_]+)>/.exec(reader.source.slice(reader.at, reader.at + 300))
    if (name !== null) {
      reader.at += name[0].length
      addGroup(reader, name[1]!)
    } else {
      captures = false
      if (readFlags(reader) === ')') return null
    }
  } else addGroup(reader, '')
  const node = readEither(reader)
  if (reader.source[reader.at] !== ')') {
    throw new RegexError(`the "(" at character ${start + 1} is not closed`)
  }
  reader.at++
  reader.flags = outer
  return captures ? { type: 'group', node } : node
}

function addGroup(reader: Reader, name: string): void {
  if (name !== '' && reader.groupNames.includes(name)) {
    throw new RegexError(`the group name "${name}" is used twice`)
  }
  reader.groupNames.push(name)
}

const FLAGS = /^\?([imsU]*)(?:-([imsU]+))?([:)])/

// "?i:", "?i-s:" or "?i)"; returns the character that ended it.
function readFlags(reader: Reader): string {
  const found = FLAGS.exec(reader.source.slice(reader.at, reader.at + 40))
  if (found === null || found[0] === '?)') {
    if (/^\?<?[=!]/.test(reader.source.slice(reader.at, reader.at + 3))) {
      throw new RegexError('looking ahead or behind is not part of RE2')
    }
    throw new RegexError('the group syntax after "(?" is not part of RE2')
  }
  reader.at += found[0].length
  const on = found[1]!
  const off = found[2] ?? ''
  const flag = (letter: string, old: boolean): boolean =>
    off.includes(letter) ? false : on.includes(letter) || old
  reader.flags = {
    fold: flag('i', reader.flags.fold),
    lines: flag('m', reader.flags.lines),
    dotAll: flag('s', reader.flags.dotAll),
    swap: flag('U', reader.flags.swap),
  }
  return found[3]!
}

function readRepeat(reader: Reader, node: RegexNode): RegexNode {
  const range = repeatAt(reader)
  if (range === null) return node
  let lazy = reader.flags.swap
  if (reader.source[reader.at] === '?') {
    reader.at++
    lazy = !lazy
  }
  if (repeatAt(reader) !== null) throw new RegexError('two repetitions stand in a row')
  return { type: 'repeat', node, min: range[0], max: range[1], lazy }
}

// The repetition at the reader, which moves past it; null when there is none ("{" may be literal).
function repeatAt(reader: Reader): readonly [number, number] | null {
  const character = reader.source[reader.at]
  if (character === '*' || character === '+' || character === '?') {
    reader.at++
    return [character === '+' ? 1 : 0, character === '?' ? 1 : Infinity]
  }
  if (character !== '{') return null
  const found = /^\{(\d{1,5})(?:(,)(\d{0,5}))?\}/.exec(
    reader.source.slice(reader.at, reader.at + 16),
  )
  if (found === null) return null
  reader.at += found[0].length
  const min = Number(found[1])
  const max = found[2] === undefined ? min : found[3] === '' ? Infinity : Number(found[3])
  if (min > REPEAT_MAX || (max !== Infinity && (max > REPEAT_MAX || max < min))) {
    throw new RegexError(`the repetition ${found[0]} is out of range`)
  }
  return [min, max]
}
