import { expect, it } from 'vitest'
import { UnseenMemory } from './unseen-memory.ts'

const MEBIBYTE = 1_048_576
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

it('is collected, in a turn of its own, whenever as much has come as the limit is', async () => {
  let count = 0
  const memory = new UnseenMemory(() => count++)
  for (let i = 0; i < 100; i++) memory.came(MEBIBYTE, 100 * MEBIBYTE)
  await turn()
  const first = count
  for (let i = 0; i < 205; i++) {
    memory.came(MEBIBYTE, 100 * MEBIBYTE)
    await turn()
  }
  expect([first <= 1, count - first]).toEqual([true, 2])
})

it('is collected at a bound of its own where the limit is small, and once for what comes in one turn', async () => {
  let count = 0
  const memory = new UnseenMemory(() => count++)
  for (let i = 0; i < 60; i++) memory.came(MEBIBYTE, MEBIBYTE)
  await turn()
  expect(count).toBe(0)
  for (let i = 0; i < 200; i++) memory.came(MEBIBYTE, MEBIBYTE)
  await turn()
  expect(count).toBe(1)
})

it('is given back by the collection that is asked for', async () => {
  const before = process.memoryUsage().rss
  const memory = new UnseenMemory()
  for (let i = 0; i < 200; i++) {
    new Uint8Array(new SharedArrayBuffer(8 * MEBIBYTE)).fill(1)
    memory.came(8 * MEBIBYTE, 0)
    await turn()
  }
  expect((process.memoryUsage().rss - before) / MEBIBYTE).toBeLessThan(400) // of 1,600
})
