// bench/micro/matcher.ts: the matcher on the route tables of the bench, 10 to 10,000 routes.
//
// One run is one match; the requests are taken in turn and hit every kind of route, so that neither the processor's
// caches nor its branch predictor learn one path by heart.

import { Exchange } from '../../core/exchange.ts'
import { MatcherBuilder } from '../../core/route/matcher-builder.ts'
import type { Matcher } from '../../core/route/matcher.ts'
import { parseRule, rulePriority } from '../../core/route/parse.ts'
import { ruleOf, routeRequests } from '../peers/sluice-config.ts'
import type { MicroCase } from '../micro.ts'

const REQUESTS = 500

export function matcherCases(): MicroCase[] {
  return [10, 1000, 10_000].map((routes) => {
    const matcher = matcherOf(routes)
    const exchanges = exchangesOf(routes)
    check(matcher, exchanges, routes)
    let turn = 0
    const run = (): string | null => {
      turn = turn + 1 === exchanges.length ? 0 : turn + 1
      return matcher.match(exchanges[turn]!)
    }
    return { name: `match in ${routes} routes`, run }
  })
}

function matcherOf(routes: number): Matcher<string> {
  const builder = new MatcherBuilder<string>(null)
  for (let i = 0; i < routes; i++) {
    const text = ruleOf(i)
    const name = `route-${i}`
    builder.set({ rule: parseRule(text), priority: rulePriority(text), rank: 0, name, value: name })
  }
  return builder.finish()
}

function exchangesOf(routes: number): Exchange[] {
  return routeRequests(routes, REQUESTS).map((shape) => {
    const exchange = new Exchange()
    exchange.reset()
    exchange.host = shape.host
    exchange.path = shape.path
    exchange.routingPath = shape.path
    return exchange
  })
}

function check(matcher: Matcher<string>, exchanges: readonly Exchange[], routes: number): void {
  for (const exchange of exchanges) {
    const number = /(?:services|parts)\/(\d+)/.exec(exchange.path)?.[1] ?? ''
    const found = matcher.match(exchange)
    if (found === `route-${number}`) continue
    throw new Error(
      `${exchange.path} in ${routes} routes belongs to ${number}, not to ${String(found)}`,
    )
  }
}
