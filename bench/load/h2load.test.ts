import { expect, test } from 'vitest'
import { resultOf, withoutEmpty } from './h2load.ts'

const SUMMARY = `finished in 2.01s, 4.00 req/s, 1.1KB/s
requests: 6 total, 6 started, 5 done, 3 succeeded, 3 failed, 1 errored, 0 timeout
status codes: 3 2xx, 0 3xx, 1 4xx, 1 5xx
`

test('the counts of h2load tell refused answers and broken connections apart', () => {
  const result = resultOf(SUMMARY, '', 2)
  expect(result).toMatchObject({ requests: 3, failedStatus: 2, failedConnections: 1, timeouts: 0 })
})

test('percentiles come from the log of single requests', () => {
  const log = Array.from({ length: 100 }, (_, i) => `1700000000\t200\t${i + 1}`).join('\n') + '\n'
  const result = resultOf(SUMMARY, log, 2)
  expect([result.p50Us, result.p99Us, result.maxUs]).toEqual([50, 99, 100])
})

test('an output without counts is an error', () => {
  expect(() => resultOf('nothing', '', 2)).toThrow('h2load gave no result')
})

const traffic = (data: number): string =>
  `traffic: 5.4MB (5646312) total, 122.05KB (124976) headers (space savings 95.76%), 4KB (${data}) data\n`

test('gRPC calls that were answered without their message count as failed', () => {
  const result = resultOf(SUMMARY, '', 2)
  expect(withoutEmpty(result, traffic(315), 105)).toEqual(result)
  expect(withoutEmpty(result, traffic(105), 105)).toMatchObject({ requests: 1, failedStatus: 4 })
})

test('bytes of calls that were still in flight at the end make no call more', () => {
  const result = resultOf(SUMMARY, '', 2)
  expect(withoutEmpty(result, traffic(4200), 105)).toEqual(result)
})

test('an output without the traffic of its calls is an error', () => {
  const result = resultOf(SUMMARY, '', 2)
  expect(() => withoutEmpty(result, SUMMARY, 105)).toThrow('h2load told no traffic')
})
