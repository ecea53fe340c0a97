// config/providers/template/functions.ts: the functions that a template may call, by name.
//
// Go's own and those of sprig that people use in routing files. What reads the clock, random numbers, files
// or the network is refused with a reason: the same file must always give the same routes. Hot: no.

import { listFunctions } from './list-functions.ts'
import { mathFunctions } from './math-functions.ts'
import { textFunctions } from './text-functions.ts'
import { isTrue, textOf, type Budget, type Value } from './values.ts'

export interface TemplateFunction {
  readonly min: number // arguments
  readonly max: number
  run(args: readonly Value[], budget: Budget): Value
}

export type FunctionTable = Readonly<Record<string, TemplateFunction>>

export type Environment = Readonly<Record<string, string | undefined>>

const changing = 'gives another result each time'
const refusals: Readonly<Record<string, string>> = {
  now: changing,
  date: changing,
  uuidv4: changing,
  randAlphaNum: changing,
  randInt: changing,
  htpasswd: changing,
  genPrivateKey: changing,
  readFile: 'reads a file; put its text into an environment variable',
  getHostByName: 'asks the network',
  include: 'needs named templates, which are not supported',
  tpl: 'needs named templates, which are not supported',
}

export function templateFunctions(environment: Environment): Map<string, TemplateFunction> {
  const tables = [logicFunctions, mathFunctions, textFunctions, listFunctions]
  const functions = new Map(tables.flatMap((table) => Object.entries(table)))
  for (const [name, reason] of Object.entries(refusals)) {
    const run = (_: readonly Value[], budget: Budget): Value =>
      budget.fail(`"${name}" is not available: it ${reason}`)
    functions.set(name, { min: 0, max: Infinity, run })
  }
  for (const [name, known] of Object.entries(environmentFunctions(environment))) {
    functions.set(name, known)
  }
  return functions
}

// An unset variable is empty text, as in Go; `default` and `required` handle that.
function environmentFunctions(environment: Environment): FunctionTable {
  const variable = (name: string): string =>
    Object.hasOwn(environment, name) ? (environment[name] ?? '') : ''
  return {
    env: { min: 1, max: 1, run: ([name], budget) => variable(textOf(name!, budget)) },
    expandenv: {
      min: 1,
      max: 1,
      run: ([text], budget) =>
        textOf(text!, budget).replace(
          /\$(?:\{([^{}]*)\}|([A-Za-z0-9_]+))/g,
          (_, braced?: string, bare?: string) => variable(braced ?? bare ?? ''),
        ),
    },
  }
}

function compare(left: Value, right: Value, budget: Budget): number {
  const kind = typeof left
  if (kind !== typeof right || (kind !== 'number' && kind !== 'string')) {
    return budget.fail('only two numbers or two texts can be ordered')
  }
  if (left === right) return 0
  return (left as number) < (right as number) ? -1 : 1
}

// Go refuses to compare values of different kinds; comparing with nil is allowed.
function equal(left: Value, right: Value, budget: Budget): boolean {
  if (left === null || right === null) return left === right
  if (typeof left !== typeof right || typeof left === 'object') {
    return budget.fail('only values of one simple kind can be compared')
  }
  return left === right
}

const logicFunctions: FunctionTable = {
  eq: {
    min: 2,
    max: Infinity,
    run: ([first, ...rest], budget) => rest.some((other) => equal(first!, other, budget)),
  },
  ne: { min: 2, max: 2, run: ([a, b], budget) => !equal(a!, b!, budget) },
  lt: { min: 2, max: 2, run: ([a, b], budget) => compare(a!, b!, budget) < 0 },
  le: { min: 2, max: 2, run: ([a, b], budget) => compare(a!, b!, budget) <= 0 },
  gt: { min: 2, max: 2, run: ([a, b], budget) => compare(a!, b!, budget) > 0 },
  ge: { min: 2, max: 2, run: ([a, b], budget) => compare(a!, b!, budget) >= 0 },
  not: { min: 1, max: 1, run: ([value]) => !isTrue(value!) },
  default: {
    min: 2,
    max: 2,
    run: ([otherwise, value]) => (isTrue(value!) ? value! : otherwise!),
  },
  empty: { min: 1, max: 1, run: ([value]) => !isTrue(value!) },
  coalesce: { min: 1, max: Infinity, run: (args) => args.find(isTrue) ?? null },
  ternary: { min: 3, max: 3, run: ([yes, no, test]) => (isTrue(test!) ? yes! : no!) },
  required: {
    min: 2,
    max: 2,
    run: ([message, value], budget) =>
      value === null || value === '' ? budget.fail(textOf(message!, budget)) : value!,
  },
  fail: { min: 1, max: 1, run: ([message], budget) => budget.fail(textOf(message!, budget)) },
}
