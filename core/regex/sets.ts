// core/regex/sets.ts: sets of code points, as ascending pairs [low, high, low, high...]. Not hot.

export type CharSet = readonly number[]

export const POINT_MAX = 0x10ffff
export const NOTHING: CharSet = []
export const EVERYTHING: CharSet = [0, POINT_MAX]

export function unionOf(...sets: readonly CharSet[]): CharSet {
  const pairs: [number, number][] = []
  for (const set of sets) {
    for (let i = 0; i < set.length; i += 2) pairs.push([set[i]!, set[i + 1]!])
  }
  pairs.sort((a, b) => a[0] - b[0])
  const merged: number[] = []
  for (const [low, high] of pairs) {
    const last = merged.length - 1
    if (last > 0 && low <= merged[last]! + 1) merged[last] = Math.max(merged[last]!, high)
    else merged.push(low, high)
  }
  return merged
}

export function complementOf(set: CharSet): CharSet {
  const out: number[] = []
  let next = 0
  for (let i = 0; i < set.length; i += 2) {
    if (set[i]! > next) out.push(next, set[i]! - 1)
    next = set[i + 1]! + 1
  }
  if (next <= POINT_MAX) out.push(next, POINT_MAX)
  return out
}

export function areDisjoint(a: CharSet, b: CharSet): boolean {
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i + 1]! < b[j]!) i += 2
    else if (b[j + 1]! < a[i]!) j += 2
    else return false
  }
  return true
}

// The set with both cases of its ASCII letters. Two of them have a third form that Unicode folds to them
// and Go matches: U+212A (Kelvin) with k, U+017F (long s) with s. null when the set holds other
// characters that may fold: whoever asks leaves those to the engine that knows all of Unicode.
export function foldedSet(set: CharSet): CharSet | null {
  if (set.length > 0 && set[set.length - 1]! > 127) return null
  const extra: CharSet[] = [set]
  for (let i = 0; i < set.length; i += 2) {
    for (let c = Math.max(set[i]!, 65); c <= set[i + 1]!; c++) {
      const lower = c | 32
      if (lower < 97 || lower > 122 || c > 122) continue
      extra.push([lower, lower], [lower - 32, lower - 32])
      if (lower === 107) extra.push([0x212a, 0x212a])
      if (lower === 115) extra.push([0x17f, 0x17f])
    }
  }
  return unionOf(...extra)
}

const DIGIT: CharSet = [48, 57]
const LOWER: CharSet = [97, 122]
const UPPER: CharSet = [65, 90]
const ALPHA = unionOf(LOWER, UPPER)
const ALNUM = unionOf(ALPHA, DIGIT)
const WORD = unionOf(ALNUM, [95, 95])
const SPACE: CharSet = [9, 10, 12, 13, 32, 32] // Go's \s has no vertical tab

// \d, \w, \s; the upper-case letter is the complement.
export function perlSet(letter: string): CharSet | null {
  const lower = letter.toLowerCase()
  const set = lower === 'd' ? DIGIT : lower === 'w' ? WORD : lower === 's' ? SPACE : null
  return set === null || letter === lower ? set : complementOf(set)
}

const posixSets: Readonly<Record<string, CharSet>> = {
  alnum: ALNUM,
  alpha: ALPHA,
  ascii: [0, 127],
  blank: [9, 9, 32, 32],
  cntrl: [0, 31, 127, 127],
  digit: DIGIT,
  graph: [33, 126],
  lower: LOWER,
  print: [32, 126],
  punct: [33, 47, 58, 64, 91, 96, 123, 126],
  space: [9, 13, 32, 32],
  upper: UPPER,
  word: WORD,
  xdigit: [48, 57, 65, 70, 97, 102],
}

export function posixSet(name: string): CharSet | null {
  return Object.hasOwn(posixSets, name) ? posixSets[name]! : null
}
