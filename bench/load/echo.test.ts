import { expect, test } from 'vitest'
import { ECHO_BYTES, EchoExchange } from './echo.ts'

test('The echo of the message in flight is its answer, once.', () => {
  const exchange = new EchoExchange()
  const bytes = Buffer.from(exchange.next(10))
  expect(exchange.take(bytes)).toBe('answer')
  expect(exchange.take(bytes)).toBe('late')
})

test('The echo of an earlier message is late and leaves the one in flight waiting.', () => {
  const exchange = new EchoExchange()
  const first = Buffer.from(exchange.next(10))
  const second = Buffer.from(exchange.next(20))
  expect(exchange.take(first)).toBe('late')
  expect(exchange.take(second)).toBe('answer')
})

test('A message that came back shorter or changed is wrong.', () => {
  const exchange = new EchoExchange()
  const bytes = Buffer.from(exchange.next(10))
  expect(exchange.take(bytes.subarray(1))).toBe('wrong')
  bytes[ECHO_BYTES - 1] = 0
  expect(exchange.take(bytes)).toBe('wrong')
  expect(exchange.sentAt).toBe(10)
})

test('A message sent again is the same one, its latency counts from the first try.', () => {
  const exchange = new EchoExchange()
  const first = Buffer.from(exchange.next(1000))
  expect(exchange.isOverdue(1199, 200)).toBe(false)
  expect(exchange.isOverdue(1200, 200)).toBe(true)
  expect(exchange.again(1200).equals(first)).toBe(true)
  expect(exchange.isOverdue(1399, 200)).toBe(false)
  expect(exchange.startedAt).toBe(1000)
})

test('Nothing is overdue when nothing is in flight.', () => {
  expect(new EchoExchange().isOverdue(5000, 200)).toBe(false)
})
