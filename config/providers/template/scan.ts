// config/providers/template/scan.ts: cuts a template into text and actions, and an action into tokens.
//
// Go's rules for delimiters: "{{- " and " -}}" trim white space outside, a comment fills its whole action.
// Columns and lines are worked out from offsets only when an error is made. Hot: no.

export class TemplateFault extends Error {
  readonly offset: number

  constructor(message: string, offset: number) {
    super(message)
    this.offset = offset
  }
}

export type TokenKind =
  | 'text' // outside of actions
  | 'open' // an action begins
  | 'close'
  | 'name' // function or keyword
  | 'field' // .name
  | 'dot'
  | 'variable' // $name or $
  | 'string'
  | 'number'
  | 'sign' // ( ) | , := =

export interface Token {
  readonly kind: TokenKind
  readonly text: string // of a string: its value; of a field or a variable: without "." or with "$"
  readonly offset: number
  readonly spaced: boolean // white space stands before it; "$x.a" is one operand, "$x .a" are two
}

export function scanTemplate(source: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  let trimLeft = false
  while (at < source.length) {
    const open = source.indexOf('{{', at)
    let text = open === -1 ? source.slice(at) : source.slice(at, open)
    if (trimLeft) text = text.replace(/^[ \t\r\n]+/, '')
    if (open === -1) {
      pushText(tokens, text, at)
      break
    }
    const trims = source[open + 2] === '-' && isSpace(source.charCodeAt(open + 3))
    pushText(tokens, trims ? trimEnd(text) : text, at)
    const inside = trims ? open + 3 : open + 2
    const end = scanAction(source, open, inside, tokens)
    trimLeft = source[end - 3] === '-' && isSpace(source.charCodeAt(end - 4))
    at = end
  }
  return tokens
}

function pushText(tokens: Token[], text: string, offset: number): void {
  if (text !== '') tokens.push({ kind: 'text', text, offset, spaced: false })
}

// A backward loop: /\s+$/ would take quadratic time on long runs of spaces.
function trimEnd(text: string): string {
  let end = text.length
  while (end > 0 && isSpace(text.charCodeAt(end - 1))) end--
  return text.slice(0, end)
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d
}

// Returns the offset after "}}".
function scanAction(source: string, open: number, inside: number, tokens: Token[]): number {
  const comment = skipComment(source, open, inside)
  if (comment !== -1) return comment
  tokens.push({ kind: 'open', text: '{{', offset: open, spaced: false })
  let at = inside
  for (;;) {
    const before = at
    while (at < source.length && isSpace(source.charCodeAt(at))) at++
    if (at >= source.length) throw new TemplateFault('an action has no "}}"', open)
    const trims = at > before && source.startsWith('-}}', at)
    if (trims || source.startsWith('}}', at)) {
      tokens.push({ kind: 'close', text: '}}', offset: at, spaced: false })
      return at + (trims ? 3 : 2)
    }
    at = scanToken(source, at, at > before, tokens)
  }
}

function skipComment(source: string, open: number, inside: number): number {
  let at = inside
  while (inside > open + 2 && isSpace(source.charCodeAt(at))) at++
  if (!source.startsWith('/*', at)) return -1
  const end = source.indexOf('*/', at + 2)
  if (end === -1) throw new TemplateFault('a comment has no "*/"', open)
  const rest = /^(?:}}|[ \t\r\n]+-}})/.exec(source.slice(end + 2, end + 64))
  if (rest === null) throw new TemplateFault('a comment must fill its whole action', open)
  return end + 2 + rest[0].length
}

const namePattern = /[\p{L}_][\p{L}\p{Nd}_]*/uy
const numberPattern = /[+-]?(?:0[xX][0-9a-fA-F]+|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)/y

function scanToken(source: string, at: number, spaced: boolean, tokens: Token[]): number {
  const char = source[at]!
  const push = (kind: TokenKind, text: string, end: number): number => {
    tokens.push({ kind, text, offset: at, spaced })
    return end
  }
  if (char === '"' || char === '`' || char === "'") return scanString(source, at, spaced, tokens)
  if (source.startsWith(':=', at)) return push('sign', ':=', at + 2)
  if ('()|,='.includes(char)) return push('sign', char, at + 1)
  if (char === '.') {
    const name = matchAt(namePattern, source, at + 1)
    return name === '' ? push('dot', '.', at + 1) : push('field', name, at + 1 + name.length)
  }
  if (char === '$') {
    const name = matchAt(namePattern, source, at + 1)
    return push('variable', `$${name}`, at + 1 + name.length)
  }
  const number = matchAt(numberPattern, source, at)
  if (number !== '') return push('number', number, at + number.length)
  const name = matchAt(namePattern, source, at)
  if (name !== '') return push('name', name, at + name.length)
  throw new TemplateFault(`unexpected ${JSON.stringify(char)} in an action`, at)
}

function matchAt(pattern: RegExp, source: string, at: number): string {
  pattern.lastIndex = at
  return pattern.exec(source)?.[0] ?? ''
}

const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '"': '"',
  "'": "'",
  '\\': '\\',
}

// Text between backticks is taken as it stands. 'x' is a number in Go (a rune).
function scanString(source: string, start: number, spaced: boolean, tokens: Token[]): number {
  const quote = source[start]!
  let value = ''
  let at = start + 1
  for (;;) {
    const char = source[at]
    if (char === undefined || (char === '\n' && quote !== '`')) {
      throw new TemplateFault('a string has no end', start)
    }
    if (char === quote) break
    if (char !== '\\' || quote === '`') {
      value += char
      at++
      continue
    }
    const hex = /^\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))/.exec(source.slice(at, at + 6))
    const plain = escapes[source[at + 1] ?? '']
    if (hex === null && plain === undefined) throw new TemplateFault('unknown escape', at)
    value += plain ?? String.fromCharCode(parseInt(hex![1] ?? hex![2]!, 16))
    at += hex === null ? 2 : hex[0].length
  }
  if (quote !== "'") tokens.push({ kind: 'string', text: value, offset: start, spaced })
  else tokens.push({ kind: 'number', text: runeOf(value, start), offset: start, spaced })
  return at + 1
}

function runeOf(value: string, offset: number): string {
  if ([...value].length !== 1) throw new TemplateFault("'…' holds exactly one character", offset)
  return String(value.codePointAt(0))
}
