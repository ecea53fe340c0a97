// config/providers/template/values.ts: what template expressions work on, and the bounds on it.
//
// Go values are plain ones here: text, number, boolean, null, Array (list), Map (dict). A Budget counts what
// one file costs; every function charges it, so that no template can take more than a bounded time. Hot: no.

import { TemplateFault } from './scan.ts'

export type Value = string | number | boolean | null | readonly Value[] | ReadonlyMap<string, Value>

// What sprig's split returns: a missing key is empty text there, and null in every other map.
export class TextMap extends Map<string, Value> {}

export const outputMax = 16 * 1024 * 1024 // UTF-16 units, of the output and of any value
const stepsMax = 1_000_000
const unitsPerStep = 256 // long texts cost more than one step

export class Budget {
  offset = 0 // of the expression at work: where a fault is reported
  private steps = 0

  step(count = 1): void {
    this.steps += count
    if (this.steps > stepsMax) this.fail(`takes more than ${stepsMax} steps`)
  }

  // Called before a text of that length is made.
  units(length: number, perStep = unitsPerStep): void {
    if (length > outputMax) this.fail(`makes a text longer than ${outputMax / 1024 / 1024} MiB`)
    this.step(Math.ceil(length / perStep))
  }

  fail(message: string): never {
    throw new TemplateFault(message, this.offset)
  }
}

export function isTrue(value: Value): boolean {
  if (Array.isArray(value)) return value.length > 0
  if (value instanceof Map) return value.size > 0
  return Boolean(value)
}

export function typeName(value: Value): string {
  if (value === null) return 'nil'
  if (Array.isArray(value)) return 'a list'
  if (value instanceof Map) return 'a map'
  return { string: 'text', number: 'a number', boolean: 'a boolean' }[typeof value as 'string']
}

// As Go prints it with %v. A null is refused: "<no value>" in a configuration is never what was meant.
export function textOf(value: Value, budget: Budget): string {
  budget.step()
  if (typeof value === 'string') return value
  if (value === null) return budget.fail('has no value to print; give it one with "default"')
  if (Array.isArray(value)) {
    const parts = value.map((part: Value) => textOf(part, budget))
    return bounded(`[${parts.join(' ')}]`, budget)
  }
  if (value instanceof Map) {
    const parts = sortedKeys(value).map((key) => `${key}:${textOf(value.get(key)!, budget)}`)
    return bounded(`map[${parts.join(' ')}]`, budget)
  }
  return String(value)
}

export function bounded(text: string, budget: Budget): string {
  budget.units(text.length)
  return text
}

export function sortedKeys(map: ReadonlyMap<string, Value>): string[] {
  return [...map.keys()].sort()
}

// Of "x.name", and of index with a key.
export function member(value: Value, name: string, budget: Budget): Value {
  if (!(value instanceof Map)) {
    return budget.fail(`"${name}" of ${typeName(value)}: only a map has fields`)
  }
  return value.get(name) ?? (value instanceof TextMap ? '' : null)
}

export function asText(value: Value, budget: Budget): string {
  if (typeof value === 'string') return value
  return budget.fail(`expected text, found ${typeName(value)}`)
}

export function asList(value: Value, budget: Budget): readonly Value[] {
  if (Array.isArray(value)) return value
  return budget.fail(`expected a list, found ${typeName(value)}`)
}

export function asMap(value: Value, budget: Budget): ReadonlyMap<string, Value> {
  if (value instanceof Map) return value
  return budget.fail(`expected a map, found ${typeName(value)}`)
}

// sprig casts: text that holds a number is one, other text is 0.
export function toInteger(value: Value, budget: Budget): number {
  if (typeof value === 'boolean') return value ? 1 : 0
  const number = typeof value === 'string' ? Number(value.trim() === '' ? 0 : value) : value
  if (typeof number !== 'number') return budget.fail(`expected a number, found ${typeName(value)}`)
  const whole = Math.trunc(number)
  if (Number.isNaN(whole)) return 0
  if (!Number.isSafeInteger(whole)) budget.fail('a number is too large')
  return whole
}
