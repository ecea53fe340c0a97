// core/route/parse.ts: text of a rule in, RuleNode out; the whole rule language of Traefik v3.
//
// Not hot: runs where configuration is compiled. Grammar, with Go's precedence:
//
//   or    = and { '||' and }          unary = '!' unary | '(' or ')' | name '(' [string {',' string}] ')'
//   and   = unary { '&&' unary }      string = `raw` | "with Go escapes"
//
// The negation that stands above a node is handed down while parsing, so no tree is ever rewritten.

import { checkedLeaf } from './check.ts'
import { RuleError, tokenize, type Token } from './tokens.ts'
import { RULE_AND, RULE_OR, type RuleKind, type RuleNode } from './rule.ts'

export type { RuleKind } from './rule.ts'
export { RuleError } from './tokens.ts'

export const RULE_DEPTH_MAX = 64 // nested parentheses and '!'; people write three
export const RULE_LEAVES_MAX = 8192

interface Parser {
  readonly tokens: readonly Token[]
  readonly kind: RuleKind
  at: number
  depth: number
  leaves: number
}

// Throws RuleError, whose offset is the character of `text` where the fault was seen.
export function parseRule(text: string, kind: RuleKind = 'http'): RuleNode {
  const parser: Parser = { tokens: tokenize(text), kind, at: 0, depth: 0, leaves: 0 }
  if (parser.tokens.length === 1) throw new RuleError('the rule is empty', 0)
  const node = parseOr(parser, false)
  const rest = peek(parser)
  if (rest.kind !== 'end') throw new RuleError(`"${rest.text}" is not expected here`, rest.offset)
  return node
}

// The priority of a router that sets none: the length of its rule as written, in bytes as Go counts.
export function rulePriority(text: string): number {
  let bytes = 0
  for (const character of text) {
    const code = character.codePointAt(0)!
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
  }
  return bytes
}

function parseOr(parser: Parser, negated: boolean): RuleNode {
  const nodes = [parseAnd(parser, negated)]
  while (take(parser, '||')) nodes.push(parseAnd(parser, negated))
  return join(negated ? RULE_AND : RULE_OR, nodes)
}

function parseAnd(parser: Parser, negated: boolean): RuleNode {
  const nodes = [parseUnary(parser, negated)]
  while (take(parser, '&&')) nodes.push(parseUnary(parser, negated))
  return join(negated ? RULE_OR : RULE_AND, nodes)
}

function parseUnary(parser: Parser, negated: boolean): RuleNode {
  const token = peek(parser)
  if (++parser.depth > RULE_DEPTH_MAX) {
    throw new RuleError(`the rule is nested deeper than ${RULE_DEPTH_MAX}`, token.offset)
  }
  const node = parseOperand(parser, token, negated)
  parser.depth--
  return node
}

function parseOperand(parser: Parser, token: Token, negated: boolean): RuleNode {
  if (take(parser, '!')) return parseUnary(parser, !negated)
  if (take(parser, '(')) {
    const node = parseOr(parser, negated)
    expect(parser, ')')
    return node
  }
  if (token.kind !== 'name') {
    const found = token.kind === 'end' ? 'the rule ends' : `"${token.text}" stands`
    throw new RuleError(`${found} where a matcher is expected`, token.offset)
  }
  return parseMatcher(parser, token, negated)
}

function parseMatcher(parser: Parser, name: Token, negated: boolean): RuleNode {
  parser.at++
  if (++parser.leaves > RULE_LEAVES_MAX) {
    throw new RuleError(`the rule has more than ${RULE_LEAVES_MAX} matchers`, name.offset)
  }
  expect(parser, '(')
  const args: Token[] = []
  if (!take(parser, ')')) {
    do args.push(expectString(parser))
    while (take(parser, ','))
    expect(parser, ')')
  }
  return checkedLeaf(name, args, negated, parser.kind)
}

// A list of one is that one, and lists of the same operator are one list.
function join(op: typeof RULE_AND | typeof RULE_OR, nodes: RuleNode[]): RuleNode {
  if (nodes.length === 1) return nodes[0]!
  return { op, nodes: nodes.flatMap((node) => (node.op === op ? node.nodes : [node])) }
}

function peek(parser: Parser): Token {
  return parser.tokens[parser.at]!
}

function take(parser: Parser, text: string): boolean {
  const token = peek(parser)
  if (token.kind !== 'mark' || token.text !== text) return false
  parser.at++
  return true
}

function expect(parser: Parser, text: string): void {
  if (take(parser, text)) return
  const token = peek(parser)
  const found = token.kind === 'end' ? 'the rule ends' : `"${token.text}" stands`
  throw new RuleError(`${found} where "${text}" is expected`, token.offset)
}

function expectString(parser: Parser): Token {
  const token = peek(parser)
  if (token.kind !== 'string') {
    throw new RuleError('an argument must stand in backticks or double quotes', token.offset)
  }
  parser.at++
  return token
}
