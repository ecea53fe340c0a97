import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { explainMatch } from './explain.ts'
import type { Matcher } from './matcher.ts'
import { MatcherBuilder } from './matcher-builder.ts'
import { parseRule, rulePriority } from './parse.ts'
import { referenceMatch, type ReferenceRoute } from './reference.ts'
import { exchangeOf, type Request } from './samples.ts'

// Small alphabets, so that rules and requests meet often.
const hosts = ['a.com', 'b.com', 'x.a.com', 'y.x.a.com', 'c.org']
const paths = ['/', '/a', '/ab', '/a/b', '/a/b/c', '/api/v1', '/api/v12/x', '/b']

const quoted = (values: readonly string[]): fc.Arbitrary<string> =>
  fc.constantFrom(...values).map((value) => '`' + value + '`')

const leaf = fc.oneof(
  { weight: 6, arbitrary: quoted([...hosts, '*', '*.a.com', 'A.com.']).map((v) => `Host(${v})`) },
  {
    weight: 2,
    arbitrary: quoted(['^a', 'com$', '^[a-z]\\.a\\.com$', '.']).map((v) => `HostRegexp(${v})`),
  },
  { weight: 3, arbitrary: quoted(paths).map((v) => `Path(${v})`) },
  { weight: 6, arbitrary: quoted(paths).map((v) => `PathPrefix(${v})`) },
  {
    weight: 3,
    arbitrary: quoted(['^/a', '^/api/v[0-9]+$', 'b', '^/a/.*c$', '(a|b)+$', '(?i)^/A']).map(
      (v) => `PathRegexp(${v})`,
    ),
  },
  { weight: 1, arbitrary: quoted(['GET', 'post']).map((v) => `Method(${v})`) },
  { weight: 1, arbitrary: quoted(['1', '2']).map((v) => `Header(\`X-A\`, ${v})`) },
  { weight: 1, arbitrary: quoted(['^1', '.']).map((v) => `HeaderRegexp(\`X-A\`, ${v})`) },
  { weight: 1, arbitrary: quoted(['1', 'a b']).map((v) => `Query(\`q\`, ${v})`) },
  { weight: 1, arbitrary: fc.constant('Query(`q`)') },
  { weight: 1, arbitrary: quoted(['^$', 'a']).map((v) => `QueryRegexp(\`q\`, ${v})`) },
  { weight: 1, arbitrary: quoted(['10.0.0.0/8', '10.1.0.1']).map((v) => `ClientIP(${v})`) },
)

const ruleArbitrary: fc.Arbitrary<string> = fc.letrec<{ rule: string }>((tie) => ({
  rule: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { weight: 4, arbitrary: leaf },
    { weight: 4, arbitrary: fc.tuple(tie('rule'), tie('rule')).map(([a, b]) => `${a} && ${b}`) },
    { weight: 2, arbitrary: fc.tuple(tie('rule'), tie('rule')).map(([a, b]) => `(${a} || ${b})`) },
    { weight: 1, arbitrary: tie('rule').map((rule) => `!(${rule})`) },
  ),
})).rule

const routesArbitrary: fc.Arbitrary<ReferenceRoute[]> = fc
  .array(fc.tuple(ruleArbitrary, fc.constantFrom(0, 0, 0, 20, -1), fc.constantFrom(0, 1)), {
    minLength: 1,
    maxLength: 8,
  })
  .map((rows) =>
    rows.map(([text, priority, rank], i) => ({
      rule: parseRule(text),
      priority: priority === 0 ? rulePriority(text) : priority,
      rank,
      name: `r${i}`,
    })),
  )

const requestArbitrary: fc.Arbitrary<Request> = fc.record({
  host: fc.constantFrom(...hosts, ''),
  path: fc.constantFrom(...paths, '/api/v1/', '/c', '*'),
  query: fc.constantFrom('', 'q', 'q=1', 'q=a+b', 'x=1&q=%61', 'q=;'),
  method: fc.constantFrom('GET', 'POST'),
  address: fc.constantFrom('10.0.0.1', '10.1.0.1', '192.0.2.1'),
  headers: fc.constantFrom<(readonly [string, string])[]>(
    [],
    [['X-A', '1']],
    [
      ['x-a', '2'],
      ['X-A', '12'],
    ],
  ),
})

function build(
  routes: readonly ReferenceRoute[],
  previous: Matcher<string> | null,
  scannedMax: number,
): Matcher<string> {
  const builder = new MatcherBuilder<string>(previous, scannedMax)
  for (const name of previous === null ? [] : previous.routes.keys()) builder.remove(name)
  for (const route of routes) builder.set({ ...route, value: route.name })
  while (!builder.buildSlice(3)) continue
  return builder.finish()
}

// 5,000 runs of two rule sets and ten requests each: 100,000 pairs. The second set is reached from the
// first one by an update, so that shared groups are held to the same promise; the first one looks all
// paths up in tries, the second one scans small groups.
test('the matcher equals the linear reference in 100,000 pairs of rule set and request', () => {
  const seed = Date.now() & 0x7fffffff
  console.info(`seed ${seed}`)
  let matched = 0
  const requests = fc.array(requestArbitrary, { minLength: 10, maxLength: 10 })
  fc.assert(
    fc.property(routesArbitrary, routesArbitrary, requests, (first, second, asked) => {
      const before = build(first, null, 0)
      const after = build(second, before, 6)
      for (const request of asked) {
        const exchange = exchangeOf(request)
        const winner = referenceMatch(first, exchange)
        if (winner !== null) matched++
        expect(before.match(exchange)).toBe(winner)
        expect(after.match(exchange)).toBe(referenceMatch(second, exchange))
        const explained = explainMatch(before, exchange).find((line) => line.matched)
        expect(explained?.name ?? null).toBe(winner)
      }
    }),
    { seed, numRuns: 5_000 },
  )
  expect(matched).toBeGreaterThan(20_000)
}, 120_000)
