// bench/micro.ts: make bench-micro. What the codec, the matcher, limits and middlewares cost by themselves, in nanoseconds.
//
//   node bench/micro.ts [codec|matcher|limits|middlewares]
//
// Each case is checked once before it is timed: a parser that refuses its input, or a matcher that finds nothing,
// would be the fastest of all.

import { createRequire } from 'node:module'
import { codecCases } from './micro/codec.ts'
import { limitCases } from './micro/limits.ts'
import { matcherCases } from './micro/matcher.ts'
import { middlewareCases } from './micro/middlewares.ts'
import { table } from './report.ts'
import { median } from './statistics.ts'

export interface MicroCase {
  readonly name: string
  readonly run: () => unknown
}

interface Timed {
  readonly name: string
  readonly stats: { readonly sample: number[]; readonly rme: number } // seconds per run; margin in per cent
  run(options: { async: boolean }): void
}

// The package has no types; what is used of it is written down above.
const Benchmark = createRequire(import.meta.url)('benchmark') as new (
  name: string,
  fn: () => unknown,
  options: { maxTime: number },
) => Timed

const MAX_SECONDS = 1.5

function time(one: MicroCase): string[] {
  const timed = new Benchmark(one.name, one.run, { maxTime: MAX_SECONDS })
  timed.run({ async: false })
  const nanoseconds = median(timed.stats.sample) * 1e9
  return [one.name, nanoseconds.toFixed(0), `${timed.stats.rme.toFixed(1)} %`]
}

const groups: Readonly<Record<string, () => MicroCase[]>> = {
  codec: codecCases,
  matcher: matcherCases,
  limits: limitCases,
  middlewares: middlewareCases,
}
const asked = process.argv.slice(2)
const rows: string[][] = []
for (const [name, casesOf] of Object.entries(groups)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  for (const one of casesOf()) rows.push(time(one))
}
process.stdout.write(`${table(['case', 'ns, median', 'margin'], rows)}\n`)
