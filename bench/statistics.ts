// bench/statistics.ts: the few numbers that a table of results is made of.
//
// Pure; tested beside. Medians, not means: a shared machine gives outliers on one side only.

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

// Linear interpolation between the two nearest ranks; NaN for an empty list, so that a missing
// measurement can't pass for a fast one.
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN
  const sorted = Float64Array.from(values).sort()
  const position = (sorted.length - 1) * share
  const below = Math.floor(position)
  const low = sorted[below] ?? Number.NaN
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? Number.NaN
  return low + (high - low) * (position - below)
}

// Pair by pair: the i-th value of one subject against the i-th value of the other, which ran next to
// it in time. A change of the machine's speed during the run then cancels out.
export function pairRatios(values: readonly number[], against: readonly number[]): number[] {
  const pairs = Math.min(values.length, against.length)
  const ratios: number[] = []
  for (let i = 0; i < pairs; i++) {
    const below = against[i] ?? Number.NaN
    ratios.push(below > 0 ? (values[i] ?? Number.NaN) / below : Number.NaN)
  }
  return ratios
}

export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), low: quantile(values, 0), high: quantile(values, 1) }
}
