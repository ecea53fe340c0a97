// core/cache/targeted.ts: CDN-Cache-Control (RFC 9213), which takes the place of Cache-Control and Expires for caches
// like us, and leaves those to browsers.
//
// It is a Dictionary of Structured Fields (RFC 9651), read strictly: what is empty or breaks the grammar is as if it
// were not there (section 2.1 of RFC 9213). Hot: no; responses that might be stored.

import { type ResponseDirectives, conclude } from './directives.ts'

const MEMBERS_MAX = 64
const FIELD_MAX = 8192

const KEY = /([a-z*][a-z0-9_\-.*]*)/y
const ITEM =
  /(?:(-?\d{1,15}(?:\.\d{1,3})?)|("(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*")|(\?[01])|(:[A-Za-z0-9+/=]*:)|([A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*))/y
const SPACES = /[ \t]*/y

// null: Cache-Control and Expires say what there is to say.
export function targetedDirectives(lines: readonly string[]): ResponseDirectives | null {
  if (lines.length === 0) return null
  const members = readDictionary(lines.join(','))
  return members === null || members.length === 0 ? null : conclude(members)
}

interface Member {
  readonly name: string
  readonly value: string | null
}

// null for what is no dictionary. Values are as Cache-Control would have them; false takes a member away.
function readDictionary(text: string): Member[] | null {
  if (text.length > FIELD_MAX) return null
  const members = new Map<string, Member | null>()
  let at = skip(text, 0)
  while (at < text.length) {
    const key = match(KEY, text, at)
    if (key === '' || members.size >= MEMBERS_MAX) return null
    at += key.length
    let item = '?1'
    if (text[at] === '=') {
      item = match(ITEM, text, at + 1)
      if (item === '') return null
      at += 1 + item.length
    }
    members.set(key, memberOf(key, item))
    at = skipParameters(text, at)
    if (at < 0) return null
    at = skip(text, at)
    if (at === text.length) break
    if (text[at] !== ',') return null
    at = skip(text, at + 1)
    if (at === text.length) return null // a comma at the end
  }
  return [...members.values()].filter((member) => member !== null)
}

function memberOf(name: string, item: string): Member | null {
  if (item === '?0') return null
  if (item === '?1') return { name, value: null }
  if (item.startsWith('"')) return { name, value: item.slice(1, -1).replace(/\\(.)/g, '$1') }
  return { name, value: item }
}

// -1: no parameters as they must be. They mean nothing here.
function skipParameters(text: string, from: number): number {
  let at = from
  while (text[at] === ';') {
    at = skip(text, at + 1)
    const key = match(KEY, text, at)
    if (key === '') return -1
    at += key.length
    if (text[at] !== '=') continue
    const item = match(ITEM, text, at + 1)
    if (item === '') return -1
    at += 1 + item.length
  }
  return at
}

function skip(text: string, at: number): number {
  return at + match(SPACES, text, at).length
}

function match(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0] ?? ''
}
