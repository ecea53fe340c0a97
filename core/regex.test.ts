import { RE2JS } from 're2js'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RegexError, compileRegex, literalPrefixOf } from './regex.ts'

describe('which engine runs an expression', () => {
  test.each([
    '^/api/v[0-9]+',
    '^/api/v[0-9]+/users/[^/]+$',
    '^[a-z0-9-]+\\.example\\.com$',
    '^.+\\.example\\.com$',
    '^/api/.*/v1$',
    'api/v[0-9]+',
    '^(www|api)\\.example\\.(com|org)$',
    '^/(?P<version>v[0-9])(/.*)?$',
    '(?i)^/Admin',
    '\\.(png|jpg|css)$',
    'v[0-9]+x',
  ])('%s is harmless and runs on V8', (source) => {
    expect(compileRegex(source).engine).toBe('v8')
  })

  test.each([
    '^(a+)+$',
    '^(a|aa)+$',
    '^(a|a)*$',
    '(.*)*x',
    '^(.*)/(.*)/x$',
    '[0-9]+x',
    'a+b',
    '^([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|([a-z]{2,3}[.]{1}[a-z]{2,3}))$',
    '^' + 'a?'.repeat(30) + 'a'.repeat(30),
    '(?:a{0,20}){0,20}b',
    '\\p{Greek}+',
    '(?m)^x',
    'a\\B',
  ])('%s could be slow or is beyond the tree, and runs on the linear engine', (source) => {
    expect(compileRegex(source).engine).toBe('re2')
  })
})

// Of processor time: that others had the processor meanwhile is not the engine's doing.
function cpuMs(run: () => void): number {
  const before = process.cpuUsage()
  run()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

describe('evil input', () => {
  const evil: [string, string][] = [
    ['^(a+)+$', 'a'.repeat(60_000) + '!'],
    ['^(a|aa)+$', 'a'.repeat(60_000) + '!'],
    ['^(.*)/(.*)/x$', '/'.repeat(60_000)],
    ['[0-9]+x', '1'.repeat(60_000)],
    ['(x+x+)+y', 'x'.repeat(60_000)],
    ['^/api/.*/v1$', '/api' + '/v'.repeat(30_000)],
    ['^[a-z0-9-]+\\.example\\.com$', 'a'.repeat(60_000)],
    ['v[0-9]+x', 'v1'.repeat(30_000)],
    ['^.+\\.example\\.com$', '.example.co'.repeat(6_000)],
    ['^' + 'a?'.repeat(30) + 'a'.repeat(30) + '$', 'a'.repeat(29)],
  ]
  test.each(evil)('%s answers 60,000 characters within a fifth of a second', (source, text) => {
    const regex = compileRegex(source)
    expect(cpuMs(() => expect(regex.test(text)).toBe(false))).toBeLessThan(200)
  })
})

describe('syntax of Go', () => {
  test.each([
    ['(?i)straSSe', 'STRASSE', true],
    ['(?i)k', '\u212a', true],
    ['(?P<year>[0-9]{4})', '2024', true],
    ['\\Aab\\z', 'ab', true],
    ['\\Aab\\z', 'abc', false],
    ['^[[:alpha:]_]+$', 'ab_c', true],
    ['^[[:^alpha:]]+$', 'abc', false],
    ['\\Qa.b\\E+', 'a.bb', true],
    ['\\Qa.b\\E', 'axb', false],
    ['^\\s$', '\v', false],
    ['^\\x{1F600}$', '\u{1f600}', true],
    ['^.$', '\u{1f600}', true],
    ['a{,2}', 'a{,2}', true],
    ['^a(?s:.)b$', 'a\nb', true],
    ['^a.b$', 'a\nb', false],
    ['(?U)a+', 'aa', true],
    ['(?m)^b$', 'a\nb', true],
    ['^[]a]$', ']', true],
    ['^\\101$', 'A', true],
    ['^[^/]+$', 'é', true],
    ['x$', 'x\n', false],
  ])('%s on %j is %s', (source, text, expected) => {
    expect(compileRegex(source).test(text)).toBe(expected)
  })

  test.each([
    '(?=a)',
    '(?!a)',
    '(?<=a)b',
    '(?<!a)b',
    '(a)\\1',
    'a**',
    '*a',
    '(a',
    'a)',
    '[a',
    '[z-a]',
    '[[:nope:]]',
    'a{1001}',
    'a{2,1}',
    '\\y',
    '\\',
    '(?P<a>x)(?P<a>y)',
    '(?z)a',
    '\\p{Nope}',
    '(?>a)',
  ])('%s is refused', (source) => {
    expect(() => compileRegex(source)).toThrow(RegexError)
  })

  test('an expression nested a thousand times is refused, not a full stack', () => {
    expect(() => compileRegex('('.repeat(4_000) + ')'.repeat(4_000))).toThrow(RegexError)
  })
})

test('the literal prefix is what every match must begin with', () => {
  expect(literalPrefixOf('^/api/v[0-9]+')).toBe('/api/v')
  expect(literalPrefixOf('^/api/v?')).toBe('/api/')
  expect(literalPrefixOf('/api')).toBe('')
  expect(literalPrefixOf('(?i)^/api')).toBe('/')
  expect(literalPrefixOf('^/a|^/b')).toBe('')
  expect(literalPrefixOf('(?m)^/a')).toBe('')
  expect(literalPrefixOf('^\\Q/a.b\\E/')).toBe('/a.b/')
})

// Expressions made of everything the tree knows; both engines must agree on every text.
const atom = fc.constantFrom('a', 'b', '/', '.', '[ab]', '[^/]', '\\d', '\\.', '^', '$', '\\b', 'é')
const piece = fc.oneof(
  atom,
  fc.tuple(atom, fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '*?')).map((t) => t.join('')),
)
const sequence = fc.array(piece, { minLength: 1, maxLength: 5 }).map((p) => p.join(''))
const expression = fc.oneof(
  sequence,
  fc.tuple(sequence, sequence).map(([a, b]) => `(?:${a}|${b})`),
  fc.tuple(sequence, sequence, sequence).map(([a, b, c]) => `${a}(${b})?${c}`),
  sequence.map((a) => `(?i)${a}`),
  sequence.map((a) => `^${a}`),
)
const text = fc
  .array(fc.constantFrom('a', 'b', 'A', '/', '.', '1', '\n', 'é', '\u{1f600}'), { maxLength: 8 })
  .map((t) => t.join(''))

test('V8 and the linear engine find the same first match in 20,000 random pairs', () => {
  const seed = Date.now() & 0x7fffffff
  console.info(`seed ${seed}`)
  let onV8 = 0
  fc.assert(
    fc.property(expression, text, (source, input) => {
      const regex = compileRegex(source)
      if (regex.engine === 'v8') onV8++
      const matcher = RE2JS.compile(source).matcher(input)
      const expected = matcher.find() ? matcher.group(0) : null
      expect(regex.exec(input)?.[0] ?? null).toBe(expected)
      expect(regex.test(input)).toBe(expected !== null)
    }),
    { seed, numRuns: 20_000 },
  )
  expect(onV8).toBeGreaterThan(5_000)
})
