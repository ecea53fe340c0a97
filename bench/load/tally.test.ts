import { expect, test } from 'vitest'
import { failuresOf } from './contract.ts'
import { Tally } from './tally.ts'

test('What is still in flight when the drain is over has timed out.', () => {
  const tally = new Tally()
  for (const latencyMs of [1, 2, 3]) tally.answered(latencyMs)
  tally.failedStatus = 1
  tally.failedConnections = 2
  tally.timeouts = 3
  const result = tally.resultOf(2000, 4)
  expect(result).toMatchObject({ requests: 3, seconds: 2, timeouts: 7, p50Us: 2000, maxUs: 3000 })
  expect(failuresOf(result)).toBe(10)
})
