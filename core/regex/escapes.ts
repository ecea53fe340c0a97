// core/regex/escapes.ts: what a backslash means in Go's regular expressions, inside and outside classes.
//
// Not hot.

import { EVERYTHING, POINT_MAX, perlSet, type CharSet } from './sets.ts'
import { RegexError, type Reader } from './reader.ts'

const controls: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 }

// Reads the escape at the reader as the set of characters that it stands for.
export function readEscape(reader: Reader): CharSet {
  const letter = reader.source[reader.at + 1]
  if (letter === undefined) throw new RegexError('the expression ends in a backslash')
  const perl = perlSet(letter)
  if (perl !== null) {
    reader.at += 2
    return perl
  }
  if (letter === 'p' || letter === 'P') return readUnicodeClass(reader)
  const point = readPoint(reader, letter)
  return [point, point]
}

// Its members are a matter of Unicode's tables, which only the linear engine carries.
function readUnicodeClass(reader: Reader): CharSet {
  const rest = reader.source.slice(reader.at + 2, reader.at + 66)
  const found = /^(?:[A-Z]|\{\^?[A-Za-z_]+\})/.exec(rest)
  if (found === null) throw new RegexError('the Unicode class after "\\p" is malformed')
  reader.at += 2 + found[0].length
  reader.exotic = true
  return EVERYTHING
}

function readPoint(reader: Reader, letter: string): number {
  const { source } = reader
  if (letter === 'x') return readHex(reader)
  const octal = /^(?:0[0-7]{0,2}|[1-7][0-7]{1,2})/.exec(source.slice(reader.at + 1, reader.at + 4))
  if (octal !== null) {
    reader.at += 1 + octal[0].length
    return Number.parseInt(octal[0], 8)
  }
  if (/[1-9]/.test(letter)) throw new RegexError('references to groups are not part of RE2')
  const control = controls[letter]
  if (control === undefined && !/[\x00-\x7f]/.test(letter)) throw badEscape(letter)
  if (control === undefined && /[A-Za-z0-9]/.test(letter)) throw badEscape(letter)
  reader.at += 2
  return control ?? letter.charCodeAt(0)
}

function readHex(reader: Reader): number {
  const rest = reader.source.slice(reader.at + 2, reader.at + 12)
  const found = /^(?:\{([0-9A-Fa-f]{1,8})\}|([0-9A-Fa-f]{2}))/.exec(rest)
  const point = found === null ? Infinity : Number.parseInt(found[1] ?? found[2]!, 16)
  if (found === null || point > POINT_MAX) throw badEscape('x')
  reader.at += 2 + found[0].length
  return point
}

function badEscape(letter: string): RegexError {
  return new RegexError(`"\\${letter}" is not an escape of RE2`)
}
