import { expect, test } from 'vitest'
import { Latencies } from './latencies.ts'

test('Quantiles are exact, also after the array had to grow.', () => {
  const latencies = new Latencies()
  for (let us = 100_000; us >= 1; us--) latencies.add(us)
  expect(latencies.quantile(0.5)).toBe(50_000)
  expect(latencies.quantile(0.99)).toBe(99_000)
  expect(latencies.quantile(1)).toBe(100_000)
})

test('A phase without answers has no latency instead of a wrong one.', () => {
  expect(new Latencies().quantile(0.99)).toBe(0)
})
