import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { Exchange } from '../exchange.ts'
import { buildP2c, buildWrr } from './build.ts'
import { ServerState } from './contract.ts'
import { RotationBalancer } from './rotation.ts'
import { ServiceState } from './weighted.ts'
import { WrrBalancer } from './wrr.ts'
import type { Balancer } from './contract.ts'

const exchange = new Exchange()

interface Estate {
  readonly states: ServerState[]
  readonly health: Int32Array
}

function estateOf(count: number): Estate {
  const health = new Int32Array(count).fill(1)
  return { health, states: Array.from({ length: count }, (_, i) => new ServerState(health, i)) }
}

const strategies: Record<string, (estate: Estate, weights: number[], seed: number) => Balancer> = {
  wrr: ({ states }, weights, seed) => buildWrr(states, weights, seed),
  p2c: ({ states }, weights, seed) => buildP2c(states, weights, seed),
}

describe.each(Object.entries(strategies))('any balancer: %s', (_name, build) => {
  const weightLists = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 0, maxLength: 9 })

  it('never picks a server that is down, tried or without weight, and finds any other', () => {
    const steps = fc.array(fc.tuple(fc.nat(8), fc.boolean(), fc.integer({ min: -1, max: 8 })))
    fc.assert(
      fc.property(weightLists, steps, fc.nat(), (weights, moves, seed) => {
        const estate = estateOf(weights.length)
        const balancer = build(estate, weights, seed)
        for (const [index, up, tried] of moves) {
          if (index < weights.length) estate.health[index] = up ? 1 : 0
          const isUsable = (i: number) => estate.health[i] === 1 && weights[i]! > 0 && i !== tried
          const usable = weights.map((_, i) => i).filter(isUsable)
          const picked = balancer.pick(exchange, tried)
          if (usable.length === 0) expect(picked).toBe(-1)
          else expect(usable).toContain(picked)
        }
      }),
    )
  })

  it('reaches every server that can be used', () => {
    const estate = estateOf(5)
    const balancer = build(estate, [1, 2, 3, 0, 1], 7)
    estate.health[1] = 0
    const seen = new Set<number>()
    for (let i = 0; i < 500; i++) seen.add(balancer.pick(exchange, -1))
    expect([...seen].toSorted()).toEqual([0, 2, 4])
  })

  it('picks a server again once it is back', () => {
    const estate = estateOf(2)
    const balancer = build(estate, [1, 3], 1)
    estate.health.fill(0)
    expect(balancer.pick(exchange, -1)).toBe(-1)
    estate.health[1] = 1
    for (let i = 0; i < 10; i++) expect(balancer.pick(exchange, -1)).toBe(1)
    estate.health[0] = 1
    const picks = Array.from({ length: 100 }, () => balancer.pick(exchange, -1))
    expect(picks).toContain(0)
  })
})

// The same rule written down naively: exact fractions, a linear scan, turns skipped one by one.
class NaiveWrr {
  private readonly turns: bigint[]
  private readonly weights: readonly number[]
  private readonly isUp: (i: number) => boolean

  constructor(weights: readonly number[], isUp: (i: number) => boolean) {
    this.weights = weights
    this.turns = weights.map(() => 1n)
    this.isUp = isUp
  }

  pick(): number {
    if (!this.weights.some((_, i) => this.isUp(i))) return -1
    for (;;) {
      let best = 0
      for (let i = 1; i < this.weights.length; i++) if (this.isBefore(i, best)) best = i
      this.turns[best] = this.turns[best]! + 1n
      if (this.isUp(best)) return best
    }
  }

  private isBefore(a: number, b: number): boolean {
    return this.turns[a]! * BigInt(this.weights[b]!) < this.turns[b]! * BigInt(this.weights[a]!)
  }
}

describe('wrr', () => {
  const positive = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 8 })

  it('gives each server exactly its weight of every period', () => {
    fc.assert(
      fc.property(
        positive,
        fc.integer({ min: 1, max: 4 }),
        fc.nat(20),
        (weights, periods, start) => {
          const balancer = buildWrr(estateOf(weights.length).states, weights, start)
          const total = weights.reduce((sum, weight) => sum + weight, 0)
          for (let period = 0; period < periods; period++) {
            const counts = weights.map(() => 0)
            for (let i = 0; i < total; i++) counts[balancer.pick(exchange, -1)]!++
            expect(counts).toEqual(weights)
          }
        },
      ),
    )
  })

  it('equals a naive reference pick by pick while servers go down and come back', () => {
    const moves = fc.array(fc.tuple(fc.nat(7), fc.boolean(), fc.integer({ min: 0, max: 12 })), {
      maxLength: 60,
    })
    fc.assert(
      fc.property(positive, moves, (weights, changes) => {
        const { health, states } = estateOf(weights.length)
        const indexes = weights.map((_, i) => i)
        const balancer = new WrrBalancer(indexes, states, weights)
        const naive = new NaiveWrr(weights, (i) => health[i] === 1)
        for (const [index, up, picks] of changes) {
          if (index < weights.length) health[index] = up ? 1 : 0
          for (let i = 0; i < picks; i++) expect(balancer.pick(exchange, -1)).toBe(naive.pick())
        }
      }),
      { numRuns: 500 },
    )
  })

  it('stays exact after its deadlines were brought back', () => {
    const weights = [7, 3, 1]
    const balancer = buildWrr(estateOf(3).states, weights, 0)
    const naive = new NaiveWrr(weights, () => true)
    for (let i = 0; i < 11 * 2100; i++) {
      if (balancer.pick(exchange, -1) !== naive.pick()) expect.fail(`pick ${i} differs`)
    }
  })

  it('is a plain rotation when the weights are equal, with the sequence of the heap', () => {
    const { states } = estateOf(4)
    const rotation = buildWrr(states, [5, 5, 5, 5], 0)
    const heap = new WrrBalancer([0, 1, 2, 3], states, [1, 1, 1, 1])
    expect(rotation).toBeInstanceOf(RotationBalancer)
    for (let i = 0; i < 40; i++) {
      expect(rotation.pick(exchange, -1)).toBe(heap.pick(exchange, -1))
    }
  })

  it('leaves the turn of the tried server to the next request', () => {
    const balancer = buildWrr(estateOf(2).states, [3, 1], 0)
    expect(balancer.pick(exchange, 0)).toBe(1)
    expect(balancer.pick(exchange, -1)).toBe(0)
  })

  it('begins at another server for another start', () => {
    const { states } = estateOf(3)
    const firsts = [0, 1, 2].map((start) => buildWrr(states, [1, 1, 1], start).pick(exchange, -1))
    expect(firsts).toEqual([0, 1, 2])
  })

  it('keeps shares within one in ten thousand when huge weights must be scaled', () => {
    const balancer = buildWrr(estateOf(2).states, [3_000_000_000, 1_000_000_007], 0)
    let first = 0
    for (let i = 0; i < 40_000; i++) if (balancer.pick(exchange, -1) === 0) first++
    expect(Math.abs(first - 30_000)).toBeLessThan(4)
  })
})

describe('p2c', () => {
  it('picks the less busy of two servers every time', () => {
    fc.assert(
      fc.property(fc.nat(9), fc.nat(9), fc.integer(), (a, b, seed) => {
        fc.pre(a !== b)
        const { states } = estateOf(2)
        states[0]!.inFlight = a
        states[1]!.inFlight = b
        const balancer = buildP2c(states, [1, 1], seed)
        for (let i = 0; i < 20; i++) expect(balancer.pick(exchange, -1)).toBe(a < b ? 0 : 1)
      }),
    )
  })

  it('never picks the busiest of several when no two are equally busy', () => {
    const { states } = estateOf(5)
    for (let i = 0; i < 5; i++) states[i]!.inFlight = i
    const balancer = buildP2c(states, [1, 1, 1, 1, 1], 42)
    const counts = [0, 0, 0, 0, 0]
    for (let i = 0; i < 20_000; i++) counts[balancer.pick(exchange, -1)]!++
    expect(counts[4]).toBe(0)
    // Of the ten pairs, server i is the lighter one in 4 - i.
    for (let i = 0; i < 4; i++)
      expect(Math.abs(counts[i]! / 20_000 - (4 - i) / 10)).toBeLessThan(0.02)
  })

  it('spreads idle servers evenly, also while one is down', () => {
    const { states, health } = estateOf(4)
    const balancer = buildP2c(states, [1, 1, 1, 1], 0)
    health[2] = 0
    const counts = [0, 0, 0, 0]
    for (let i = 0; i < 30_000; i++) counts[balancer.pick(exchange, -1)]!++
    for (const i of [0, 1, 3]) expect(Math.abs(counts[i]! - 10_000)).toBeLessThan(500)
  })
})

describe('a weighted service', () => {
  it('divides requests by weight and passes over a child without usable servers', () => {
    const { states, health } = estateOf(3)
    const stable = new ServiceState([states[0]!, states[1]!])
    const canary = new ServiceState([states[2]!])
    const balancer = buildWrr([stable, canary], [9, 1], 0)
    const counts = [0, 0]
    for (let i = 0; i < 100; i++) counts[balancer.pick(exchange, -1)]!++
    expect(counts).toEqual([90, 10])
    health[2] = 0
    for (let i = 0; i < 20; i++) expect(balancer.pick(exchange, -1)).toBe(0)
    health.fill(0)
    expect(balancer.pick(exchange, -1)).toBe(-1)
  })

  it('can hold weighted services', () => {
    const { states, health } = estateOf(1)
    const inner = new ServiceState([new ServiceState([states[0]!])])
    const balancer = buildWrr([inner, new ServiceState([])], [1, 1], 0)
    expect(balancer.pick(exchange, -1)).toBe(0)
    expect(balancer.pick(exchange, -1)).toBe(0)
    health[0] = 0
    expect(balancer.pick(exchange, -1)).toBe(-1)
  })
})
