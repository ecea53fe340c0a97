import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseRule, rulePriority } from '../route/parse.ts'
import {
  CATCH_ALL_PRIORITY,
  TcpMatcher,
  type TcpFacts,
  type TcpRoute,
  compileTcpRule,
  compareRoutes,
  isCatchAll,
} from './matcher.ts'

function routeOf(text: string, over: Partial<TcpRoute<string>> = {}): TcpRoute<string> {
  const rule = parseRule(text, 'tcp')
  const priority = isCatchAll(rule) ? CATCH_ALL_PRIORITY : rulePriority(text)
  return {
    rule,
    condition: compileTcpRule(rule),
    priority,
    rank: 0,
    name: text,
    value: text,
    ...over,
  }
}

function factsOf(over: Partial<TcpFacts>): TcpFacts {
  return { isTls: true, sni: '', alpn: [], clientAddress: '192.0.2.7', ...over }
}

function winner(rules: readonly string[], facts: Partial<TcpFacts>): string | null {
  return new TcpMatcher(rules.map((text) => routeOf(text))).match(factsOf(facts))
}

describe('a matcher of TCP routers', () => {
  test.each<[string, Partial<TcpFacts>, boolean]>([
    ['HostSNI(`Db.Example.org`)', { sni: 'db.example.org' }, true],
    ['HostSNI(`db.example.org.`)', { sni: 'db.example.org' }, true],
    ['HostSNI(`db.example.org`)', { sni: 'x.db.example.org' }, false],
    ['HostSNI(`db.example.org`)', { sni: '' }, false],
    ['HostSNI(`*.example.org`)', { sni: 'db.example.org' }, true],
    ['HostSNI(`*.example.org`)', { sni: 'a.db.example.org' }, false],
    ['HostSNI(`*.example.org`)', { sni: 'example.org' }, false],
    ['HostSNI(`*`)', { sni: '' }, true],
    ['HostSNI(`*`)', { sni: '', isTls: false }, true],
    ['HostSNI(`*`)', { sni: 'any.org' }, true],
    ['HostSNIRegexp(`^db[0-9]+\\.example\\.org$`)', { sni: 'db12.example.org' }, true],
    ['HostSNIRegexp(`^db[0-9]+\\.example\\.org$`)', { sni: 'db.example.org' }, false],
    ['ALPN(`mqtt`)', { alpn: ['h2', 'mqtt'] }, true],
    ['ALPN(`mqtt`)', { alpn: ['MQTT'] }, false],
    ['ClientIP(`192.0.2.0/24`)', {}, true],
    ['ClientIP(`192.0.2.0/24`)', { clientAddress: '::ffff:192.0.2.9' }, true],
    ['ClientIP(`192.0.2.0/24`)', { clientAddress: '192.0.3.1' }, false],
    ['!ClientIP(`192.0.2.0/24`)', { clientAddress: '192.0.3.1' }, true],
    ['HostSNI(`a.org`) && ALPN(`h2`)', { sni: 'a.org', alpn: ['h2'] }, true],
    ['HostSNI(`a.org`) && ALPN(`h2`)', { sni: 'a.org' }, false],
    ['HostSNI(`a.org`) || HostSNI(`b.org`)', { sni: 'b.org' }, true],
    ['HostSNI(`a.org`) || ClientIP(`192.0.2.7`)', { sni: 'c.org' }, true],
    ['!HostSNI(`a.org`)', { sni: 'b.org' }, true],
    ['!HostSNI(`a.org`)', { sni: 'a.org' }, false],
  ])('%s against %j says %s', (rule, facts, expected) => {
    expect(winner([rule], facts) !== null).toBe(expected)
  })

  test('gives the longer rule, and the catch-all last however long it is', () => {
    const rules = [
      'HostSNI(`*`)',
      'ALPN(`h2`)',
      'HostSNI(`*.org`)',
      'HostSNI(`a.org`) && ALPN(`h2`)',
    ]
    expect(winner(rules, { sni: 'a.org', alpn: ['h2'] })).toBe(rules[3])
    expect(winner(rules, { sni: 'a.org' })).toBe(rules[2])
    expect(winner(rules, { sni: 'a.b.org', alpn: ['h2'] })).toBe(rules[1])
    expect(winner(rules, { sni: 'a.b.org' })).toBe(rules[0])
  })

  test('gives the higher priority, then the lower rank, then the lower name', () => {
    const rule = 'HostSNI(`a.org`)'
    const of = (routes: Partial<TcpRoute<string>>[]): string | null =>
      new TcpMatcher(routes.map((over) => routeOf(rule, over))).match(factsOf({ sni: 'a.org' }))
    expect(
      of([
        { priority: 1, value: 'low' },
        { priority: 2, value: 'high' },
      ]),
    ).toBe('high')
    expect(
      of([
        { rank: 2, value: 'later' },
        { rank: 1, value: 'sooner' },
      ]),
    ).toBe('sooner')
    expect(
      of([
        { name: 'b', value: 'b' },
        { name: 'a', value: 'a' },
      ]),
    ).toBe('a')
  })

  test('agrees with a scan over all routes', () => {
    const leaf = fc.constantFrom(
      'HostSNI(`a.org`)',
      'HostSNI(`b.org`)',
      'HostSNI(`*.org`)',
      'HostSNI(`*`)',
      'HostSNIRegexp(`^a`)',
      'ALPN(`h2`)',
      'ClientIP(`10.0.0.0/8`)',
      '!HostSNI(`a.org`)',
      '!ALPN(`h2`)',
    )
    const operator = fc.constantFrom(' && ', ' || ')
    const rule = fc.tuple(leaf, operator, leaf, operator, leaf, fc.nat(2)).map((parts) => {
      const [a, one, b, two, c, count] = parts
      return [a, `${a}${one}${b}`, `${a}${one}(${b}${two}${c})`][count]!
    })
    const routes = fc.array(fc.tuple(rule, fc.nat(3), fc.nat(2)), { maxLength: 12 })
    const facts = fc.record({
      isTls: fc.boolean(),
      sni: fc.constantFrom('', 'a.org', 'b.org', 'x.a.org', 'org'),
      alpn: fc.constantFrom([], ['h2'], ['x']),
      clientAddress: fc.constantFrom('10.1.1.1', '192.0.2.7'),
    })
    const property = fc.property(routes, facts, (list, of) => {
      const all = list.map(([text, priority, rank], i) =>
        routeOf(text, { priority, rank, name: `r${i}`, value: `r${i}` }),
      )
      const first = [...all].sort(compareRoutes).find((r) => new TcpMatcher([r]).match(of) !== null)
      expect(new TcpMatcher(all).match(of)).toBe(first?.value ?? null)
    })
    fc.assert(property, { numRuns: 1000 })
  })
})
