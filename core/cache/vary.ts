// core/cache/vary.ts: which header fields of a request choose among the responses of one URL (RFC 9111, section 4.1).
//
// A response with Vary is stored under a second key: the values that its request had. Values are made alike where that
// can't change what they mean: lines joined, spaces around commas left out, and letter case for fields that are defined
// without it. Order is kept: some servers take the first of two equal languages.
// Hot: only for URLs whose responses have Vary.

import { isToken } from '../h1/text.ts'
import type { Head } from '../headers.ts'
import type { Fields } from './fields.ts'

export const VARY_NAMES_MAX = 16
export const SECOND_KEY_MAX = 4096 // characters; a request with more is not answered from here

const caseless = new Set(['accept', 'accept-charset', 'accept-encoding', 'accept-language'])
const none: readonly string[] = []

// In lower case and order of the alphabet; null when no other request may be answered with it ("*", or too many).
export function varyNames(response: Head): readonly string[] | null {
  const lines = response.getAll('vary')
  if (lines.length === 0) return none
  const names = new Set<string>()
  for (const part of lines.join(',').split(',')) {
    const name = part.trim().toLowerCase()
    if (name === '') continue
    if (name === '*' || !isToken(name) || names.size >= VARY_NAMES_MAX) return null
    names.add(name)
  }
  return [...names].sort()
}

// What a request says in the fields of these names. null: more than we keep.
export function secondKey(names: readonly string[], request: Fields): string | null {
  let key = ''
  for (const name of names) {
    const lines = request.getAll(name)
    // A field that is absent is not one that is empty.
    key += lines.length === 0 ? '\n' : '\n=' + alike(name, lines.join(','))
  }
  return key.length > SECOND_KEY_MAX ? null : key
}

function alike(name: string, value: string): string {
  const spaced = value
    .split(',')
    .map((part) => part.trim())
    .join(',')
  return caseless.has(name) ? spaced.toLowerCase() : spaced
}
