import { describe, expect, test } from 'vitest'
import { RuleError, parseRule, rulePriority } from './parse.ts'
import { ruleText } from './rule.ts'

function normal(text: string): string {
  return ruleText(parseRule(text))
}

function offsetOf(text: string, kind: 'http' | 'tcp' = 'http'): number {
  try {
    parseRule(text, kind)
  } catch (error) {
    if (error instanceof RuleError) return error.offset
    throw error
  }
  throw new Error(`${text} was accepted`)
}

describe('the rule language', () => {
  test.each([
    ['Host(`a.com`)', 'Host(`a.com`)'],
    ['Host("a.com")', 'Host(`a.com`)'],
    ['  Host ( `a.com` ) ', 'Host(`a.com`)'],
    ['Host(`A.Com.`)', 'Host(`a.com`)'],
    ['Host(`[2001:DB8::1]`)', 'Host(`2001:db8::1`)'],
    ['Method(`get`)', 'Method(`GET`)'],
    ['Header(`X-A`, `B`)', 'Header(`x-a`, `B`)'],
    ['Query(`a`)', 'Query(`a`, ``)'],
    ['QueryRegexp(`a`)', 'Query(`a`, ``)'],
    ['Path("/a\\x62\\u00e9\\"")', 'Path(`/abé"`)'],
    ['Path(`/a`) || Path(`/b`) && Host(`c`)', 'Path(`/a`) || (Path(`/b`) && Host(`c`))'],
    ['(Path(`/a`) || Path(`/b`)) && Host(`c`)', '(Path(`/a`) || Path(`/b`)) && Host(`c`)'],
    ['!Path(`/a`)', '!Path(`/a`)'],
    ['!!Path(`/a`)', 'Path(`/a`)'],
    ['!(Path(`/a`) && Host(`b`))', '!Path(`/a`) || !Host(`b`)'],
    ['!(Path(`/a`) || !Host(`b`))', '!Path(`/a`) && Host(`b`)'],
    ['Host(`a`) && (Host(`b`) && Host(`c`))', 'Host(`a`) && Host(`b`) && Host(`c`)'],
    ['Host(`a`) &&\n  Path(`/b`)', 'Host(`a`) && Path(`/b`)'],
  ])('%s is read as %s', (text, expected) => {
    expect(normal(text)).toBe(expected)
  })

  test.each(['HostRegexp', 'hostregexp', 'HOSTREGEXP', 'Hostregexp'])(
    '%s is a spelling that Traefik accepts',
    (name) => {
      expect(normal(`${name}(\`^a\`)`)).toBe('HostRegexp(`^a`)')
    },
  )

  test('TCP matchers are read in TCP rules only', () => {
    expect(ruleText(parseRule('HostSNI(`*`) && !ALPN(`h2`)', 'tcp'))).toBe(
      'HostSNI(`*`) && !ALPN(`h2`)',
    )
    expect(offsetOf('HostSNI(`a.com`)')).toBe(0)
    expect(offsetOf('ClientIP(`10.0.0.0/8`) && Host(`a`)', 'tcp')).toBe(26)
    expect(offsetOf('ALPN(`acme-tls/1`)', 'tcp')).toBe(5)
  })

  test('a rule crosses a thread as it is', () => {
    const rule = parseRule('Host(`a`) && !(Path(`/b`) || Header(`c`, `d`))')
    expect(structuredClone(rule)).toEqual(rule)
  })
})

describe('what is refused, and where', () => {
  test.each([
    ['', 0],
    ['Host(`a`) &&', 12],
    ['Host(`a`) & Path(`/`)', 10],
    ['Host(`a`) Path(`/`)', 10],
    ['Host(`a`, `b`)', 0],
    ['Host()', 0],
    ['Host(a)', 5],
    ['Host(``)', 5],
    ['Host(`a`', 8],
    ['Host(`a', 5],
    ['Host("a', 5],
    ['(Host(`a`)', 10],
    ['Host(`a`))', 9],
    ['hOST(`a`)', 0],
    ['Nope(`a`)', 0],
    ['Model(`gpt`)', 0],
    ['Host(`é.com`)', 5],
    ['Host(`a b`)', 5],
    ['Host(`a.*.com`)', 5],
    ['Host(`**.com`)', 5],
    ['HostRegexp(`é`)', 11],
    ['HostRegexp(`(`)', 11],
    ['Path(`a`)', 5],
    ['PathPrefix(`api`)', 11],
    ['PathRegexp(`(?=a)`)', 11],
    ['Header(`a`)', 0],
    ['Header(`a b`, `c`)', 7],
    ['HeaderRegexp(`a`, `[`)', 18],
    ['Query(`a`, `b`, `c`)', 0],
    ['ClientIP(`10.0.0.0/33`)', 9],
    ['ClientIP(`nope`)', 9],
    ['Path("/\\q")', 7],
    ['Host(`a`) || || Host(`b`)', 13],
    ['!', 1],
  ])('%s is refused at character %i', (text, offset) => {
    expect(offsetOf(text)).toBe(offset)
  })

  test('Model says that it is not built yet', () => {
    expect(() => parseRule('Model(`gpt`)')).toThrow(/not built yet/)
  })

  test('nesting, length and number of matchers are bounded', () => {
    expect(() => parseRule('('.repeat(100_000) + 'Host(`a`)' + ')'.repeat(100_000))).toThrow(
      RuleError,
    )
    expect(() => parseRule('!'.repeat(1_000) + 'Host(`a`)')).toThrow(RuleError)
    expect(() => parseRule('Host(`a`)||'.repeat(9_000) + 'Host(`a`)')).toThrow(RuleError)
    expect(() => parseRule(' '.repeat(300_000))).toThrow(RuleError)
  })
})

test('the priority of a rule is its length in bytes as written', () => {
  expect(rulePriority('Host(`a.com`)')).toBe(13)
  expect(rulePriority(' Path(`/é`) ')).toBe(13)
  expect(rulePriority('Path(`/\u{1f600}`)')).toBe(13)
})
