// Stages, pace and lines by themselves; test/behaviour/resilience/overload.test.ts has them in a worker.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Line } from './line.ts'
import { Pace } from './pace.ts'
import {
  CALM,
  CRITICAL,
  HIGH,
  LOW,
  NORMAL,
  REFUSE,
  SHED_LOW,
  SHED_NORMAL,
  StageMeter,
  TRIM,
  sheds,
} from './stages.ts'

describe('stages', () => {
  it('go up at once, over several if need be, and down one at a time after a while of calm', () => {
    const meter = new StageMeter([85, 90, 95, 98])
    expect([10, 86, 97, 99].map((value) => meter.look(value))).toEqual([
      CALM,
      TRIM,
      SHED_NORMAL,
      REFUSE,
    ])
    const down = Array.from({ length: 20 }, () => meter.look(50))
    expect(down.filter((stage, i) => stage !== (i === 0 ? REFUSE : down[i - 1]))).toEqual([
      SHED_NORMAL,
      SHED_LOW,
      TRIM,
      CALM,
    ])
    expect(down[3]).toBe(REFUSE)
  })

  it('do not flutter around a bound', () => {
    const meter = new StageMeter([85, 90, 95, 98])
    meter.look(96)
    for (let i = 0; i < 50; i++) expect(meter.look(i % 2 === 0 ? 94 : 96)).toBe(SHED_NORMAL)
  })

  it('skip one that their signal never leads to', () => {
    const meter = new StageMeter([Infinity, 100, 250, 1000])
    meter.look(120)
    const seen = new Set(Array.from({ length: 20 }, () => meter.look(1)))
    expect([...seen]).toEqual([SHED_LOW, CALM])
  })

  it('never shed high and critical classes, and low before normal', () => {
    for (const stage of [CALM, TRIM, SHED_LOW, SHED_NORMAL, REFUSE] as const) {
      expect(sheds(stage, HIGH) || sheds(stage, CRITICAL)).toBe(false)
      if (sheds(stage, NORMAL)) expect(sheds(stage, LOW)).toBe(true)
    }
    expect([sheds(SHED_LOW, LOW), sheds(SHED_LOW, NORMAL), sheds(SHED_NORMAL, NORMAL)]).toEqual([
      true,
      false,
      true,
    ])
  })
})

describe('the pace', () => {
  it('is free while turns are short, or the loop has time left', () => {
    const pace = new Pace(10)
    pace.look(9, 1, 500, 0)
    pace.look(50, 0.5, 10, 0)
    expect(pace.isPaced).toBe(false)
  })

  it('brings turns to their target, whatever a request costs', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 2, noNaN: true }), (costMs) => {
        const pace = new Pace(10)
        const crowd = 5000 // requests that are ready in each turn
        let begun = crowd
        for (let look = 0; look < 60; look++) {
          pace.look(begun * costMs, 1, begun, crowd - begun)
          begun = pace.isPaced ? Math.min(crowd, pace.perTurn) : crowd
        }
        expect(begun * costMs).toBeGreaterThan(7)
        expect(begun * costMs).toBeLessThan(13)
      }),
    )
  })

  it('knows what a request costs before a crowd comes', () => {
    const pace = new Pace(5)
    expect(pace.burst).toBe(256)
    pace.learn(90, 3) // the loop was busy with something else
    expect(pace.burst).toBe(256)
    pace.learn(40, 100)
    expect(pace.burst).toBe(13)
    for (let look = 0; look < 50; look++) pace.learn(1, 100)
    expect(pace.burst).toBe(256)
    for (let look = 0; look < 50; look++) pace.learn(100, 20)
    expect(pace.burst).toBe(8)
    expect(pace.isPaced).toBe(false)
  })

  it('is free again once nobody has waited for a while', () => {
    const pace = new Pace(10)
    pace.look(20, 1, 500, 0)
    for (let i = 0; i < 9; i++) pace.look(1, 0.2, 3, 0)
    expect(pace.isPaced).toBe(true)
    pace.look(1, 0.2, 3, 0)
    expect(pace.isPaced).toBe(false)
  })
})

describe('a line', () => {
  it('serves the first first, and the newest once the first has waited for long', () => {
    const line = new Line<string>()
    for (const [at, item] of ['a', 'b', 'c', 'd'].entries()) line.add(item, 1, at * 100)
    expect(line.takeNext(400, 500)?.item).toBe('a')
    expect(line.takeNext(700, 500)?.item).toBe('d')
    expect(line.takeOldest()?.item).toBe('b')
    expect(line.length).toBe(1)
  })

  it('loses nobody and serves nobody twice, however it is asked', () => {
    const steps = fc.array(fc.constantFrom('add', 'oldest', 'newest'), { maxLength: 2000 })
    fc.assert(
      fc.property(steps, (all) => {
        const line = new Line<number>()
        const taken: number[] = []
        let added = 0
        for (const step of all) {
          if (step === 'add') line.add(added++, 1, 0)
          const next = step === 'add' ? null : line.takeNext(1, step === 'oldest' ? 2 : 0)
          if (next !== null) taken.push(next.item)
        }
        for (let next = line.takeOldest(); next !== null; next = line.takeOldest())
          taken.push(next.item)
        expect(taken.toSorted((a, b) => a - b)).toEqual(Array.from({ length: added }, (_, i) => i))
      }),
    )
  })
})
