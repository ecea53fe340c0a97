// core/regex/classes.ts: character classes of Go's regular expressions: [a-z], [^\d], [[:alpha:]_].
//
// Not hot. Folding for (?i) happens before a class is negated, as in Go.

import { readEscape } from './escapes.ts'
import { complementOf, foldedSet, posixSet, unionOf, type CharSet } from './sets.ts'
import { RegexError, type Reader } from './reader.ts'

export function readClass(reader: Reader): CharSet {
  const start = reader.at
  reader.at++
  const negated = reader.source[reader.at] === '^'
  if (negated) reader.at++
  const parts: CharSet[] = []
  // A "]" that comes first is a member.
  while (reader.source[reader.at] !== ']' || parts.length === 0) {
    if (reader.at >= reader.source.length) {
      throw new RegexError(`the "[" at character ${start + 1} is not closed`)
    }
    parts.push(readPosix(reader) ?? readRange(reader))
  }
  reader.at++
  return finished(reader, unionOf(...parts), negated)
}

function finished(reader: Reader, set: CharSet, negated: boolean): CharSet {
  let members = set
  if (reader.flags.fold) {
    const folded = foldedSet(set)
    if (folded === null) reader.exotic = true
    else members = folded
  }
  return negated ? complementOf(members) : members
}

function readPosix(reader: Reader): CharSet | null {
  if (!reader.source.startsWith('[:', reader.at)) return null
  const found = /^\[:(\^?)([a-z]+):\]/.exec(reader.source.slice(reader.at, reader.at + 20))
  if (found === null) return null
  const set = posixSet(found[2]!)
  if (set === null) throw new RegexError(`there is no character class ${found[0]}`)
  reader.at += found[0].length
  return found[1] === '^' ? complementOf(set) : set
}

function readRange(reader: Reader): CharSet {
  const low = readMember(reader)
  const { source } = reader
  const isRange = source[reader.at] === '-' && source[reader.at + 1] !== ']'
  if (!isRange || reader.at + 1 >= source.length) return low
  reader.at++
  const high = readMember(reader)
  if (low.length !== 2 || low[0] !== low[1] || high[0] !== high[1] || high[0]! < low[0]!) {
    throw new RegexError('a range in a character class is out of order')
  }
  return [low[0]!, high[0]!]
}

function readMember(reader: Reader): CharSet {
  if (reader.source[reader.at] === '\\') return readEscape(reader)
  const point = reader.source.codePointAt(reader.at)
  if (point === undefined) throw new RegexError('a "[" is not closed')
  reader.at += point > 0xffff ? 2 : 1
  return [point, point]
}
