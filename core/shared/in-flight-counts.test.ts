// Counts in flight by themselves: no source has more than its amount, whoever counts and whoever dies.
import { describe, expect, it } from 'vitest'
import { InFlightCounts, REFUSED, SOURCES_MAX, inFlightBytes } from './in-flight-counts.ts'

const newMemory = (): SharedArrayBuffer => new SharedArrayBuffer(inFlightBytes(2))

function enter(counts: InFlightCounts, source: string, amount = 2): number {
  const key = counts.hashFor('limit')
  key.of(source)
  return counts.enter(key, amount)
}

function countOf(counts: InFlightCounts, source: string): number {
  const key = counts.hashFor('limit')
  key.of(source)
  return counts.countOf(key)
}

describe('counts in flight', () => {
  it('are one for all workers', () => {
    const memory = newMemory()
    const [one, two] = [new InFlightCounts(memory, 0), new InFlightCounts(memory, 1)]
    const place = enter(one, 'a')
    expect(enter(two, 'a')).not.toBe(REFUSED)
    expect(enter(one, 'a')).toBe(REFUSED)
    expect(enter(two, 'a')).toBe(REFUSED)
    expect(enter(two, 'b')).not.toBe(REFUSED)
    one.leave(place)
    expect(enter(two, 'a')).not.toBe(REFUSED)
    expect([one.size, two.size]).toEqual([0, 3])
  })

  it('of a worker that died are taken off by the one that replaces it', () => {
    const memory = newMemory()
    const [one, two] = [new InFlightCounts(memory, 0), new InFlightCounts(memory, 1)]
    for (let i = 0; i < 3; i++) enter(one, 'a', 10)
    enter(two, 'a', 10)
    expect(countOf(two, 'a')).toBe(4)
    const successor = new InFlightCounts(memory, 0)
    expect(countOf(two, 'a')).toBe(1)
    expect(successor.size).toBe(0)
  })

  it('are left once: a second time takes nothing from others', () => {
    const memory = newMemory()
    const [one, two] = [new InFlightCounts(memory, 0), new InFlightCounts(memory, 1)]
    const place = enter(one, 'a', 10)
    enter(two, 'a', 10)
    one.leave(place)
    one.leave(place)
    expect(countOf(one, 'a')).toBe(1)
  })

  it('of an amount of 0 serve nobody', () => {
    expect(enter(new InFlightCounts(newMemory(), 0), 'a', 0)).toBe(REFUSED)
  })

  it('refuse a source that finds no room, and give room back', () => {
    const counts = new InFlightCounts(newMemory(), 0)
    const places = new Map<number, number>()
    for (let i = 0; i < 2 * SOURCES_MAX; i++) places.set(i, enter(counts, `s${i}`))
    const refused = [...places.values()].filter((place) => place === REFUSED).length
    expect(refused).toBeGreaterThanOrEqual(SOURCES_MAX)
    expect(counts.size).toBe(2 * SOURCES_MAX - refused)
    for (const place of places.values()) if (place !== REFUSED) counts.leave(place)
    expect(counts.size).toBe(0)
    for (let i = 0; i < 1000; i++) expect(enter(counts, `new ${i}`)).not.toBe(REFUSED)
  })

  it('hold 16,384 sources at once without refusing any', () => {
    const counts = new InFlightCounts(newMemory(), 0)
    for (let i = 0; i < 16_384; i++) expect(enter(counts, `s${i}`)).not.toBe(REFUSED)
  })
})
