// core/regex.ts: regular expressions of configuration, in Go's syntax, that no input can make slow.
//
// Hot: test(). Two engines: V8's for expressions that regex/safety.ts proves harmless (nearly all that
// people write), re2js, which is linear by construction, for the rest. V8's own linear engine (flag "l")
// was tried and left out: it has no Unicode mode, and on ^(a+)+$ it took 1.9 us where re2js took 1.3.
// What RE2 does not have (looking around, references to groups) is refused.

import { RE2JS } from 're2js'
import { emitRegex } from './regex/emit.ts'
import { isLinear } from './regex/safety.ts'
import { RegexError } from './regex/reader.ts'
import { parseRegex, type Regex, type RegexNode } from './regex/syntax.ts'

export { RegexError } from './regex/reader.ts'

export interface SafeRegex {
  readonly source: string
  readonly engine: 'v8' | 're2'
  readonly groupNames: readonly string[] // by number from 1; '' for groups without a name
  // Whether it matches anywhere in the text.
  test(text: string): boolean
  // The first match and its groups (null: did not take part); null when there is none.
  exec(text: string): readonly (string | null)[] | null
  // The first match that begins at `from` or behind it. Each call is linear, not all that it takes to find every match:
  // see regex/url-replacing.ts.
  find(text: string, from: number): Found | null
}

export interface Found {
  readonly start: number
  readonly end: number
  readonly groups: readonly (string | null)[]
}

// A long expression is tried at each place of the input even when it is harmless in itself.
const V8_SOURCE_MAX = 1024

// `flags` are Go's inline letters, as in (?flags). Throws RegexError.
export function compileRegex(source: string, flags = ''): SafeRegex {
  const full = flags === '' ? source : `(?${flags})${source}`
  const regex = parseRegex(full)
  if (!regex.exotic && full.length <= V8_SOURCE_MAX && isLinear(regex.node)) {
    return new V8Regex(full, regex)
  }
  return new LinearRegex(full, regex)
}

// What every match begins with, from the beginning of the text; '' when that is not known.
export function literalPrefixOf(source: string): string {
  const { node, exotic } = parseRegex(source)
  if (exotic || node.type !== 'concat' || node.nodes[0]!.type !== 'begin') return ''
  let prefix = ''
  for (const part of node.nodes.slice(1)) {
    const literal = literalOf(part)
    if (literal === '') break
    prefix += literal
  }
  return prefix
}

function literalOf(node: RegexNode): string {
  if (node.type !== 'set' || node.set.length !== 2 || node.set[0] !== node.set[1]) return ''
  return String.fromCodePoint(node.set[0]!)
}

abstract class AnyRegex {
  readonly source: string
  readonly groupNames: readonly string[]

  constructor(source: string, regex: Regex) {
    this.source = source
    this.groupNames = regex.groupNames
  }

  abstract find(text: string, from: number): Found | null

  exec(text: string): readonly (string | null)[] | null {
    return this.find(text, 0)?.groups ?? null
  }
}

class V8Regex extends AnyRegex implements SafeRegex {
  readonly engine = 'v8'
  private readonly program: RegExp
  private readonly finder: RegExp

  constructor(source: string, regex: Regex) {
    super(source, regex)
    const emitted = emitRegex(regex.node)
    this.program = new RegExp(emitted, 'u')
    this.finder = new RegExp(emitted, 'gu')
  }

  test(text: string): boolean {
    return this.program.test(text)
  }

  find(text: string, from: number): Found | null {
    this.finder.lastIndex = from
    const found = this.finder.exec(text)
    if (found === null) return null
    const groups = Array.from(found, (group: string | undefined) => group ?? null)
    return { start: found.index, end: found.index + found[0].length, groups }
  }
}

class LinearRegex extends AnyRegex implements SafeRegex {
  readonly engine = 're2'
  private readonly program: RE2JS

  constructor(source: string, regex: Regex) {
    super(source, regex)
    try {
      this.program = RE2JS.compile(source)
    } catch (error) {
      throw new RegexError(error instanceof Error ? error.message : 'the expression is malformed')
    }
  }

  test(text: string): boolean {
    return this.program.test(text)
  }

  find(text: string, from: number): Found | null {
    const matcher = this.program.matcher(text)
    if (!matcher.find(from)) return null
    const groups: (string | null)[] = []
    for (let i = 0; i <= matcher.groupCount(); i++) groups.push(matcher.group(i))
    return { start: matcher.start(), end: matcher.end(), groups }
  }
}
