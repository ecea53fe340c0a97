// The value types that Traefik's configuration has beyond YAML's own: durations, sizes, ports.
//
// Each accepts what Traefik accepts and yields a number; none has a default of its own. Hot: no.

import { z } from 'zod'
import type { KeyMeta } from './shape.ts'

const unitsMs = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  ['\u00b5s', 1e-3], // micro sign
  ['\u03bcs', 1e-3], // Greek mu: Go accepts both
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
])
const durationMsMax = 2 ** 63 / 1e6 // Go's durations are 64-bit nanoseconds
const durationLengthMax = 64

// '1h2m3.5s' -> 3723500, '500ms' -> 500, 10 and '10' -> 10000 (bare whole numbers are seconds).
// Null when it is none.
export function parseDuration(value: unknown): number | null {
  if (typeof value === 'number') return Number.isInteger(value) ? value * 1000 : null
  if (typeof value !== 'string' || value.length > durationLengthMax) return null
  const text = value.trim()
  if (/^[+-]?\d+$/.test(text)) return Number(text) * 1000
  const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)$/.exec(text)
  if (match === null) return null
  let sum = 0
  for (const part of match[2]!.matchAll(/([\d.]+)(\D+)/g)) {
    sum += Number(part[1]) * unitsMs.get(part[2]!)!
  }
  return match[1] === '-' ? -sum : sum
}

function isDuration(ms: number | null, negative: boolean): ms is number {
  return ms !== null && Math.abs(ms) < durationMsMax && (negative || ms >= 0)
}

const durationMeta: KeyMeta = { hint: 'a duration such as 10s' }

function durationType(negative: boolean) {
  return z
    .unknown()
    .transform((value, context): number => {
      const ms = parseDuration(value)
      if (isDuration(ms, negative)) return ms
      context.addIssue(describeWrong(durationMeta.hint!, value))
      return z.NEVER
    })
    .meta(durationMeta as Record<string, unknown>)
}

// Milliseconds. The second kind allows negative values, where Traefik gives them a meaning.
export const duration = durationType(false)
export const signedDuration = durationType(true)

const sizeUnits = new Map([
  ['', 1],
  ['b', 1],
  ['kib', 1024],
  ['mib', 1024 ** 2],
  ['gib', 1024 ** 3],
  ['ki', 1024], // as Kubernetes writes them
  ['mi', 1024 ** 2],
  ['gi', 1024 ** 3],
])

export function parseBytes(value: unknown): number | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : null
  if (typeof value !== 'string') return null
  const match = /^(\d{1,15}) ?([A-Za-z]{0,3})$/.exec(value.trim())
  const unit = match === null ? undefined : sizeUnits.get(match[2]!.toLowerCase())
  if (match === null || unit === undefined) return null
  const bytes = Number(match[1]) * unit
  return Number.isSafeInteger(bytes) ? bytes : null
}

const bytesMeta: KeyMeta = { hint: 'a number of bytes such as 65536 or 64KiB' }

export const bytes = z
  .unknown()
  .transform((value, context): number => {
    const parsed = parseBytes(value)
    if (parsed !== null) return parsed
    context.addIssue(describeWrong(bytesMeta.hint!, value))
    return z.NEVER
  })
  .meta(bytesMeta as Record<string, unknown>)

export const port = z.int().min(1).max(65_535)

function describeWrong(hint: string, value: unknown): string {
  return `expected ${hint}, got ${describeValue(value)}`
}

const shownLengthMax = 60

// How a value is called in a message: short, in one line, and recognisable.
export function describeValue(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  if (typeof value !== 'string') return String(value)
  const short = value.length > shownLengthMax ? `${value.slice(0, shownLengthMax)}...` : value
  return JSON.stringify(short)
}
