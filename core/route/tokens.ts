// core/route/tokens.ts: the text of a rule cut into tokens. Not hot.
//
// Strings are Go's: raw between backticks, or between double quotes with Go's escapes.

export const RULE_LENGTH_MAX = 256 * 1024 // characters; the longest generated rules are near 50 KiB

export class RuleError extends Error {
  readonly offset: number // character in the rule where the fault was seen

  constructor(message: string, offset: number) {
    super(message)
    this.name = 'RuleError'
    this.offset = offset
  }
}

export interface Token {
  readonly kind: 'name' | 'string' | 'mark' | 'end'
  readonly text: string // of a string: its value
  readonly offset: number
}

const NAME = /[A-Za-z_][A-Za-z0-9_]*/y
const SPACE = /[ \t\r\n]+/y

// Always ends with one token of kind 'end'.
export function tokenize(text: string): Token[] {
  if (text.length > RULE_LENGTH_MAX) {
    throw new RuleError(`the rule is longer than ${RULE_LENGTH_MAX} characters`, RULE_LENGTH_MAX)
  }
  const tokens: Token[] = []
  let at = skipSpace(text, 0)
  while (at < text.length) {
    at = readToken(text, at, tokens)
    at = skipSpace(text, at)
  }
  tokens.push({ kind: 'end', text: '', offset: text.length })
  return tokens
}

function skipSpace(text: string, at: number): number {
  SPACE.lastIndex = at
  return SPACE.test(text) ? SPACE.lastIndex : at
}

// Pushes the token that begins at `at`; returns where the next one may begin.
function readToken(text: string, at: number, tokens: Token[]): number {
  const character = text[at]!
  if (character === '`') return readRaw(text, at, tokens)
  if (character === '"') return readQuoted(text, at, tokens)
  const pair = text.slice(at, at + 2)
  const mark = pair === '&&' || pair === '||' ? pair : character
  if (mark.length === 2 || '!(),'.includes(mark)) {
    tokens.push({ kind: 'mark', text: mark, offset: at })
    return at + mark.length
  }
  NAME.lastIndex = at
  const name = NAME.exec(text)
  if (name === null) throw new RuleError(`"${character}" is not part of the rule language`, at)
  tokens.push({ kind: 'name', text: name[0], offset: at })
  return at + name[0].length
}

function readRaw(text: string, at: number, tokens: Token[]): number {
  const end = text.indexOf('`', at + 1)
  if (end < 0) throw new RuleError('a backtick is not closed', at)
  tokens.push({ kind: 'string', text: text.slice(at + 1, end), offset: at })
  return end + 1
}

function readQuoted(text: string, start: number, tokens: Token[]): number {
  let value = ''
  let at = start + 1
  while (text[at] !== '"') {
    if (at >= text.length || text[at] === '\n') {
      throw new RuleError('a double quote is not closed', start)
    }
    const piece = text[at] === '\\' ? readEscape(text, at) : { value: text[at]!, length: 1 }
    value += piece.value
    at += piece.length
  }
  tokens.push({ kind: 'string', text: value, offset: start })
  return at + 1
}

const simpleEscapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
}
const digitEscapes: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 }

function readEscape(text: string, at: number): { value: string; length: number } {
  const letter = text[at + 1] ?? ''
  const simple = simpleEscapes[letter]
  if (simple !== undefined) return { value: simple, length: 2 }
  const digits = digitEscapes[letter] ?? 0
  const hex = text.slice(at + 2, at + 2 + digits)
  const code = Number.parseInt(hex, 16)
  if (digits === 0 || hex.length !== digits || !/^[0-9A-Fa-f]+$/.test(hex) || code > 0x10ffff) {
    throw new RuleError(`"\\${letter}" is not an escape that Go knows`, at)
  }
  return { value: String.fromCodePoint(code), length: 2 + digits }
}
