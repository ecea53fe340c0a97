import { expect, test } from 'vitest'
import { Departures } from './departures.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('a few ends are told at once, of many the rest in their order, a few in each turn', async () => {
  const departures = new Departures()
  const told: number[] = []
  const end = (i: number): void => {
    if (departures.admits({ depart: () => told.push(i) })) told.push(i)
  }
  for (let i = 0; i < 100; i++) end(i)
  expect(told.length).toBe(16)
  for (let turns = 1; told.length < 100; turns++) {
    await turn()
    expect(told.length).toBeGreaterThan(16 * turns)
    expect(told.length).toBeLessThanOrEqual(16 * (turns + 1))
  }
  expect(told).toEqual(Array.from({ length: 100 }, (_, i) => i))
})

test('an end that comes while others wait does not overtake them', async () => {
  const departures = new Departures()
  const told: string[] = []
  const end = (name: string): boolean => departures.admits({ depart: () => told.push(name) })
  for (let i = 0; i < 20; i++) end('early')
  await turn()
  for (let i = 0; i < 40; i++) end('middle')
  expect(end('late')).toBe(false)
  while (!told.includes('late')) await turn()
  expect(told.at(-1)).toBe('late')
})

test('ends that come one by one are never held for long', async () => {
  const departures = new Departures()
  for (let i = 0; i < 100; i++) {
    let isTold = false
    isTold = departures.admits({ depart: () => (isTold = true) })
    if (!isTold) await turn()
    await turn()
    expect(isTold).toBe(true)
  }
})
