// core/route/matcher.bench.ts: what a match costs for 10, 1,000 and 10,000 routers.
//
// Run: node core/route/matcher.bench.ts. Prints nanoseconds per match, median of 15 rounds, for requests
// that are spread over all routers, so that caches see what a busy gateway's see.

import { hostAt, hostSlotOf } from '../normalise-host.ts'
import { exchangeOf } from './samples.ts'
import type { Matcher } from './matcher.ts'
import { MatcherBuilder } from './matcher-builder.ts'
import { parseRule, rulePriority } from './parse.ts'

type Sample = readonly [rule: string, host: string, path: string]

const shapes: Readonly<Record<string, (i: number) => Sample>> = {
  'Host && PathPrefix, every fifth with PathRegexp': (i) => {
    const host = `host-${i >> 2}.example.com`
    const path = `/service-${i}/api`
    const regex = i % 5 === 0 ? ' && PathRegexp(`^/service-[0-9]+/api/v[0-9]+`)' : ''
    return [`Host(\`${host}\`) && PathPrefix(\`${path}\`)${regex}`, host, `${path}/v1/users/42`]
  },
  'all on one host': (i) => {
    const path = `/team-${i % 97}/service-${i}`
    return [`Host(\`a.com\`) && PathPrefix(\`${path}\`)`, 'a.com', `${path}/v1/users`]
  },
  'every tenth a HostRegexp or an anchored PathRegexp alone': (i) => {
    if (i % 20 === 0) return [`HostRegexp(\`^h${i}\\.[a-z]+\\.com$\`)`, `h${i}.example.com`, '/x']
    if (i % 20 === 10) return [`PathRegexp(\`^/s${i}/v[0-9]+\`)`, `h${i}.org`, `/s${i}/v1/x`]
    return [`Host(\`h${i}.com\`) && PathPrefix(\`/s\`)`, `h${i}.com`, '/s/x']
  },
}

function matcherOf(samples: readonly Sample[]): Matcher<number> {
  const builder = new MatcherBuilder<number>(null)
  for (const [i, [text]] of samples.entries()) {
    const spec = { rule: parseRule(text), priority: rulePriority(text), rank: 0 }
    builder.set({ ...spec, name: `r${i}`, value: i })
  }
  return builder.finish()
}

// A request's host and path have just been written by the parser, so they are made anew for each match;
// what the making costs is measured alone and taken off.
function nanosecondsPerMatch(matcher: Matcher<number> | null, samples: readonly Sample[]): number {
  const exchange = exchangeOf({})
  const rounds: number[] = []
  for (let round = 0; round < 20; round++) {
    const before = performance.now()
    for (let i = 0; i < 100_000; i++) {
      const [, host, path] = samples[(i * 7919) % samples.length]!
      exchange.hostSlot = hostSlotOf(('.' + host).slice(1))
      exchange.host = hostAt(exchange.hostSlot)
      exchange.routingPath = ('.' + path).slice(1)
      if (matcher === null) continue
      if (matcher.match(exchange) === null) throw new Error(`${host}${path} is lost`)
    }
    rounds.push((performance.now() - before) * 10)
  }
  return rounds.slice(5).sort((a, b) => a - b)[7]!
}

for (const [name, shape] of Object.entries(shapes)) {
  for (const count of [10, 1_000, 10_000]) {
    const samples = Array.from({ length: count }, (_, i) => shape(i))
    const before = performance.now()
    const matcher = matcherOf(samples)
    const buildMs = performance.now() - before
    const ns = nanosecondsPerMatch(matcher, samples) - nanosecondsPerMatch(null, samples)
    console.log(`${name}: ${count} routers ${ns.toFixed(0)} ns, built in ${buildMs.toFixed(0)} ms`)
  }
}
