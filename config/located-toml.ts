// TOML into plain values (smol-toml), and into places when asked (a scanner of headers and keys).
//
// The scanner only ever reads text that smol-toml accepted, so it needs no error handling of its own: on
// anything that it doesn't know it goes one character on, and ends with the text. Hot: no.

import { TomlDate, TomlError, parse } from 'smol-toml'
import { lineStartsOf, type Place } from './position.ts'
import { SyntaxFault } from './syntax-fault.ts'
import { depthMax } from './located-yaml.ts'

export function parseToml(text: string): unknown {
  try {
    const table = parse(text, {
      integersAsBigInt: 'asNeeded',
      maxDepth: depthMax,
      unsafeKeyBehaviour: 'keep', // refused by located.ts, for all formats in one place
    })
    return plainValue(table, 0)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const reason = error.message.split('\n', 1)[0]!.replace(/^Invalid TOML document: /, '')
    const line = lineStartsOf(text)[error.line - 1] ?? 0
    throw new SyntaxFault(reason, line + Math.max(0, error.column - 1))
  }
}

// No key of the configuration is a date, and Traefik's priorities exceed 2^53: the first become text, the
// second the nearest number.
function plainValue(value: unknown, depth: number): unknown {
  if (depth > depthMax) throw new SyntaxFault(`is nested deeper than ${depthMax}`, 0)
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof TomlDate) return value.toISOString()
  if (Array.isArray(value)) return value.map((item) => plainValue(item, depth + 1))
  const table = value as Record<string, unknown>
  for (const key of Object.keys(table)) {
    const plain = plainValue(table[key], depth + 1)
    if (plain !== table[key]) table[key] = plain
  }
  return table
}

interface Scan {
  text: string
  at: number
}

function newPlace(offset: number): Place {
  return { offset, keys: null, items: null }
}

export function placesOfToml(text: string): Place {
  const scan: Scan = { text, at: 0 }
  const root = newPlace(0)
  root.keys = new Map()
  let table = root
  for (skipBlank(scan); scan.at < text.length; skipBlank(scan)) {
    if (text[scan.at] === '[') table = readHeader(scan, root)
    else readPair(scan, table)
  }
  return root
}

function readHeader(scan: Scan, root: Place): Place {
  const list = scan.text[scan.at + 1] === '['
  const offset = scan.at
  scan.at += list ? 2 : 1
  const names = readKey(scan).map((part) => part.name)
  scan.at += list ? 2 : 1
  let table = root
  for (const name of names.slice(0, -1)) table = lastItem(childOf(table, name, offset))
  const last = childOf(table, names.at(-1)!, offset)
  if (!list) return last
  last.items ??= []
  const item = newPlace(offset)
  last.items.push(item)
  return item
}

function lastItem(place: Place): Place {
  return place.items?.at(-1) ?? place
}

function childOf(table: Place, name: string, offset: number): Place {
  table.keys ??= new Map()
  const known = table.keys.get(name)
  if (known !== undefined) return known
  const child = newPlace(offset)
  table.keys.set(name, child)
  return child
}

function readPair(scan: Scan, table: Place): void {
  const start = scan.at
  const parts = readKey(scan)
  let target = table
  for (const part of parts) target = childOf(target, part.name, part.offset)
  skipBlank(scan)
  if (scan.text[scan.at] === '=') scan.at++
  readValue(scan, target)
  if (scan.at === start) scan.at++
}

interface KeyPart {
  name: string
  offset: number
}

function readKey(scan: Scan): KeyPart[] {
  const parts: KeyPart[] = []
  for (;;) {
    skipInline(scan)
    const offset = scan.at
    const quote = scan.text[scan.at]
    if (quote === '"' || quote === "'") skipString(scan)
    else while (/[A-Za-z0-9_-]/.test(scan.text[scan.at] ?? '')) scan.at++
    const raw = scan.text.slice(offset, scan.at)
    parts.push({ name: unquote(raw), offset })
    skipInline(scan)
    if (scan.text[scan.at] !== '.') return parts
    scan.at++
  }
}

function unquote(raw: string): string {
  if (raw.startsWith("'")) return raw.slice(1, -1)
  if (!raw.startsWith('"')) return raw
  return Object.keys(parse(`${raw} = 0`))[0] ?? raw
}

function readValue(scan: Scan, target: Place): void {
  skipBlank(scan)
  const first = scan.text[scan.at]
  if (first === '"' || first === "'") skipString(scan)
  else if (first === '[') readList(scan, target)
  else if (first === '{') readInlineTable(scan, target)
  else while (scan.at < scan.text.length && !/[,\]}\n#]/.test(scan.text[scan.at]!)) scan.at++
}

function readList(scan: Scan, target: Place): void {
  target.items = []
  scan.at++
  for (skipSeparators(scan); isBefore(scan, ']'); skipSeparators(scan)) {
    const item = newPlace(scan.at)
    target.items.push(item)
    readValue(scan, item)
    if (scan.at === item.offset) scan.at++
  }
  scan.at++
}

function readInlineTable(scan: Scan, target: Place): void {
  target.keys ??= new Map()
  scan.at++
  for (skipSeparators(scan); isBefore(scan, '}'); skipSeparators(scan)) readPair(scan, target)
  scan.at++
}

function isBefore(scan: Scan, end: string): boolean {
  return scan.at < scan.text.length && scan.text[scan.at] !== end
}

function skipString(scan: Scan): void {
  const quote = scan.text[scan.at]!
  const long = scan.text.startsWith(quote.repeat(3), scan.at)
  const end = long ? quote.repeat(3) : quote
  scan.at += end.length
  while (scan.at < scan.text.length && !scan.text.startsWith(end, scan.at)) {
    scan.at += quote === '"' && scan.text[scan.at] === '\\' ? 2 : 1
  }
  scan.at += end.length
  // A long string may end in up to two quotes of its own before the closing three.
  while (long && scan.text[scan.at] === quote) scan.at++
}

function skipInline(scan: Scan): void {
  while (scan.text[scan.at] === ' ' || scan.text[scan.at] === '\t') scan.at++
}

function skipSeparators(scan: Scan): void {
  for (skipBlank(scan); scan.text[scan.at] === ','; skipBlank(scan)) scan.at++
}

function skipBlank(scan: Scan): void {
  for (;;) {
    while (/[\s]/.test(scan.text[scan.at] ?? '')) scan.at++
    if (scan.text[scan.at] !== '#') return
    while (scan.at < scan.text.length && scan.text[scan.at] !== '\n') scan.at++
  }
}
