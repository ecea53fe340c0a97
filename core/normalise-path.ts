// core/normalise-path.ts: the path of a request in its one spelling, and what rules see of it.
//
// Hot: only for paths that the parser found odd (an escape, "//", "/.", "\"); plain ones never come here.
// Works on the escaped text throughout, so an encoded slash is never a separator:
//
//   wire    /a/%7e/../B%c3%a9/%2F   escapes  /a/~/../B%C3%A9/%2F   RFC 3986, section 6.2.2
//   sent    /a/B%C3%A9/%2F          segments collapsed when sanitizePath is on
//   routed  /a/Bé/%2F               decoded but for reserved characters

import { escapeAt, textOfBytes } from './percent.ts'

const PERCENT = 37
const SLASH = 47
const BACKSLASH = 92
const HEX = '0123456789ABCDEF'

// One bit for each escape that an entry point or router may refuse; set = allowed, as in the configuration.
export const ALLOW_SLASH = 1
export const ALLOW_BACKSLASH = 2
export const ALLOW_NULL = 4
export const ALLOW_SEMICOLON = 8
export const ALLOW_PERCENT = 16
export const ALLOW_QUESTION_MARK = 32
export const ALLOW_HASH = 64
export const ALLOW_ALL = 127

const UNRESERVED = 1 // RFC 3986, section 2.3: an escape of these means the character itself
const RESERVED = 2 // section 2.2, and "%": an escape of these stays one for rules
const RAW = 4 // may stand in a path as it is

const kinds = new Uint8Array(256)
const bitOfByte = new Uint8Array(256)

function mark(characters: string, kind: number): void {
  for (const character of characters) kinds[character.charCodeAt(0)]! |= kind
}

mark('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~', UNRESERVED | RAW)
mark(":/?#[]@!$&'()*+,;=%", RESERVED)
mark("/:@!$&'()*+,;=", RAW)
bitOfByte[47] = ALLOW_SLASH
bitOfByte[92] = ALLOW_BACKSLASH
bitOfByte[0] = ALLOW_NULL
bitOfByte[59] = ALLOW_SEMICOLON
bitOfByte[37] = ALLOW_PERCENT
bitOfByte[63] = ALLOW_QUESTION_MARK
bitOfByte[35] = ALLOW_HASH

function escapeOf(byte: number): string {
  return '%' + HEX[byte >> 4]! + HEX[byte & 15]!
}

// Escapes in upper case, those of unreserved characters decoded, a raw backslash encoded (Go does, and
// Windows servers read it as a slash). null when a "%" is malformed.
export function normaliseEscapes(path: string): string | null {
  let out = ''
  let from = 0 // what stands before it is in `out` already
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i)
    if (code !== PERCENT && code !== BACKSLASH) continue
    const byte = code === PERCENT ? escapeAt(path, i) : BACKSLASH
    if (byte < 0) return null
    out += path.slice(from, i)
    out += (kinds[byte]! & UNRESERVED) !== 0 ? String.fromCharCode(byte) : escapeOf(byte)
    if (code === PERCENT) i += 2
    from = i + 1
  }
  return from === 0 ? path : out + path.slice(from)
}

// Removes "." and empty segments and resolves "..", never above the root. A slash at the end stays, and
// none is made: "/a/." is "/a", as Go's JoinPath has it.
export function collapseSegments(path: string): string {
  const kept: string[] = []
  for (let start = 1; start <= path.length;) {
    let end = path.indexOf('/', start)
    if (end < 0) end = path.length
    const segment = path.slice(start, end)
    if (segment === '..') kept.pop()
    else if (segment !== '' && segment !== '.') kept.push(segment)
    start = end + 1
  }
  const joined = '/' + kept.join('/')
  return kept.length > 0 && path.charCodeAt(path.length - 1) === SLASH ? joined + '/' : joined
}

// "." or ".." as a whole segment. Escapes must have been normalised, so that "%2e" is seen.
export function hasDotSegment(path: string): boolean {
  return path.includes('/.') && /\/\.\.?(?:\/|$)/.test(path) // nearly no path has one, and the search is the cheaper
}

// "/..;x/": Tomcat and its kind cut ";x" off and climb, after every check in front of them was passed.
export function hasDotParameters(path: string): boolean {
  return path.includes('/.') && /\/\.\.?(?:;|%3B)/.test(path)
}

// What rules look at. Expects normalised escapes.
export function routingPathOf(path: string): string {
  if (!path.includes('%')) return path
  let out = ''
  let plain = true
  for (let i = 0; i < path.length; i++) {
    if (path.charCodeAt(i) !== PERCENT) {
      out += path[i]!
      continue
    }
    const byte = escapeAt(path, i)
    out += (kinds[byte]! & RESERVED) !== 0 ? path.slice(i, i + 3) : String.fromCharCode(byte)
    if (byte >= 128) plain = false
    i += 2
  }
  return plain ? out : textOfBytes(out)
}

// Whether the path holds an escape whose bit is not set in `allowed`.
export function deniedEncoding(path: string, allowed: number): boolean {
  if (allowed === ALLOW_ALL) return false
  for (let i = path.indexOf('%'); i >= 0; i = path.indexOf('%', i + 1)) {
    const byte = escapeAt(path, i)
    if (byte >= 0 && (bitOfByte[byte]! & ~allowed) !== 0) return true
  }
  return false
}

// Any text as a path that may stand in a request line: what is not legal there is escaped, and so are
// "?" and "#", which would end the path. null when a "%" is malformed or a surrogate is alone.
export function legalPath(path: string): string | null {
  if (isPlain(path)) return path // nearly every one; pieced together it would be flattened by whoever sends it
  if (!path.isWellFormed()) return null
  let out = ''
  for (const character of path) {
    const code = character.codePointAt(0)!
    if (code < 128 && ((kinds[code]! & RAW) !== 0 || code === PERCENT)) out += character
    else out += code < 128 ? escapeOf(code) : encodeURIComponent(character)
  }
  return normaliseEscapes(out)
}

function isPlain(path: string): boolean {
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i)
    if (code >= 128 || code === PERCENT || (kinds[code]! & RAW) === 0) return false
  }
  return true
}
