// The nearest known word to one that isn't known, for "did you mean". Hot: no.

const wordLengthMax = 100 // what people mistype is short; longer is not a slip of the finger

// '' when nothing is near: a suggestion that has nothing to do with the word only confuses.
export function nearestKey(unknown: string, known: readonly string[]): string {
  if (unknown.length > wordLengthMax) return ''
  const wanted = unknown.toLowerCase()
  let nearest = ''
  let least = Math.max(2, Math.floor(wanted.length * 0.4)) + 1
  for (const candidate of known) {
    const distance = editDistance(wanted, candidate.toLowerCase())
    if (distance < least && distance < Math.max(wanted.length, candidate.length)) {
      least = distance
      nearest = candidate
    }
  }
  return nearest
}

// Levenshtein's distance with one row, and a swap of neighbours ("adress", "wbe") counted as one slip.
export function editDistance(from: string, to: string): number {
  let older: number[] = []
  let row = Array.from({ length: to.length + 1 }, (_, at) => at)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1] ? 0 : 1
      let cost = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + same)
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
      if (swapped) cost = Math.min(cost, older[j - 2]! + 1)
      next.push(cost)
    }
    older = row
    row = next
  }
  return row[to.length]!
}
