import { expect, test } from 'vitest'
import { eventually } from '../test/support/wait.ts'
import { GenerationUse } from './generation-use.ts'
import { type LiveExchange, leaseExchange } from './live-exchange.ts'

function newUse(): { use: GenerationUse; told: number[]; begin: () => LiveExchange } {
  const told: number[] = []
  const use = new GenerationUse((oldest) => told.push(oldest))
  const begin = (): LiveExchange => {
    const exchange = leaseExchange()
    use.begun(exchange)
    return exchange
  }
  return { use, told, begin }
}

test('a generation is in use until the last exchange that began under it, or before, has ended', async () => {
  const { use, told, begin } = newUse()
  use.adopted(1)
  const [first, second] = [begin(), begin()]
  use.adopted(2)
  const third = begin()
  use.adopted(3)
  expect(use.oldest).toBe(1)
  use.ended(third) // out of turn
  use.ended(first)
  expect(use.oldest).toBe(1)
  use.ended(second)
  expect(use.oldest).toBe(3)
  await eventually('it to be told', () => told.length > 0)
  expect(told).toEqual([3])
})

test('what is told is told once, and not in the turn in which an exchange ends', async () => {
  const { use, told, begin } = newUse()
  use.adopted(1)
  await eventually('the first to be told', () => told.length === 1)
  const exchange = begin()
  use.adopted(2)
  await new Promise((resolve) => setImmediate(resolve))
  expect(told).toEqual([1])
  use.ended(exchange)
  expect(told).toEqual([1])
  await eventually('the second to be told', () => told.length === 2)
  for (let i = 0; i < 5; i++) use.ended(begin())
  await new Promise((resolve) => setImmediate(resolve))
  expect(told).toEqual([1, 2])
})

test('a copy of an exchange holds what it holds, and one that never began holds nothing', () => {
  const { use, begin } = newUse()
  use.adopted(1)
  const exchange = begin()
  use.adopted(2)
  const copy = leaseExchange()
  use.copied(exchange, copy)
  use.ended(exchange)
  expect(use.oldest).toBe(1)
  use.ended(copy)
  use.ended(leaseExchange())
  expect(use.oldest).toBe(2)
  use.ended(begin())
  use.adopted(3)
  expect(use.oldest).toBe(3)
})
