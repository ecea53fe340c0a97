// core/cache/directives.ts: Cache-Control of requests and of responses (RFC 9111, section 5.2; RFC 5861).
//
// What is malformed never makes a response live longer, nor hides a word behind it: a header that is no list of
// directives from its beginning to its end is not understood at all, and nothing is stored. A lifetime that can't be
// read is 0, of two the shorter counts (section 4.2.1), unknown directives are passed over.
// Hot: no; requests with the header, and responses that might be stored.

import { isToken } from '../h1/text.ts'

export const ABSENT = -1
export const SECONDS_MAX = 2_147_483_648 // section 1.2.2: more than that means that much
const DIRECTIVES_MAX = 64 // of one header; a response with more is not stored, a request with more is not served from here

export interface ResponseDirectives {
  readonly noStore: boolean
  readonly noCache: boolean
  readonly isPrivate: boolean
  readonly isPublic: boolean
  readonly mustRevalidate: boolean
  readonly proxyRevalidate: boolean
  readonly mustUnderstand: boolean
  readonly withheld: readonly string[] // fields named by no-cache="..." and private="...": never stored
  readonly maxAge: number // seconds; ABSENT
  readonly sMaxage: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
}

export interface RequestDirectives {
  readonly noStore: boolean
  readonly noCache: boolean
  readonly onlyIfCached: boolean
  readonly maxAge: number
  readonly minFresh: number
  readonly maxStale: number // Infinity: however stale
}

interface Directive {
  readonly name: string // lower case
  readonly value: string | null // null: none was given
}

// One member of the list with the comma behind it: a token, and what it is set to: a quoted string, or whatever comes
// before the comma.
const MEMBER = /[\s,]*([!#$%&'*+\-.^_`|~0-9a-z]+)(?:="((?:[^"\\]|\\.)*)"\s*|=([^",]*)|\s*)(?:,|$)/iy
const NOTHING = /^[\s,]*$/
const VALUE_MAX = 8192 // a longer header is one directive that nobody knows: not stored

// Of all lines of the header; null when there is more than we read, or something that is no directive.
export function readDirectives(lines: readonly string[]): readonly Directive[] | null {
  if (lines.reduce((sum, line) => sum + line.length, 0) > VALUE_MAX) return null
  const found: Directive[] = []
  return lines.every((line) => readLine(line, found)) ? found : null
}

// Each by itself: a quoted string that does not end on its line would take in the words of the next.
function readLine(line: string, found: Directive[]): boolean {
  let at = 0
  MEMBER.lastIndex = 0
  for (let match = MEMBER.exec(line); match !== null; match = MEMBER.exec(line)) {
    const [, name = '', quoted, plain] = match
    const value = quoted === undefined ? plain?.trim() : quoted.replace(/\\(.)/g, '$1')
    const lacksComma = quoted === undefined && value !== undefined && /\s/.test(value)
    if (found.length >= DIRECTIVES_MAX || lacksComma) return false
    found.push({ name: name.toLowerCase(), value: value ?? null })
    at = MEMBER.lastIndex
  }
  return NOTHING.test(line.slice(at))
}

// section 1.2.2; `otherwise` for what is no number of seconds.
export function secondsOf(value: string | null, otherwise: number): number {
  if (value === null || !/^\d{1,20}$/.test(value)) return otherwise
  return Math.min(Number(value), SECONDS_MAX)
}

function has(directives: readonly Directive[], name: string): boolean {
  return directives.some((directive) => directive.name === name)
}

// Without an argument it is about the whole response; with one, about the fields that it names.
function hasPlain(directives: readonly Directive[], name: string): boolean {
  return directives.some(
    (directive) => directive.name === name && fieldNames(directive.value).length === 0,
  )
}

// None where one of them can't be the name of a field: then it is not known which are meant.
function fieldNames(value: string | null): string[] {
  if (value === null) return []
  const names = value
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
  return names.every((name) => isToken(name)) ? names : []
}

// The shortest, so that two lifetimes never add up to a longer one.
function shortest(directives: readonly Directive[], name: string): number {
  let found = ABSENT
  for (const directive of directives) {
    if (directive.name !== name) continue
    const seconds = secondsOf(directive.value, 0)
    if (found === ABSENT || seconds < found) found = seconds
  }
  return found
}

// What can't be read at all is not stored.
const nothingAllowed: readonly Directive[] = [{ name: 'no-store', value: null }]

export function responseDirectives(lines: readonly string[]): ResponseDirectives {
  return conclude(readDirectives(lines) ?? nothingAllowed)
}

export function conclude(directives: readonly Directive[]): ResponseDirectives {
  const withheld = directives
    .filter(({ name }) => name === 'no-cache' || name === 'private')
    .flatMap(({ value }) => fieldNames(value))
  return {
    noStore: has(directives, 'no-store'),
    noCache: hasPlain(directives, 'no-cache'),
    isPrivate: hasPlain(directives, 'private'),
    isPublic: has(directives, 'public'),
    mustRevalidate: has(directives, 'must-revalidate'),
    proxyRevalidate: has(directives, 'proxy-revalidate'),
    mustUnderstand: has(directives, 'must-understand'),
    withheld,
    maxAge: shortest(directives, 'max-age'),
    sMaxage: shortest(directives, 's-maxage'),
    staleWhileRevalidate: Math.max(0, shortest(directives, 'stale-while-revalidate')),
    staleIfError: Math.max(0, shortest(directives, 'stale-if-error')),
  }
}

export const noRequestDirectives: RequestDirectives = {
  noStore: false,
  noCache: false,
  onlyIfCached: false,
  maxAge: ABSENT,
  minFresh: ABSENT,
  maxStale: ABSENT,
}

// Of a header that can't be read nothing is known: such a request is neither answered from here nor stored.
const unreadable: RequestDirectives = { ...noRequestDirectives, noStore: true }

export function requestDirectives(lines: readonly string[]): RequestDirectives {
  const directives = readDirectives(lines)
  if (directives === null) return unreadable
  const stale = directives.find(({ name }) => name === 'max-stale')
  return {
    noStore: has(directives, 'no-store'),
    noCache: has(directives, 'no-cache'),
    onlyIfCached: has(directives, 'only-if-cached'),
    maxAge: shortest(directives, 'max-age'),
    minFresh: shortest(directives, 'min-fresh'),
    maxStale:
      stale === undefined
        ? ABSENT
        : stale.value === null
          ? Infinity
          : shortest(directives, 'max-stale'),
  }
}
