// What is replaced in paths and URLs is what Go replaces, and takes a bounded time or is refused.

import { describe, expect, test } from 'vitest'
import { compileRegex } from '../regex.ts'
import { UrlReplacing } from './url-replacing.ts'

test.each([
  ['^/api/(.*)$', '/api/x/y', '/v2/$1', '/v2/x/y'],
  ['^/(?P<a>[a-z]+)/(?P<b>[a-z]+)', '/x/y', '/${b}/${a}', '/y/x'],
  ['(x)', 'x', '$1y', ''],
  ['(x)', 'x', '${1}y$$', 'xy$'],
  ['a*', 'baaac', 'x', 'xbxcx'],
  ['(x+x+)+y', 'xxxyz', '[$1]', '[xxx]z'],
  ['b', 'abc', '$9', 'ac'],
  ['/index\\.php(/.*\\.html)?', '/index.php/a.html', '/x$1', '/x/a.html'],
  ['\\B', 'a\u{1f600}\u{1f600}', '-', 'a\u{1f600}-\u{1f600}-'],
  ['^a', 'aaa', '-', '-aa'],
  ['^(a|aa)+', 'aaab', '-', '-b'],
])('%s in %s becomes, by %s, %s', (source, text, replacement, expected) => {
  expect(new UrlReplacing(source, replacement).replace(text)).toBe(expected)
})

describe('a text that takes too much', () => {
  const evil: [string, string, string][] = [
    ['/index\\.php(/.*\\.html)?', '/index.php', 're2'],
    ['/p(/.*\\.html)?', '/p', 're2'],
    ['a.*b|a', 'a', 're2'],
    ['[ab]', 'ab', 'v8'],
  ]
  test.each(evil)('is not replaced at all: %s in 60,000 of %s', (source, unit, engine) => {
    expect(compileRegex(source).engine).toBe(engine)
    const replacing = new UrlReplacing(source, '/x')
    const before = process.cpuUsage()
    expect(replacing.replace(unit.repeat(60_000 / unit.length))).toBe(null)
    const { user } = process.cpuUsage(before)
    expect(user).toBeLessThan(1_000_000) // it was a minute
  })

  test('is still told from one that does not', () => {
    const replacing = new UrlReplacing('/index\\.php(/.*\\.html)?', '/x')
    for (let i = 0; i < 20; i++) expect(replacing.replace('/index.php'.repeat(3_000))).toBe(null)
    expect(replacing.replace('/index.php/index.php')).toBe('/x/x')
  })

  test('is none whose expression has many states, which are made once', () => {
    const replacing = new UrlReplacing('(.{1,255})/old', '$1')
    for (let i = 0; i < 20; i++)
      expect(replacing.replace('/abc'.repeat(i + 80) + '/old')).toBe('/abc'.repeat(i + 80))
  })

  test.each([
    ['^(.*)/(.*)/x', '/ab/x', '$1/$2'],
    ['([^/]+)[./]([^/]+)', 'abc/def.', '$2-$1'],
    ['(.*)', 'a', '/v2$1'],
  ])('is none of 16 KB: %s in many of %s', (source, unit, replacement) => {
    const text = unit.repeat(16_384 / unit.length)
    expect(new UrlReplacing(source, replacement).replace(text)).not.toBe(null)
  })

  test('is one that would become much longer', () => {
    for (const source of ['a', 'a|\\B'])
      expect(new UrlReplacing(source, 'b'.repeat(1_000)).replace('a'.repeat(100))).toBe(null)
  })
})
