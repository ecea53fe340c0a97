// config/providers/template/math-functions.ts: whole-number arithmetic, with sprig's casts. Hot: no.

import type { FunctionTable } from './functions.ts'
import { isTrue, toInteger, typeName, type Budget, type Value } from './values.ts'

type Fold = (left: number, right: number, budget: Budget) => number

function folding(fold: Fold, start: number | null): FunctionTable[string] {
  const run = (args: readonly Value[], budget: Budget): number => {
    const numbers = args.map((arg) => toInteger(arg, budget))
    if (start !== null) numbers.unshift(start)
    const result = numbers.reduce((left, right) => fold(left, right, budget))
    return toInteger(result, budget)
  }
  return { min: start === null ? 2 : 1, max: Infinity, run }
}

function pair(fold: Fold): FunctionTable[string] {
  return { ...folding(fold, null), max: 2 }
}

function divisor(value: number, budget: Budget): number {
  return value === 0 ? budget.fail('division by zero') : value
}

export const mathFunctions: FunctionTable = {
  add: folding((a, b) => a + b, 0),
  add1: { min: 1, max: 1, run: ([value], budget) => toInteger(value!, budget) + 1 },
  sub: pair((a, b) => a - b),
  mul: folding((a, b) => a * b, 1),
  div: pair((a, b, budget) => Math.trunc(a / divisor(b, budget))),
  mod: pair((a, b, budget) => a % divisor(b, budget)),
  max: folding((a, b) => Math.max(a, b), null),
  min: folding((a, b) => Math.min(a, b), null),
  int: { min: 1, max: 1, run: ([value], budget) => toInteger(value!, budget) },
  int64: { min: 1, max: 1, run: ([value], budget) => toInteger(value!, budget) },
  atoi: { min: 1, max: 1, run: ([value], budget) => toInteger(value!, budget) },
  len: { min: 1, max: 1, run: ([value], budget) => lengthOf(value!, budget) },
  kindOf: { min: 1, max: 1, run: ([value]) => kindOf(value!) },
  bool: {
    min: 1,
    max: 1,
    run: ([value]) => value === 'true' || (value !== 'false' && isTrue(value!)),
  },
}

// Go counts bytes.
function lengthOf(value: Value, budget: Budget): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (Array.isArray(value)) return value.length
  if (value instanceof Map) return value.size
  return budget.fail(`${typeName(value)} has no length`)
}

function kindOf(value: Value): string {
  if (value === null) return 'invalid'
  if (Array.isArray(value)) return 'slice'
  if (value instanceof Map) return 'map'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64'
  return typeof value === 'string' ? 'string' : 'bool'
}
