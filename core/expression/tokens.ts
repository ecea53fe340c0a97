// core/expression/tokens.ts: the text of a condition (retryExpression, circuitBreaker.expression) cut into tokens.
//
// Hot: no. Numbers are Go's decimal ones; text stands between double quotes or backticks, as in rules, but needs no
// escapes other than \" and \\.

export const EXPRESSION_LENGTH_MAX = 4096 // characters; what people write is below 200

export class ExpressionError extends Error {
  readonly offset: number // character where the fault was seen

  constructor(message: string, offset: number) {
    super(`${message} (at character ${offset + 1})`)
    this.name = 'ExpressionError'
    this.offset = offset
  }
}

export interface Token {
  readonly kind: 'name' | 'number' | 'text' | 'mark' | 'end'
  readonly text: string // of text: its value
  readonly offset: number
}

const SPACE = /[ \t\r\n]+/y
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y
const NUMBER = /\d+(?:\.\d+)?(?![\w.])/y
const MARK = /&&|\|\||[=!<>]=|[!<>(),]/y
const RAW = /`([^`]*)`/y
const QUOTED = /"((?:[^"\\\n]|\\["\\])*)"/y

// Always ends with one token of kind 'end'.
export function tokenize(source: string): Token[] {
  if (source.length > EXPRESSION_LENGTH_MAX) {
    const message = `the expression is longer than ${EXPRESSION_LENGTH_MAX} characters`
    throw new ExpressionError(message, EXPRESSION_LENGTH_MAX)
  }
  const tokens: Token[] = []
  let at = endOf(SPACE, source, 0)
  while (at < source.length) {
    const token = readToken(source, at)
    tokens.push(token.token)
    at = endOf(SPACE, source, token.end)
  }
  tokens.push({ kind: 'end', text: '', offset: source.length })
  return tokens
}

function endOf(pattern: RegExp, source: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(source) ? pattern.lastIndex : at
}

interface Read {
  readonly token: Token
  readonly end: number
}

function readToken(source: string, at: number): Read {
  const read =
    readAs('name', NAME, source, at) ??
    readAs('number', NUMBER, source, at) ??
    readAs('mark', MARK, source, at) ??
    readAs('text', RAW, source, at) ??
    readAs('text', QUOTED, source, at)
  if (read !== null) return read
  const character = source[at]!
  if (character === '"' || character === '`')
    throw new ExpressionError('a text is not closed, or holds an unknown escape', at)
  if (/\d/.test(character)) throw new ExpressionError('this is not a decimal number', at)
  throw new ExpressionError(`${JSON.stringify(character)} has no meaning here`, at)
}

function readAs(kind: Token['kind'], pattern: RegExp, source: string, at: number): Read | null {
  pattern.lastIndex = at
  const match = pattern.exec(source)
  if (match === null) return null
  const text = match[1] === undefined ? match[0] : unescaped(pattern, match[1])
  return { token: { kind, text, offset: at }, end: pattern.lastIndex }
}

function unescaped(pattern: RegExp, text: string): string {
  return pattern === QUOTED ? text.replace(/\\(.)/g, '$1') : text
}
