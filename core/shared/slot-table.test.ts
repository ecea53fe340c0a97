import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { CELLS, SLOTS, SLOT_TABLE_BYTES, SlotTable } from './slot-table.ts'

test('a name has one slot for all who look, and other names have others', () => {
  const memory = new SharedArrayBuffer(SLOT_TABLE_BYTES)
  const [one, two] = [new SlotTable(memory), new SlotTable(memory)]
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { maxLength: 40 }), (names) => {
      const slots = names.map((name) => one.claim(name))
      expect(names.map((name) => two.find(name))).toEqual(slots)
      expect(new Set(slots).size).toBe(names.length)
      expect(slots.every((slot) => slot >= 0 && slot < SLOTS)).toBe(true)
    }),
  )
})

test('what nobody has claimed is not there', () => {
  const table = new SlotTable(new SharedArrayBuffer(SLOT_TABLE_BYTES))
  expect(table.find('nobody')).toBe(-1)
})

test('a table that is full says so, and keeps what it has', () => {
  const table = new SlotTable(new SharedArrayBuffer(SLOT_TABLE_BYTES))
  const slots = new Map<string, number>()
  for (let i = 0; i < SLOTS + 100; i++) slots.set(`name ${i}`, table.claim(`name ${i}`))
  expect([...slots.values()].filter((slot) => slot < 0).length).toBeGreaterThanOrEqual(100)
  for (const [name, slot] of slots) expect(table.find(name)).toBe(slot)
})

test('cells of two slots do not lie in each other', () => {
  const table = new SlotTable(new SharedArrayBuffer(SLOT_TABLE_BYTES))
  const [a, b] = [table.claim('a'), table.claim('b')]
  for (let cell = 0; cell < CELLS; cell++) table.numbers[a * CELLS + cell] = cell + 1
  for (let cell = 0; cell < CELLS; cell++) expect(table.numbers[b * CELLS + cell]).toBe(0)
})
