// core/regex/emit.ts: the tree of an expression in JavaScript's syntax (flag "u"). Not hot.
//
// Everything that has two meanings is spelled out: characters by number, folding as sets, names as
// numbers. So none of JavaScript's own flags is ever needed, and Go's inline ones have no place to hide.

import { POINT_MAX, type CharSet } from './sets.ts'
import type { RegexNode } from './syntax.ts'

export function emitRegex(node: RegexNode): string {
  switch (node.type) {
    case 'empty':
      return '(?:)'
    case 'set':
      return emitSet(node.set)
    case 'begin':
      return '^'
    case 'end':
      return '$'
    case 'word':
      return node.negated ? '\\B' : '\\b'
    case 'group':
      return `(${emitRegex(node.node)})`
    case 'concat':
      return node.nodes.map(emitPart).join('')
    case 'either':
      return node.nodes.map(emitRegex).join('|')
    default:
      return emitRepeat(node)
  }
}

function emitPart(node: RegexNode): string {
  return node.type === 'either' ? `(?:${emitRegex(node)})` : emitRegex(node)
}

function emitRepeat(node: RegexNode & { readonly type: 'repeat' }): string {
  const alone = node.node.type === 'set' || node.node.type === 'group'
  const body = alone ? emitRegex(node.node) : `(?:${emitRegex(node.node)})`
  const max = node.max === Infinity ? '' : String(node.max)
  return `${body}{${node.min},${max}}${node.lazy ? '?' : ''}`
}

function emitSet(set: CharSet): string {
  if (set.length === 2 && set[0] === set[1]) return emitPoint(set[0]!)
  if (set.length === 2 && set[0] === 0 && set[1] === POINT_MAX) return '[^]'
  let members = ''
  for (let i = 0; i < set.length; i += 2) {
    members += emitPoint(set[i]!)
    if (set[i + 1]! > set[i]!) members += '-' + emitPoint(set[i + 1]!)
  }
  return `[${members}]`
}

function emitPoint(point: number): string {
  const character = String.fromCodePoint(point)
  return /[A-Za-z0-9]/.test(character) ? character : `\\u{${point.toString(16)}}`
}
