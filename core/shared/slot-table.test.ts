import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { interleave } from '../../test/support/interleave.ts'
import { CELLS, SLOTS, SLOT_TABLE_BYTES, SlotTable, slotTableBytes } from './slot-table.ts'

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

// ---- giving back

function cellsOf(table: SlotTable, slot: number): number[] {
  return [...table.numbers.subarray(slot * CELLS, (slot + 1) * CELLS)]
}

test('what only older generations had is given back, empty, and what a newer one claims or keeps stays', () => {
  const table = new SlotTable(new SharedArrayBuffer(slotTableBytes(64)))
  table.generation = 1
  const [gone, claimed, kept] = ['gone', 'claimed', 'kept'].map((name) => table.claim(name))
  table.numbers.fill(7)
  table.generation = 2
  table.claim('claimed')
  table.keep(kept!)
  expect(table.sweep(1, 3)).toBe(0) // generation 1 is in use yet
  expect(table.used).toBe(3)
  expect(table.sweep(2, 3)).toBe(1)
  expect([table.find('gone'), table.find('claimed'), table.find('kept')]).toEqual([
    -1,
    claimed,
    kept,
  ])
  expect(cellsOf(table, gone!)).toEqual(Array(CELLS).fill(0))
  expect(cellsOf(table, kept!)).toEqual(Array(CELLS).fill(7))
  expect(table.used).toBe(2)
})

test('what comes back before it is given back has kept its record', () => {
  const table = new SlotTable(new SharedArrayBuffer(slotTableBytes(64)))
  table.generation = 1
  const slot = table.claim('a')
  table.numbers[slot * CELLS] = 7
  table.generation = 3
  expect(table.claim('a')).toBe(slot)
  expect(table.sweep(3, 4)).toBe(0)
  expect(table.numbers[slot * CELLS]).toBe(7)
})

test('more names than there are slots can be had, one generation after the other', () => {
  const table = new SlotTable(new SharedArrayBuffer(slotTableBytes(64)))
  for (let generation = 1; generation <= 100; generation++) {
    table.generation = generation
    const names = Array.from({ length: 20 }, (_, i) => `${generation} ${i}`)
    const slots = ['steady', ...names].map((name) => table.claim(name))
    expect(slots).not.toContain(-1)
    expect(new Set(slots).size).toBe(slots.length)
    expect(slots[0]).toBe(table.find('steady'))
    for (const slot of slots.slice(1)) expect(cellsOf(table, slot)).toEqual(Array(CELLS).fill(0))
    for (const slot of slots) table.numbers.fill(generation, slot * CELLS, (slot + 1) * CELLS)
    table.sweep(generation, generation + 1)
  }
})

test('whoever builds something learns which slots it has claimed', () => {
  const table = new SlotTable(new SharedArrayBuffer(slotTableBytes(8)))
  const noted: number[] = []
  table.noteClaims(noted)
  const claimed = Array.from({ length: 9 }, (_, i) => table.claim(`name ${i}`))
  table.noteClaims(null)
  table.claim('later')
  expect(noted).toEqual(claimed)
  expect(noted).toContain(-1)
})

// ---- two threads at once: between any two steps of the one, the other does all of its work

const PLACES = 16
const PLACE = 3

function namesOfOnePlace(count: number): string[] {
  const names: string[] = []
  for (let i = 0; names.length < count; i++) {
    const alone = new SlotTable(new SharedArrayBuffer(slotTableBytes(PLACES)))
    if (alone.claim(`name ${i}`) === PLACE) names.push(`name ${i}`)
  }
  return names
}

const names = namesOfOnePlace(4)

test('a slot that was given back is for generations that nobody has begun to build, and hides no name behind it', () => {
  const table = new SlotTable(new SharedArrayBuffer(slotTableBytes(PLACES)))
  const [old, steady, second, third] = names as [string, string, string, string]
  table.generation = 1
  expect([old, steady].map((name) => table.claim(name))).toEqual([PLACE, PLACE + 1])
  table.generation = 2
  table.keep(PLACE + 1)
  expect(table.sweep(2, 4)).toBe(1)
  table.generation = 3
  expect([steady, second].map((name) => table.claim(name))).toEqual([PLACE + 1, PLACE + 2])
  table.generation = 4
  expect([steady, third].map((name) => table.claim(name))).toEqual([PLACE + 1, PLACE])
})

// Three threads' views of a table in which two old names stand on the way of every new one.
interface Scene {
  readonly a: SlotTable // builds generation 5
  readonly b: SlotTable // as well
  readonly supervisor: SlotTable
  readonly names: readonly string[] // of one place; the first two are old
}

function newScene(): Scene {
  const memory = new SharedArrayBuffer(slotTableBytes(PLACES))
  const [a, b, supervisor] = [1, 2, 3].map(() => new SlotTable(memory)) as [
    SlotTable,
    SlotTable,
    SlotTable,
  ]
  a.generation = 1
  for (const name of names.slice(0, 2)) a.numbers[a.claim(name) * CELLS] = 7
  a.generation = b.generation = 5
  return { a, b, supervisor, names }
}

// For each step of `one` at which `other` can come between.
function atEachStep(
  check: (scene: Scene, run: (one: () => void, other: () => void) => void) => void,
) {
  for (let at = 0, more = true; more; at++) {
    expect(at).toBeLessThan(10_000)
    check(newScene(), (one, other) => (more = interleave(at, one, other)))
  }
}

// The name is in one slot, which no sweep of generations before takes, and nobody else's value is in it.
function expectHeld({ supervisor }: Scene, name: string, slot: number): void {
  expect(slot).toBeGreaterThanOrEqual(0)
  expect(supervisor.find(name)).toBe(slot)
  supervisor.sweep(5, 6)
  expect(supervisor.find(name)).toBe(slot)
  expect(supervisor.used).toBe(1)
}

test('two that claim a new name, while slots on the way are given back, have one slot', () => {
  atEachStep((scene, run) => {
    const { a, b, supervisor } = scene
    const name = names[2]!
    const slots = [-1, -1]
    run(
      () => (slots[0] = a.claim(name)),
      () => {
        supervisor.sweep(4, 6)
        slots[1] = b.claim(name)
      },
    )
    if (slots[1] === -1) slots[1] = slots[0]! // it never came between
    expect(slots[0]).toBe(slots[1])
    expectHeld(scene, name, slots[0]!)
    expect(cellsOf(a, slots[0]!)).toEqual(Array(CELLS).fill(0))
  })
})

test('two that claim a new name, where slots were given back before, have one slot', () => {
  for (const name of namesOfOnePlace(12).slice(2))
    atEachStep(({ a, b, supervisor }, run) => {
      expect(supervisor.sweep(4, 5)).toBe(2)
      const slots = [-1, -1]
      run(
        () => (slots[0] = a.claim(name)),
        () => (slots[1] = b.claim(name)),
      )
      if (slots[1] === -1) slots[1] = b.claim(name)
      expect(slots).toEqual([PLACE, PLACE])
    })
})

test('one who claims a name while it is given back has it, with what it held or empty', () => {
  const seen = new Set<number>()
  atEachStep((scene, run) => {
    const { a, supervisor } = scene
    let slot = -1
    run(
      () => (slot = a.claim(names[0]!)),
      () => supervisor.sweep(4, 6),
    )
    expectHeld(scene, names[0]!, slot)
    const [first, ...rest] = cellsOf(a, slot)
    seen.add(first!)
    expect(rest).toEqual(Array(CELLS - 1).fill(0))
  })
  expect([...seen].sort()).toEqual([0, 7]) // both have happened
})

test('a name that is claimed at any moment of a sweep is claimed, and once', () => {
  for (const name of [names[0]!, names[2]!])
    atEachStep((scene, run) => {
      const { a, b, supervisor } = scene
      let slot = -1
      run(
        () => supervisor.sweep(4, 6),
        () => (slot = a.claim(name)),
      )
      if (slot === -1) slot = a.claim(name)
      expect(b.claim(name)).toBe(slot)
      expectHeld(scene, name, slot)
    })
})

test('two that claim two names of one place at once have two slots', () => {
  atEachStep(({ a, b, supervisor }, run) => {
    const slots = [-1, -1]
    run(
      () => (slots[0] = a.claim(names[2]!)),
      () => (slots[1] = b.claim(names[3]!)),
    )
    if (slots[1] === -1) slots[1] = b.claim(names[3]!)
    expect(slots[0]).not.toBe(slots[1])
    expect([supervisor.find(names[2]!), supervisor.find(names[3]!)]).toEqual(slots)
  })
})
