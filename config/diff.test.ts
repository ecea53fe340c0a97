// A delta, applied to what it was made from, gives what it was made for.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { applyDelta, diffGenerations, isEmptyDelta } from './diff.ts'
import {
  emptyGeneration,
  families,
  type Family,
  type Generation,
  type PlanMaps,
} from './generation.ts'

const names = fc.constantFrom('a@file', 'b@file', 'c@http', 'd@internal')

function plans<Plan extends { name: string }>(
  plan: fc.Arbitrary<Omit<Plan, 'name'>>,
): fc.Arbitrary<ReadonlyMap<string, Plan>> {
  return fc
    .dictionary(names, plan)
    .map(
      (all) =>
        new Map(Object.entries(all).map(([name, rest]) => [name, { name, ...rest } as Plan])),
    )
}

// Of the other families one stands for all: they are treated by one loop.
const noPlans = Object.fromEntries(
  families.map((family) => [family, fc.constant(new Map())]),
) as unknown as { [F in Family]: fc.Arbitrary<PlanMaps[F]> }

const generation = (number: number): fc.Arbitrary<Generation> =>
  fc.record({
    ...noPlans,
    number: fc.constant(number),
    routers: plans(
      fc.record({
        entryPoints: fc.uniqueArray(fc.constantFrom('web', 'admin')),
        rule: fc.constantFrom('Path(`/a`)', 'Path(`/b`)'),
        priority: fc.integer({ min: -1, max: 1 }),
        rank: fc.constant(0),
        middlewares: fc.array(names, { maxLength: 2 }),
        service: names,
        tls: fc.boolean(),
        tlsOptions: fc.constant(''),
        parents: fc.constant([]),
        accessLogs: fc.boolean(),
        metrics: fc.boolean(),
        priorityClass: fc.constantFrom('low', 'normal'),
        internal: fc.boolean(),
      }),
    ),
    services: plans(
      fc.record({
        kind: fc.constant('weighted' as const),
        services: fc.array(fc.record({ name: names, weight: fc.nat(2) }), { maxLength: 2 }),
        middlewares: fc.constant([]),
      }),
    ),
    middlewares: plans(fc.record({ kind: fc.constant('x'), options: fc.jsonValue() })),
    tlsHosts: plans(fc.record({ entryPoint: names, host: names, options: names })),
  })

test('Applying the difference to the earlier generation gives the later one', () => {
  fc.assert(
    fc.property(generation(3), generation(4), (before, after) => {
      const delta = structuredClone(diffGenerations(before, after))
      expect(applyDelta(before, delta)).toEqual(after)
    }),
    { numRuns: 1000 },
  )
})

test('A delta holds nothing that did not change', () => {
  fc.assert(
    fc.property(generation(3), (before) => {
      const same = { ...structuredClone(before), number: 4 }
      expect(isEmptyDelta(diffGenerations(before, same))).toBe(true)
    }),
  )
})

test('A delta from nothing replaces whatever a worker had', () => {
  fc.assert(
    fc.property(generation(3), generation(9), (old, after) => {
      expect(applyDelta(old, diffGenerations(emptyGeneration(), after))).toEqual(after)
    }),
  )
})

test('A delta from another generation is refused', () => {
  const at = (number: number): Generation => ({ ...emptyGeneration(), number })
  expect(() => applyDelta(at(2), diffGenerations(at(3), at(4)))).toThrow('does not apply to 2')
})
