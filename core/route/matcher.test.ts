import { describe, expect, test } from 'vitest'
import { explainMatch } from './explain.ts'
import type { Matcher } from './matcher.ts'
import { MatcherBuilder } from './matcher-builder.ts'
import { parseRule, rulePriority } from './parse.ts'
import { exchangeOf, type Request } from './samples.ts'

function matcherOf(...rules: string[]): Matcher<string> {
  const builder = new MatcherBuilder<string>(null)
  for (const [i, rule] of rules.entries()) {
    builder.set({
      rule: parseRule(rule),
      priority: rulePriority(rule),
      rank: 0,
      name: `r${i}`,
      value: rule,
    })
  }
  return builder.finish()
}

function isMatched(rule: string, request: Partial<Request>): boolean {
  return matcherOf(rule).match(exchangeOf(request)) !== null
}

describe('hosts', () => {
  test.each([
    ['Host(`a.com`)', 'a.com', true],
    ['Host(`A.com.`)', 'a.com', true],
    ['Host(`a.com`)', 'b.a.com', false],
    ['Host(`*.a.com`)', 'b.a.com', true],
    ['Host(`*.a.com`)', 'c.b.a.com', false],
    ['Host(`*.a.com`)', 'a.com', false],
    ['Host(`*`)', 'a.com', true],
    ['Host(`*`)', '', false],
    ['Host(`a.com`)', '', false],
    ['!Host(`a.com`)', '', true],
    ['HostRegexp(`^[a-z]+\\.com$`)', 'a.com', true],
    ['HostRegexp(`A`)', 'a.com', false],
    ['Host(`::1`)', '::1', true],
  ])('%s on host "%s" is %s', (rule, host, expected) => {
    expect(isMatched(rule, { host })).toBe(expected)
  })

  test.each([1, 101, 10_001])(
    'CVE-2026-27588: the same host is found among %i, whatever its case in the rule',
    (count) => {
      const rules = Array.from({ length: count }, (_, i) => `Host(\`Host-${i}.Example.com\`)`)
      const matcher = matcherOf(...rules)
      const last = count - 1
      const found = matcher.match(exchangeOf({ host: `host-${last}.example.com` }))
      expect(found).toBe(rules[last])
      expect(matcher.match(exchangeOf({ host: 'example.com' }))).toBe(null)
    },
  )

  // 10,000 hosts on 4,096 slots: what a slot held for the host before must not answer for the one that came.
  test('hosts that share a slot are told apart, in whatever order they come', () => {
    const hosts = Array.from({ length: 10_000 }, (_, i) => `host-${i}.example.com`)
    const matcher = matcherOf(...hosts.map((host) => `Host(\`${host}\`)`))
    for (const stride of [1, 4_099, 7_919]) {
      for (let i = 0; i < hosts.length; i++) {
        const host = hosts[(i * stride) % hosts.length]!
        const found = matcher.match(exchangeOf({ host }))
        if (found !== `Host(\`${host}\`)`) expect.fail(`${host} is led to ${found}`)
        expect(matcher.match(exchangeOf({ host: `x-${host}` }))).toBe(null)
      }
    }
  })

  test('CVE-2026-55602: a host that merely contains the wanted one does not match', () => {
    for (const host of ['a.com.evil.org', 'xa.com', 'a.comx', 'evil.org']) {
      expect(isMatched('Host(`a.com`)', { host })).toBe(false)
      expect(isMatched('Host(`*.a.com`)', { host })).toBe(false)
    }
  })

  test('a memo of hosts does not grow with the hosts that clients invent', () => {
    const matcher = matcherOf('HostRegexp(`^a`)', 'Host(`b`)')
    for (let i = 0; i < 10_000; i++) {
      expect(matcher.match(exchangeOf({ host: `a${i}` }))).not.toBe(null)
    }
    expect(matcher.hostsRemembered).toBeLessThan(4_200)
    expect(matcher.match(exchangeOf({ host: 'b' }))).toBe('Host(`b`)')
  })
})

describe('paths', () => {
  test.each([
    ['PathPrefix(`/foo`)', '/foobar', true],
    ['PathPrefix(`/foo/`)', '/foo', false],
    ['Path(`/foo`)', '/foo/', false],
    ['Path(`/foo`)', '/foo', true],
    ['PathRegexp(`^/a/[0-9]+$`)', '/a/12', true],
    ['PathRegexp(`b`)', '/abc', true],
    ['PathPrefix(`/`)', '*', false],
    ['Path(`/é`)', '/é', true],
    ['PathPrefix(`/foo bar`)', '/foo bar/x', true],
  ])('%s on path %s is %s', (rule, path, expected) => {
    expect(isMatched(rule, { path })).toBe(expected)
  })
})

describe('headers, query, method and peer', () => {
  test.each([
    ['Header(`X-A`, `1`)', { headers: [['x-a', '1']] }, true],
    [
      'Header(`x-a`, `1`)',
      {
        headers: [
          ['X-A', '2'],
          ['X-A', '1'],
        ],
      },
      true,
    ],
    ['Header(`X-A`, `1`)', { headers: [['X-A', '1, 2']] }, false],
    ['HeaderRegexp(`X-A`, `^1`)', { headers: [['X-A', '12']] }, true],
    ['Header(`Host`, `a.com`)', { headers: [['Host', 'a.com']] }, false],
    ['Header(`Accept`, `é`)', { headers: [['Accept', '\xc3\xa9']] }, true],
    ['HeaderRegexp(`Accept`, `^.$`)', { headers: [['Accept', '\xc3\xa9']] }, true],
    ['Query(`a`, `b c`)', { query: 'a=b+c' }, true],
    ['Query(`a`, `b`)', { query: 'x=1&%61=b' }, true],
    ['Query(`a`)', { query: 'a' }, true],
    ['Query(`a`)', { query: 'a=1&a=' }, true],
    ['Query(`a`)', { query: 'a=1' }, false],
    ['Query(`a`, `b`)', { query: 'a=b;c=d' }, false],
    ['Query(`a`, `%`)', { query: 'a=%' }, false],
    ['QueryRegexp(`a`, `^\\d$`)', { query: 'a=x&a=1' }, true],
    ['Method(`get`)', { method: 'GET' }, true],
    ['Method(`GET`)', { method: 'get' }, false],
    ['ClientIP(`10.0.0.0/8`)', { address: '10.1.2.3' }, true],
    ['ClientIP(`10.0.0.0/8`)', { address: '::ffff:10.1.2.3' }, true],
    ['ClientIP(`10.0.0.0/8`)', { address: '11.1.2.3' }, false],
    ['ClientIP(`2001:db8::/32`)', { address: '2001:db8::7' }, true],
  ] as [string, Partial<Request>, boolean][])('%s on %j is %s', (rule, request, expected) => {
    expect(isMatched(rule, request)).toBe(expected)
  })

  test('CVE-2026-26308: each value of a repeated header is looked at by a negation too', () => {
    const request: Partial<Request> = {
      headers: [
        ['X-Role', 'user'],
        ['X-Role', 'admin'],
      ],
    }
    expect(isMatched('!Header(`X-Role`, `admin`)', request)).toBe(false)
  })

  test('a rule on a managed header sees what the server is going to see', () => {
    const rule = 'Header(`X-Forwarded-Proto`, `http`)'
    expect(isMatched(rule, {})).toBe(true)
    expect(isMatched(rule, { headers: [['X-Forwarded-Proto', 'https']] })).toBe(false)
    expect(isMatched('Header(`X-Real-Ip`, `192.0.2.1`)', {})).toBe(true)
    expect(isMatched('HeaderRegexp(`X-Forwarded-Prefix`, `.*`)', {})).toBe(false)
  })

  test('ClientIP looks at the peer and never at X-Forwarded-For', () => {
    const headers: [string, string][] = [['X-Forwarded-For', '10.0.0.1']]
    expect(isMatched('ClientIP(`10.0.0.1`)', { headers, address: '192.0.2.1' })).toBe(false)
  })
})

function winnerOfRanks(ranks: readonly number[]): string | null {
  const builder = new MatcherBuilder<string>(null)
  ranks.forEach((rank, i) => {
    const rule = parseRule('PathPrefix(`/`)')
    builder.set({ rule, priority: 5, rank, name: `r${i}`, value: `r${i}` })
  })
  return builder.finish().match(exchangeOf({}))
}

describe('precedence', () => {
  test('the longer rule wins, then the lower rank, then the lower name', () => {
    expect(winnerOfRanks([1, 0, 2])).toBe('r1')
    expect(winnerOfRanks([1, 1, 1])).toBe('r0')
    const matcher = matcherOf('PathPrefix(`/`)', 'PathPrefix(`/a`)', 'Host(`a`)')
    expect(matcher.match(exchangeOf({ host: 'a', path: '/ab' }))).toBe('PathPrefix(`/a`)')
  })

  test('explainMatch names the winner and says why each of the others lost', () => {
    const matcher = matcherOf('PathPrefix(`/`)', 'Host(`b.com`) && PathPrefix(`/`)', 'Path(`/`)')
    expect(explainMatch(matcher, exchangeOf({ host: 'a.com', path: '/' }))).toEqual([
      { name: 'r1', priority: 32, matched: false, why: 'Host(`b.com`) is false' },
      {
        name: 'r0',
        priority: 15,
        matched: true,
        why: 'the rule holds and no router before it matched',
      },
      { name: 'r2', priority: 9, matched: true, why: 'lower priority than r0' },
    ])
  })
})

describe('updating', () => {
  test('groups that no changed router touches are the same objects as before', () => {
    const before = matcherOf('Host(`a`)', 'Host(`b`) && PathPrefix(`/`)', 'PathPrefix(`/`)')
    const builder = new MatcherBuilder(before)
    const spec = { rule: parseRule('Host(`b`) && Path(`/x`)'), priority: 9, rank: 0 }
    builder.set({ ...spec, name: 'r1', value: 'new' })
    const after = builder.finish()
    expect(after.groups.get(0, 'a')).toBe(before.groups.get(0, 'a'))
    expect(after.groups.get(0, 'b')).not.toBe(before.groups.get(0, 'b'))
    expect(before.match(exchangeOf({ host: 'b', path: '/y' }))).toBe('Host(`b`) && PathPrefix(`/`)')
    expect(after.match(exchangeOf({ host: 'b', path: '/y' }))).toBe('PathPrefix(`/`)')
    const third = new MatcherBuilder(after)
    third.remove('r1')
    third.remove('never there')
    expect(third.finish().groups.get(0, 'b')).toBe(null)
  })

  test('a slice does no more than it was allowed, whatever the size of a group', () => {
    const builder = new MatcherBuilder<number>(null)
    for (let i = 0; i < 2_000; i++) {
      const rule = parseRule(`Host(\`a\`) && PathPrefix(\`/p${i}\`)`)
      builder.set({ rule, priority: i, rank: 0, name: `r${i}`, value: i })
    }
    let slices = 1
    while (!builder.buildSlice(100)) slices++
    expect(slices).toBeGreaterThanOrEqual(40)
    expect(builder.finish().match(exchangeOf({ host: 'a', path: '/p1999' }))).toBe(1999)
  })
})
