// test/fuzz/differential.test.ts: Sluice's codec against llhttp on generated messages; every difference has a
// name, and stands for Sluice being the stricter (compare.ts).
//
//   SLUICE_FUZZ_RUNS=1000000 SLUICE_FUZZ_SEED=7 vitest run test/fuzz/differential.test.ts

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readStream } from './codec.ts'
import { UNKNOWN, compare, wider } from './compare.ts'
import { llhttpVersion, readWithLlhttp } from './llhttp.ts'
import { requestBytes, responseBytes } from './messages.ts'

const RUNS = Number(process.env['SLUICE_FUZZ_RUNS'] ?? 100_000)
const SEED = Number(process.env['SLUICE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

function countClasses(ofRequests: boolean): Map<string, number> {
  const counts = new Map<string, number>()
  fc.assert(
    fc.property(ofRequests ? requestBytes : responseBytes, (bytes) => {
      const found = compare(readStream(ofRequests, bytes), readWithLlhttp(ofRequests, bytes))
      counts.set(found, (counts.get(found) ?? 0) + 1)
      if (found.startsWith(UNKNOWN))
        throw new Error(found + '\n' + JSON.stringify(bytes.latin1Slice()))
    }),
    { numRuns: RUNS, seed: SEED },
  )
  return counts
}

function printTable(title: string, counts: Map<string, number>): void {
  const rows = [...counts].sort((a, b) => b[1] - a[1])
  const lines = rows.map(([name, count]) => String(count).padStart(9) + '  ' + name)
  process.stdout.write(
    `\n${title}: ${RUNS} inputs, seed ${SEED}, llhttp ${llhttpVersion}\n${lines.join('\n')}\n`,
  )
}

function check(title: string, counts: Map<string, number>): void {
  printTable(title, counts)
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  expect(total).toBeGreaterThanOrEqual(RUNS)
  // Generators that only make rubbish, or only legal messages, would prove nothing.
  expect(counts.get('both accept') ?? 0).toBeGreaterThan(RUNS * 0.1)
  expect(counts.get('both refuse') ?? 0).toBeGreaterThan(RUNS * 0.1)
  for (const name of counts.keys()) {
    const isNamed = /^(both|alike|stricter)\b/.test(name) || name in wider
    expect(isNamed, name).toBe(true)
  }
}

describe('the codec reads no message that llhttp refuses or reads differently', () => {
  test('as requests', { timeout: 600_000 }, () => check('requests', countClasses(true)))
  test('as responses', { timeout: 600_000 }, () => check('responses', countClasses(false)))
})
