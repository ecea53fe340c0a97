// config/providers/template/tree.ts: tokens of a template into a tree of statements and expressions.
//
// A plain recursive descent; nesting is bounded by depthMax, so a hostile file cannot exhaust the stack.
// Variables are checked here: a name that was never declared is an error before anything runs. Hot: no.

import { scanTemplate, TemplateFault, type Token } from './scan.ts'

export type Operand =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: 'pipeline'; readonly stages: readonly Expression[] }
  | { readonly kind: 'field'; readonly of: Expression; readonly name: string }

export type Expression = Operand & { readonly offset: number }

export interface Pipeline {
  readonly declares: readonly string[] // [] or names with "$"
  readonly assigns: boolean // "=" instead of ":="
  readonly value: Expression
  readonly offset: number
}

export type Statement =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipeline: Pipeline }
  | {
      readonly kind: 'if' | 'with' | 'range'
      readonly pipeline: Pipeline
      readonly body: readonly Statement[]
      readonly otherwise: readonly Statement[]
    }
  | { readonly kind: 'break' | 'continue' }

const depthMax = 100

export function parseTemplate(source: string): Statement[] {
  const parser = new Parser(scanTemplate(source))
  const statements = parser.block(0, false)
  parser.refuseRest()
  return statements
}

const blocks = new Set(['if', 'with', 'range'])
const refused = new Set(['define', 'template', 'block'])

class Parser {
  private readonly tokens: readonly Token[]
  private readonly scopes: string[][] = [['$']]
  private at = 0

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens
  }

  // Statements up to "end" or "else" (left standing), or to the end of the file.
  block(depth: number, inRange: boolean): Statement[] {
    const offset = this.tokens[this.at]?.offset ?? 0
    if (depth > depthMax) throw new TemplateFault(`nested deeper than ${depthMax}`, offset)
    const statements: Statement[] = []
    for (;;) {
      const token = this.tokens[this.at]
      if (token === undefined) return statements
      if (token.kind === 'text') {
        statements.push({ kind: 'text', text: token.text })
        this.at++
        continue
      }
      const word = this.word()
      if (word === 'end' || word === 'else') return statements
      statements.push(this.statement(word, depth, inRange))
    }
  }

  refuseRest(): void {
    const token = this.tokens[this.at]
    if (token !== undefined) {
      throw new TemplateFault(`"${this.word()}" without if, with or range`, token.offset)
    }
  }

  // The keyword or name that opens the action in front of us.
  private word(): string {
    const next = this.tokens[this.at + 1]
    return next?.kind === 'name' ? next.text : ''
  }

  private statement(word: string, depth: number, inRange: boolean): Statement {
    const open = this.tokens[this.at++]!
    if (refused.has(word)) throw new TemplateFault(`"${word}" is not supported`, open.offset)
    if (blocks.has(word)) {
      this.at++
      return this.blockStatement(word as 'if' | 'with' | 'range', depth, inRange, open.offset)
    }
    if (word === 'break' || word === 'continue') {
      if (!inRange) throw new TemplateFault(`"${word}" outside of range`, open.offset)
      this.at++
      this.close()
      return { kind: word }
    }
    const pipeline = this.pipeline(depth, false)
    this.close()
    return { kind: 'action', pipeline }
  }

  private blockStatement(
    kind: 'if' | 'with' | 'range',
    depth: number,
    inRange: boolean,
    offset: number,
  ): Statement {
    this.scopes.push([])
    const pipeline = this.pipeline(depth, kind === 'range')
    this.close()
    const body = this.scoped(depth, inRange || kind === 'range')
    let otherwise: Statement[] = []
    if (this.at >= this.tokens.length) throw new TemplateFault(`"${kind}" has no "end"`, offset)
    if (this.word() === 'else') otherwise = this.otherwise(kind, depth, inRange)
    else this.end()
    this.scopes.pop()
    return { kind, pipeline, body, otherwise }
  }

  private scoped(depth: number, inRange: boolean): Statement[] {
    this.scopes.push([])
    const statements = this.block(depth + 1, inRange)
    this.scopes.pop()
    return statements
  }

  // After "else": another "if" or "with" chains on, and shares its "end".
  private otherwise(kind: string, depth: number, inRange: boolean): Statement[] {
    const offset = this.tokens[this.at]!.offset
    this.at += 2
    const next = this.tokens[this.at]
    if (next?.kind === 'name' && (next.text === 'if' || next.text === 'with')) {
      if (depth > depthMax) throw new TemplateFault(`nested deeper than ${depthMax}`, offset)
      this.at++
      return [this.blockStatement(next.text, depth + 1, inRange, offset)]
    }
    this.close()
    const statements = this.scoped(depth, inRange)
    if (this.word() !== 'end') throw new TemplateFault(`"${kind}" has no "end"`, offset)
    this.end()
    return statements
  }

  private end(): void {
    this.at += 2
    this.close()
  }

  private close(): void {
    const token = this.tokens[this.at]
    if (token?.kind !== 'close') {
      const text = token === undefined ? 'the end of the file' : JSON.stringify(token.text)
      throw new TemplateFault(`expected "}}", found ${text}`, token?.offset ?? 0)
    }
    this.at++
  }

  private pipeline(depth: number, many: boolean): Pipeline {
    const offset = this.tokens[this.at]?.offset ?? 0
    const { declares, assigns } = this.declaration(many)
    const value = this.stages(depth)
    if (!assigns) this.scopes.at(-1)!.push(...declares)
    else for (const name of declares) this.known(name, offset)
    return { declares, assigns, value, offset }
  }

  // "$x :=", "$x =", and in range "$i, $x :=".
  private declaration(many: boolean): { declares: string[]; assigns: boolean } {
    const first = this.tokens[this.at]
    if (first?.kind !== 'variable') return { declares: [], assigns: false }
    const second = this.tokens[this.at + 1]
    if (isSign(second, ':=') || isSign(second, '=')) {
      this.at += 2
      return { declares: [first.text], assigns: second!.text === '=' }
    }
    const third = this.tokens[this.at + 2]
    const fourth = this.tokens[this.at + 3]
    const pair = isSign(second, ',') && third?.kind === 'variable'
    if (!many || !pair || !(isSign(fourth, ':=') || isSign(fourth, '='))) {
      return { declares: [], assigns: false }
    }
    this.at += 4
    return { declares: [first.text, third.text], assigns: fourth!.text === '=' }
  }

  private known(name: string, offset: number): void {
    if (this.scopes.some((scope) => scope.includes(name))) return
    throw new TemplateFault(`the variable ${name} is not declared`, offset)
  }

  // Commands joined by "|": each gets the result of the one before as its last argument.
  private stages(depth: number): Expression {
    const offset = this.tokens[this.at]?.offset ?? 0
    if (depth > depthMax) throw new TemplateFault(`nested deeper than ${depthMax}`, offset)
    const stages = [this.command(depth)]
    while (isSign(this.tokens[this.at], '|')) {
      this.at++
      const stage = this.command(depth)
      if (stage.kind !== 'call') {
        throw new TemplateFault('only a function can stand after "|"', stage.offset)
      }
      stages.push(stage)
    }
    return stages.length === 1 ? stages[0]! : { kind: 'pipeline', stages, offset }
  }

  private command(depth: number): Expression {
    const first = this.operand(depth)
    const args: Expression[] = []
    while (this.startsOperand()) args.push(this.operand(depth))
    if (first.kind === 'call' && first.args.length === 0) return { ...first, args }
    if (args.length === 0) return first
    throw new TemplateFault('a value that is not a function cannot take arguments', first.offset)
  }

  private startsOperand(): boolean {
    const token = this.tokens[this.at]
    if (token === undefined || token.kind === 'close') return false
    return token.kind !== 'sign' || token.text === '('
  }

  private operand(depth: number): Expression {
    let operand = this.primary(depth)
    for (;;) {
      const token = this.tokens[this.at]
      if (token?.kind !== 'field' || token.spaced) return operand
      this.at++
      operand = { kind: 'field', of: operand, name: token.text, offset: token.offset }
    }
  }

  private primary(depth: number): Expression {
    const token = this.tokens[this.at]
    if (token === undefined) throw new TemplateFault('the file ends inside of an action', 0)
    this.at++
    const offset = token.offset
    switch (token.kind) {
      case 'string':
        return { kind: 'literal', value: token.text, offset }
      case 'number':
        return { kind: 'literal', value: Number(token.text.replaceAll('_', '')), offset }
      case 'dot':
        return { kind: 'dot', offset }
      case 'field':
        return { kind: 'field', of: { kind: 'dot', offset }, name: token.text, offset }
      case 'variable':
        this.known(token.text, offset)
        return { kind: 'variable', name: token.text, offset }
      case 'name':
        return nameOperand(token)
      default:
        return this.parenthesised(token, depth)
    }
  }

  private parenthesised(token: Token, depth: number): Expression {
    if (token.text !== '(') {
      const found = token.kind === 'close' ? 'the end of the action' : JSON.stringify(token.text)
      throw new TemplateFault(`expected a value, found ${found}`, token.offset)
    }
    const inner = this.stages(depth + 1)
    if (!isSign(this.tokens[this.at], ')')) throw new TemplateFault('"(" has no ")"', token.offset)
    this.at++
    return { kind: 'pipeline', stages: [inner], offset: token.offset }
  }
}

function isSign(token: Token | undefined, text: string): boolean {
  return token?.kind === 'sign' && token.text === text
}

function nameOperand(token: Token): Expression {
  const offset = token.offset
  if (token.text === 'true') return { kind: 'literal', value: true, offset }
  if (token.text === 'false') return { kind: 'literal', value: false, offset }
  if (token.text === 'nil') return { kind: 'literal', value: null, offset }
  return { kind: 'call', name: token.text, args: [], offset }
}
