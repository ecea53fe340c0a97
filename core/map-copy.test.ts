import { expect, test } from 'vitest'
import { MapCopies } from './map-copy.ts'

function numbers(count: number): Map<number, string> {
  return new Map(Array.from({ length: count }, (_, i) => [i, `n${i}`]))
}

test('maps are copied in pieces of at most the asked size', () => {
  const copies = new MapCopies()
  const first = new Map<number, string>()
  const second = new Map<number, string>()
  copies.add(numbers(10), first)
  copies.add(numbers(5), second)
  let steps = 0
  while (!copies.step(4)) {
    steps++
    expect(first.size + second.size).toBeLessThanOrEqual(steps * 4)
  }
  expect(first).toEqual(numbers(10))
  expect(second).toEqual(numbers(5))
})

test('nothing to copy is done at once', () => {
  const copies = new MapCopies()
  copies.add(new Map(), new Map())
  expect(copies.step(1)).toBe(true)
})
