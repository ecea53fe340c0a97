// config/providers/template/list-functions.ts: lists and dicts. A function never changes its argument,
// except `set` and `unset`, which do so in sprig too. Hot: no.

import type { FunctionTable } from './functions.ts'
import {
  asList,
  asMap,
  asText,
  isTrue,
  member,
  sortedKeys,
  textOf,
  toInteger,
  typeName,
  type Budget,
  type Value,
} from './values.ts'

const listMax = 100_000

function sized<T>(list: readonly T[], budget: Budget): readonly T[] {
  if (list.length > listMax) budget.fail(`makes a list of more than ${listMax} elements`)
  budget.step(Math.ceil(list.length / 16))
  return list
}

function steps(from: number, to: number, by: number, budget: Budget): number[] {
  const list: number[] = []
  if (by === 0 || (to - from) / by <= 0) return list
  if ((to - from) / by > listMax) budget.fail(`makes a list of more than ${listMax} elements`)
  for (let at = from; by > 0 ? at < to : at > to; at += by) list.push(at)
  sized(list, budget)
  return list
}

function dictOf(args: readonly Value[], budget: Budget): Map<string, Value> {
  const dict = new Map<string, Value>()
  for (let at = 0; at < args.length; at += 2) {
    dict.set(textOf(args[at]!, budget), args[at + 1] ?? '')
  }
  return dict
}

function indexOf(args: readonly Value[], budget: Budget): Value {
  let value = args[0] as Value
  for (const key of args.slice(1)) {
    if (!Array.isArray(value)) {
      value = member(value, asText(key, budget), budget)
      continue
    }
    const at = toInteger(key, budget)
    if (at < 0 || at >= value.length) {
      return budget.fail(`index ${at} is outside of a list of ${value.length}`)
    }
    value = value[at] as Value
  }
  return value
}

function sliceOf(args: readonly Value[], budget: Budget): Value {
  const of = args[0]!
  if (!Array.isArray(of) && typeof of !== 'string') {
    return budget.fail(`cannot slice ${typeName(of)}`)
  }
  const from = toInteger(args[1] ?? 0, budget)
  const to = toInteger(args[2] ?? of.length, budget)
  if (from < 0 || to > of.length || from > to) budget.fail('a slice is outside of its value')
  return of.slice(from, to) as Value
}

function merged(args: readonly Value[], budget: Budget): Value {
  const result = new Map<string, Value>()
  for (const arg of args) {
    for (const [key, value] of asMap(arg, budget)) if (!result.has(key)) result.set(key, value)
  }
  budget.step(result.size)
  return result
}

function changed(args: readonly Value[], budget: Budget): Value {
  const map = asMap(args[0]!, budget) as Map<string, Value>
  const key = asText(args[1]!, budget)
  const value = args[2]
  if (value === undefined) map.delete(key)
  else if (reaches(value, map, budget)) budget.fail('a map cannot hold itself')
  else map.set(key, value)
  return map
}

// Bounded by the budget, so a deep or shared structure ends in an error and never in a loop.
function reaches(from: Value, target: Value, budget: Budget): boolean {
  const open: Value[] = [from]
  while (open.length > 0) {
    const value = open.pop()!
    budget.step()
    if (value === target) return true
    if (Array.isArray(value)) for (const part of value) open.push(part as Value)
    else if (value instanceof Map) for (const part of value.values()) open.push(part as Value)
  }
  return false
}

const keyOf = (value: Value, budget: Budget): string => `${typeof value}:${textOf(value, budget)}`

export const listFunctions: FunctionTable = {
  list: { min: 0, max: Infinity, run: (args, budget) => sized(args, budget) },
  dict: { min: 0, max: Infinity, run: dictOf },
  index: { min: 1, max: Infinity, run: indexOf },
  slice: { min: 1, max: 3, run: sliceOf },
  get: {
    min: 2,
    max: 2,
    run: ([map, key], budget) => asMap(map!, budget).get(asText(key!, budget)) ?? '',
  },
  set: { min: 3, max: 3, run: changed },
  unset: { min: 2, max: 2, run: changed },
  hasKey: {
    min: 2,
    max: 2,
    run: ([map, key], budget) => asMap(map!, budget).has(asText(key!, budget)),
  },
  keys: { min: 1, max: 1, run: ([map], budget) => sized(sortedKeys(asMap(map!, budget)), budget) },
  values: {
    min: 1,
    max: 1,
    run: ([map], budget) => {
      const of = asMap(map!, budget)
      return sized(sortedKeys(of), budget).map((key) => of.get(key)!)
    },
  },
  merge: { min: 1, max: Infinity, run: merged },
  until: { min: 1, max: 1, run: ([to], budget) => steps(0, toInteger(to!, budget), 1, budget) },
  untilStep: {
    min: 3,
    max: 3,
    run: (args, budget) => {
      const [from, to, by] = args.map((arg) => toInteger(arg, budget))
      return steps(from!, to!, by!, budget)
    },
  },
  first: { min: 1, max: 1, run: ([list], budget) => asList(list!, budget)[0] ?? null },
  last: { min: 1, max: 1, run: ([list], budget) => asList(list!, budget).at(-1) ?? null },
  rest: { min: 1, max: 1, run: ([list], budget) => sized(asList(list!, budget).slice(1), budget) },
  initial: {
    min: 1,
    max: 1,
    run: ([list], budget) => sized(asList(list!, budget).slice(0, -1), budget),
  },
  reverse: {
    min: 1,
    max: 1,
    run: ([list], budget) => sized(asList(list!, budget).toReversed(), budget),
  },
  append: {
    min: 2,
    max: 2,
    run: ([list, value], budget) => sized([...asList(list!, budget), value!], budget),
  },
  prepend: {
    min: 2,
    max: 2,
    run: ([list, value], budget) => sized([value!, ...asList(list!, budget)], budget),
  },
  concat: {
    min: 1,
    max: Infinity,
    run: (args, budget) =>
      sized(
        args.flatMap((list) => asList(list, budget)),
        budget,
      ),
  },
  has: {
    min: 2,
    max: 2,
    run: ([value, list], budget) => sized(asList(list!, budget), budget).includes(value!),
  },
  without: {
    min: 2,
    max: Infinity,
    run: ([list, ...out], budget) =>
      sized(asList(list!, budget), budget).filter((value) => !out.includes(value)),
  },
  compact: {
    min: 1,
    max: 1,
    run: ([list], budget) => sized(asList(list!, budget), budget).filter(isTrue),
  },
  uniq: {
    min: 1,
    max: 1,
    run: ([list], budget) => {
      const seen = new Map<string, Value>()
      for (const value of asList(list!, budget)) {
        const key = keyOf(value, budget)
        if (!seen.has(key)) seen.set(key, value)
      }
      return [...seen.values()]
    },
  },
  sortAlpha: {
    min: 1,
    max: 1,
    run: ([list], budget) =>
      sized(asList(list!, budget), budget)
        .map((value) => textOf(value, budget))
        .sort(),
  },
}
