import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { requestOf } from '../middleware/exchange.fixture.ts'
import { buildBalancer } from './build.ts'
import type { Balancer } from './contract.ts'
import { AnswerTimes } from './least-time.ts'

describe('leasttime', () => {
  function bedOfTimes(weights: number[]) {
    const servers = weights.map(() => ({
      up: true,
      inFlight: 0,
      times: new AnswerTimes(),
    }))
    const options = { strategy: 'leasttime' as const, weights, names: [], key: null, worker: 0 }
    return { servers, balancer: buildBalancer(servers, options) }
  }
  const exchange = requestOf('GET / HTTP/1.1')

  it('takes the lowest average x (1 + in flight) / weight, as a plain reference does', () => {
    const server = fc.record({
      up: fc.boolean(),
      inFlight: fc.nat(20),
      times: fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 250 }),
      weight: fc.integer({ min: 1, max: 5 }),
    })
    fc.assert(
      fc.property(fc.array(server, { minLength: 2, maxLength: 6 }), (given) => {
        const { servers, balancer } = bedOfTimes(given.map(({ weight }) => weight))
        given.forEach(({ up, inFlight, times }, i) => {
          Object.assign(servers[i]!, { up, inFlight })
          for (const ms of times) servers[i]!.times.add(ms)
        })
        const scores = given.map(({ up, inFlight, times, weight }) => {
          const last = times.slice(-100)
          const average = last.reduce((sum, ms) => sum + ms, 0) / last.length
          return up ? (average * (1 + inFlight)) / weight : Infinity
        })
        const picked = balancer.pick(exchange, -1)
        if (given.some(({ up }) => up)) expect(scores[picked]).toBe(Math.min(...scores))
        else expect(picked).toBe(-1)
      }),
    )
  })

  it('tries a cold server at once, and shares by weight where times are equal', () => {
    const { servers, balancer } = bedOfTimes([1, 3])
    servers[0]!.times.add(4.9)
    expect(balancer.pick(exchange, -1)).toBe(1)
    servers[1]!.times.add(12.2) // 4 / 1 against 12 / 3: whole milliseconds
    const counts = [0, 0]
    for (let i = 0; i < 4000; i++) counts[balancer.pick(exchange, -1)]!++
    expect(Math.abs(counts[1]! - 3000)).toBeLessThanOrEqual(2)
  })

  function picks(balancer: Balancer, servers: { inFlight: number }[], count: number): number[] {
    return Array.from({ length: count }, () => {
      const index = balancer.pick(exchange, -1)
      servers[index]!.inFlight++
      return index
    })
  }

  it('tries a cold server by one request, and waits for its answer', () => {
    const { servers, balancer } = bedOfTimes([1, 1])
    servers[0]!.times.add(5)
    expect(picks(balancer, servers, 5)).toEqual([1, 0, 0, 0, 0])
    servers[1]!.times.add(1)
    servers[1]!.inFlight = 0
    expect(balancer.pick(exchange, -1)).toBe(1)
  })

  it('spreads over servers that are all cold', () => {
    const { servers, balancer } = bedOfTimes([1, 1, 2])
    expect(picks(balancer, servers, 8).toSorted()).toEqual([0, 0, 1, 1, 2, 2, 2, 2])
  })

  it('asks a server that only fails once in ten seconds, however slow the others are', () => {
    const { servers, balancer } = bedOfTimes([1, 1])
    let failures = 0
    for (let second = 0; second < 60; second++) {
      exchange.startedAt = second * 1000
      for (let i = 0; i < 10; i++) {
        if (balancer.pick(exchange, -1) === 0) servers[0]!.times.add(20_000)
        else {
          failures++
          servers[1]!.times.addFailure(exchange.startedAt + 1)
        }
      }
    }
    expect(failures).toBe(6)
  })

  it('gives a server its share again once it has recovered', () => {
    const { servers, balancer } = bedOfTimes([1, 1])
    for (let i = 0; i < 500; i++) servers[0]!.times.addFailure(1000)
    servers[1]!.times.add(5)
    exchange.startedAt = 10_999
    expect(balancer.pick(exchange, -1)).toBe(1)
    exchange.startedAt = 11_000
    expect(balancer.pick(exchange, -1)).toBe(0)
    servers[0]!.times.add(1)
    exchange.startedAt = 11_001
    expect(balancer.pick(exchange, -1)).toBe(0)
  })

  it('shares where every server fails', () => {
    const { servers, balancer } = bedOfTimes([1, 1, 1])
    for (const { times } of servers) times.addFailure(exchange.startedAt)
    expect(picks(balancer, servers, 6).toSorted()).toEqual([0, 0, 1, 1, 2, 2])
  })
})
