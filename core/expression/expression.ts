// core/expression/expression.ts: conditions over a few numbers, as Traefik's circuitBreaker and buffering have them:
//
//   NetworkErrorRatio() > 0.30 || ResponseCodeRatio(500, 600, 0, 600) > 0.25
//   Attempts() < 3 && (IsNetworkError() || ResponseCode() == 503)
//
// Hot: test(), where what it reads is. Compiling makes the closures, once, when the middleware is built; testing
// allocates nothing. Whoever uses it says which functions there are and what they read of its subject.
//
//   or := and { "||" and }    and := comparison { "&&" comparison }    comparison := unary [ ("=="|...|">=") unary ]
//   unary := "!" unary | "(" or ")" | number | text | name "(" [ number { "," number } ] ")"

import { ExpressionError, type Token, tokenize } from './tokens.ts'

export { ExpressionError } from './tokens.ts'

const DEPTH_MAX = 32 // parentheses and "!" within one another
const TERMS_MAX = 256 // numbers, texts and calls

export type Value = number | boolean | string
type ValueType = 'number' | 'condition' | 'text'

// Functions take numbers, as many as `parameters` names.
interface FunctionOf<Subject, Type extends ValueType, Result> {
  readonly type: Type
  readonly parameters: readonly string[] // their names, for messages
  // '' or what is wrong with these arguments; they are literals, so it is known when the expression is compiled.
  readonly check?: (values: readonly number[]) => string
  readonly read: (subject: Subject, values: readonly number[]) => Result
}

export type ExpressionFunction<Subject> =
  | FunctionOf<Subject, 'number', number>
  | FunctionOf<Subject, 'condition', boolean>
  | FunctionOf<Subject, 'text', string>

export type FunctionTable<Subject> = Readonly<Record<string, ExpressionFunction<Subject>>>

// What an expression asks for: a breaker keeps no latencies that nobody asks about.
export interface Call {
  readonly name: string
  readonly values: readonly number[]
}

export interface Expression<Subject> {
  readonly source: string
  readonly calls: readonly Call[]
  test(subject: Subject): boolean
}

type Read<Subject> = (subject: Subject) => Value

interface Node<Subject> {
  readonly type: ValueType
  readonly read: Read<Subject>
  readonly offset: number
}

// Throws ExpressionError.
export function compileExpression<Subject>(
  source: string,
  functions: FunctionTable<Subject>,
): Expression<Subject> {
  const compiler = new Compiler(source, functions)
  const { read } = compiler.compile()
  return { source, calls: compiler.calls, test: (subject) => read(subject) === true }
}

class Compiler<Subject> {
  readonly calls: Call[] = []
  private readonly tokens: readonly Token[]
  private readonly functions: FunctionTable<Subject>
  private at = 0
  private depth = 0
  private terms = 0

  constructor(source: string, functions: FunctionTable<Subject>) {
    this.tokens = tokenize(source)
    this.functions = functions
  }

  compile(): Node<Subject> {
    if (this.peek().kind === 'end') throw new ExpressionError('the expression is empty', 0)
    const whole = this.condition(this.either())
    if (this.peek().kind !== 'end') throw this.unexpected('"&&", "||" or the end')
    return whole
  }

  private peek(): Token {
    return this.tokens[this.at]!
  }

  // Takes the next token if it is this mark.
  private takes(mark: string): boolean {
    if (this.peek().kind !== 'mark' || this.peek().text !== mark) return false
    this.at++
    return true
  }

  private either(): Node<Subject> {
    let left = this.both()
    while (this.takes('||')) {
      const { read: first, offset } = this.condition(left)
      const { read: second } = this.condition(this.both())
      left = { type: 'condition', offset, read: (s) => first(s) === true || second(s) === true }
    }
    return left
  }

  private both(): Node<Subject> {
    let left = this.comparison()
    while (this.takes('&&')) {
      const { read: first, offset } = this.condition(left)
      const { read: second } = this.condition(this.comparison())
      left = { type: 'condition', offset, read: (s) => first(s) === true && second(s) === true }
    }
    return left
  }

  private comparison(): Node<Subject> {
    const left = this.unary()
    const token = this.peek()
    const compare = token.kind === 'mark' ? comparisons[token.text] : undefined
    if (compare === undefined) return left
    this.at++
    const right = this.unary()
    if (left.type !== right.type)
      throw new ExpressionError(
        `a ${left.type} can't be compared with a ${right.type}`,
        token.offset,
      )
    if (left.type !== 'number' && token.text !== '==' && token.text !== '!=')
      throw new ExpressionError(`"${token.text}" compares numbers only`, token.offset)
    return { type: 'condition', offset: left.offset, read: compare(left.read, right.read) }
  }

  private unary(): Node<Subject> {
    const { offset } = this.peek()
    if (++this.depth > DEPTH_MAX)
      throw new ExpressionError(`it is nested deeper than ${DEPTH_MAX} levels`, offset)
    const node = this.takes('!') ? this.negated(offset) : this.term()
    this.depth--
    return node
  }

  private negated(offset: number): Node<Subject> {
    const { read } = this.condition(this.unary())
    return { type: 'condition', offset, read: (subject) => read(subject) !== true }
  }

  private term(): Node<Subject> {
    const { kind, text, offset } = this.peek()
    if (this.takes('(')) {
      const inner = this.either()
      if (!this.takes(')')) throw this.unexpected('")"')
      return inner
    }
    if (kind !== 'number' && kind !== 'text' && kind !== 'name')
      throw this.unexpected('a function, a number or a text')
    if (++this.terms > TERMS_MAX)
      throw new ExpressionError(`it has more than ${TERMS_MAX} terms`, offset)
    this.at++
    if (kind === 'name') return this.call(text, offset)
    const value = kind === 'number' ? Number(text) : text
    return { type: kind, offset, read: () => value }
  }

  private call(name: string, offset: number): Node<Subject> {
    const known = Object.hasOwn(this.functions, name) ? this.functions[name]! : null
    if (known === null) {
      const names = Object.keys(this.functions).join(', ')
      throw new ExpressionError(`there is no function ${name}; there are ${names}`, offset)
    }
    const values = this.values(name)
    if (values.length !== known.parameters.length) {
      const wanted = `${name}(${known.parameters.join(', ')})`
      throw new ExpressionError(`${values.length} values are given, ${wanted} is wanted`, offset)
    }
    const fault = known.check?.(values) ?? ''
    if (fault !== '') throw new ExpressionError(`${name}: ${fault}`, offset)
    this.calls.push({ name, values })
    const { read, type } = known
    return { type, offset, read: (subject) => read(subject, values) }
  }

  private values(name: string): number[] {
    const values: number[] = []
    if (!this.takes('(')) throw this.unexpected(`"(" after ${name}`)
    if (this.takes(')')) return values
    do {
      if (this.peek().kind !== 'number') throw this.unexpected('a number')
      values.push(Number(this.peek().text))
      this.at++
    } while (this.takes(','))
    if (!this.takes(')')) throw this.unexpected('"," or ")"')
    return values
  }

  private condition(node: Node<Subject>): Node<Subject> {
    if (node.type === 'condition') return node
    throw new ExpressionError(`a condition is wanted and this is a ${node.type}`, node.offset)
  }

  private unexpected(wanted: string): ExpressionError {
    const { kind, text, offset } = this.peek()
    const found = kind === 'end' ? 'the end' : JSON.stringify(text)
    return new ExpressionError(`${found} where ${wanted} is expected`, offset)
  }
}

type Compare = <Subject>(left: Read<Subject>, right: Read<Subject>) => Read<Subject>

const comparisons: Readonly<Record<string, Compare>> = {
  '==': (left, right) => (subject) => left(subject) === right(subject),
  '!=': (left, right) => (subject) => left(subject) !== right(subject),
  '<': (left, right) => (subject) => left(subject) < right(subject),
  '<=': (left, right) => (subject) => left(subject) <= right(subject),
  '>': (left, right) => (subject) => left(subject) > right(subject),
  '>=': (left, right) => (subject) => left(subject) >= right(subject),
}
