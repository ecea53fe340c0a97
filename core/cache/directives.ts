// core/cache/directives.ts: Cache-Control of requests and of responses (RFC 9111, section 5.2; RFC 5861).
//
// What is malformed never makes a response live longer: a lifetime that can't be read is 0, of two the shorter
// counts (section 4.2.1), unknown directives are passed over. Hot: no; requests with the header, and responses that
// might be stored.

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

// One member of the list: a token, and what it is set to: a quoted string, or whatever comes before the comma.
const MEMBER = /[\s,]*([!#$%&'*+\-.^_`|~0-9a-z]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^,]*)))?([^,]*)/iy
const VALUE_MAX = 8192 // a longer header is one directive that nobody knows: not stored

// Of all lines of the header; null when there is more than we read.
export function readDirectives(lines: readonly string[]): readonly Directive[] | null {
  const text = lines.join(',')
  if (text.length > VALUE_MAX) return null
  const found: Directive[] = []
  MEMBER.lastIndex = 0
  for (let match = MEMBER.exec(text); match !== null; match = MEMBER.exec(text)) {
    if (found.length >= DIRECTIVES_MAX) return null
    const [, name = '', quoted, plain, rest = ''] = match
    const value = quoted === undefined ? plain?.trim() : quoted.replace(/\\(.)/g, '$1')
    // "max-age =60": what is set this way is not what it says, and is not 60 either.
    const odd = rest.trim() !== ''
    found.push({ name: name.toLowerCase(), value: odd ? '' : (value ?? null) })
  }
  return found
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

function fieldNames(value: string | null): string[] {
  if (value === null) return []
  return value
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
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

// Of a header too long to be read nothing is known: such a request is neither answered from here nor stored.
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
