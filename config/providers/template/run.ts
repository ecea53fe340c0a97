// config/providers/template/run.ts: runs a parsed template and returns its text.
//
// Scopes are a stack of maps; "break" and "continue" travel as return values, not as exceptions. Every
// statement and every call costs a step of the Budget. Hot: no.

import type { TemplateFunction } from './functions.ts'
import { TemplateFault } from './scan.ts'
import type { Expression, Pipeline, Statement } from './tree.ts'
import { Budget, isTrue, member, outputMax, sortedKeys, textOf, typeName } from './values.ts'
import type { Value } from './values.ts'

type Outcome = 'done' | 'break' | 'continue'

export class TemplateRun {
  private readonly functions: ReadonlyMap<string, TemplateFunction>
  private readonly budget = new Budget()
  private readonly scopes: Map<string, Value>[]
  private readonly parts: string[] = []
  private length = 0
  private dot: Value = false // Traefik gives its file templates the data `false`

  constructor(functions: ReadonlyMap<string, TemplateFunction>) {
    this.functions = functions
    this.scopes = [new Map([['$', this.dot]])]
  }

  run(statements: readonly Statement[]): string {
    this.block(statements)
    return this.parts.join('')
  }

  private block(statements: readonly Statement[]): Outcome {
    for (const statement of statements) {
      this.budget.step()
      const outcome = this.statement(statement)
      if (outcome !== 'done') return outcome
    }
    return 'done'
  }

  private scoped(statements: readonly Statement[], dot: Value): Outcome {
    const before = this.dot
    this.dot = dot
    this.scopes.push(new Map())
    const outcome = this.block(statements)
    this.scopes.pop()
    this.dot = before
    return outcome
  }

  private statement(statement: Statement): Outcome {
    switch (statement.kind) {
      case 'text':
        this.print(statement.text)
        return 'done'
      case 'action':
        this.action(statement.pipeline)
        return 'done'
      case 'break':
      case 'continue':
        return statement.kind
      default:
        return this.blockStatement(statement)
    }
  }

  private print(text: string): void {
    this.length += text.length
    if (this.length > outputMax) this.budget.fail('makes more than 16 MiB of output')
    this.parts.push(text)
  }

  private action(pipeline: Pipeline): void {
    const value = this.value(pipeline.value)
    if (pipeline.declares.length > 0) return this.bind(pipeline, pipeline.declares[0]!, value)
    this.budget.offset = pipeline.offset
    this.print(textOf(value, this.budget))
  }

  private bind(pipeline: Pipeline, name: string, value: Value): void {
    if (!pipeline.assigns) {
      this.scopes.at(-1)!.set(name, value)
      return
    }
    this.scopes.findLast((scope) => scope.has(name))?.set(name, value)
  }

  private blockStatement(statement: Exclude<Statement, { kind: 'text' }>): Outcome {
    if (statement.kind !== 'if' && statement.kind !== 'with' && statement.kind !== 'range') {
      return 'done'
    }
    const { kind, pipeline, body, otherwise } = statement
    const value = this.value(pipeline.value)
    this.scopes.push(new Map())
    let outcome: Outcome
    if (kind === 'range') outcome = this.range(pipeline, value, body, otherwise)
    else {
      for (const name of pipeline.declares) this.bind(pipeline, name, value)
      const dot = kind === 'with' ? value : this.dot
      outcome = isTrue(value) ? this.scoped(body, dot) : this.scoped(otherwise, this.dot)
    }
    this.scopes.pop()
    return outcome
  }

  private range(
    pipeline: Pipeline,
    over: Value,
    body: readonly Statement[],
    otherwise: readonly Statement[],
  ): Outcome {
    let count = 0
    for (const [key, value] of this.entries(over, pipeline.offset)) {
      count++
      this.budget.offset = pipeline.offset
      this.budget.step()
      const names = pipeline.declares
      if (names.length === 1) this.bind(pipeline, names[0]!, value)
      if (names.length === 2) {
        this.bind(pipeline, names[0]!, key)
        this.bind(pipeline, names[1]!, value)
      }
      if (this.scoped(body, value) === 'break') break
    }
    return count === 0 ? this.scoped(otherwise, this.dot) : 'done'
  }

  // Lists by index, maps by sorted key, integers from 0, as in Go; null ranges over nothing.
  private *entries(over: Value, offset: number): Generator<[Value, Value]> {
    if (Array.isArray(over)) yield* over.entries() as IterableIterator<[number, Value]>
    else if (over instanceof Map) for (const key of sortedKeys(over)) yield [key, over.get(key)!]
    else if (typeof over === 'number') for (let at = 0; at < over; at++) yield [at, at]
    else if (over !== null) throw new TemplateFault(`range over ${typeName(over)}`, offset)
  }

  private value(expression: Expression): Value {
    switch (expression.kind) {
      case 'literal':
        return expression.value
      case 'dot':
        return this.dot
      case 'variable':
        return this.scopes.findLast((scope) => scope.has(expression.name))!.get(expression.name)!
      case 'field': {
        const of = this.value(expression.of)
        this.budget.offset = expression.offset
        return member(of, expression.name, this.budget)
      }
      case 'pipeline':
        return this.pipeline(expression.stages)
      case 'call':
        return this.call(expression, [])
    }
  }

  private pipeline(stages: readonly Expression[]): Value {
    let value = this.value(stages[0]!)
    for (let at = 1; at < stages.length; at++) {
      const stage = stages[at]!
      if (stage.kind === 'call') value = this.call(stage, [value])
    }
    return value
  }

  private call(call: Expression & { kind: 'call' }, piped: readonly Value[]): Value {
    this.budget.offset = call.offset
    this.budget.step()
    if (call.name === 'and' || call.name === 'or') return this.either(call, piped)
    const known = this.functions.get(call.name)
    if (known === undefined) return this.budget.fail(`the function "${call.name}" is not known`)
    const args = call.args.map((arg) => this.value(arg))
    args.push(...piped)
    this.budget.offset = call.offset
    if (args.length < known.min || args.length > known.max) {
      return this.budget.fail(`"${call.name}" got ${args.length} arguments, takes ${takes(known)}`)
    }
    return known.run(args, this.budget)
  }

  // These two evaluate no further than they must.
  private either(call: Expression & { kind: 'call' }, piped: readonly Value[]): Value {
    if (call.args.length + piped.length === 0) this.budget.fail(`"${call.name}" got no arguments`)
    let value: Value = null
    for (const arg of call.args) {
      value = this.value(arg)
      if (isTrue(value) === (call.name === 'or')) return value
    }
    return piped.length === 0 ? value : piped[0]!
  }
}

function takes(known: TemplateFunction): string {
  if (known.min === known.max) return String(known.min)
  return known.max === Infinity ? `at least ${known.min}` : `${known.min} to ${known.max}`
}
