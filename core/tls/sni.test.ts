import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NameTable } from './sni.ts'

function tableOf(names: readonly string[]): NameTable<string> {
  const table = new NameTable<string>()
  for (const name of names) expect(table.set(name, name)).toBe(true)
  return table
}

describe('a table of names', () => {
  const table = tableOf(['example.org', '*.Example.org', 'www.example.org.', '*.deep.example.org'])

  test.each([
    ['example.org', 'example.org'],
    ['EXAMPLE.ORG', 'example.org'],
    ['example.org.', 'example.org'],
    ['www.example.org', 'www.example.org.'],
    ['shop.example.org', '*.Example.org'],
    ['SHOP.example.ORG.', '*.Example.org'],
    ['a.deep.example.org', '*.deep.example.org'],
    ['deep.example.org', '*.Example.org'],
    ['a.b.example.org', null],
    ['org', null],
    ['', null],
    ['.', null],
    ['.example.org', null],
    ['*.example.org', null],
    ['shop.example.org..', null],
    ['shop.example.org\0', null],
    ['shop\0.example.org', null],
    ['\0.example.org', null],
    ['example.org\0.evil.net', null],
    ['ſhop.example.org', null],
    ['exam\u212ale.org', null],
  ])('gives %j the entry %j', (name, entry) => {
    expect(table.lookup(name)).toBe(entry)
  })

  test.each(['', '*', '*.', '.', 'a..b', 'a b', 'a\0', '*.*.org', 'a.*.org', '*a.org', 'ä.org'])(
    'refuses %j as an entry',
    (name) => {
      const empty = new NameTable<number>()
      expect(empty.set(name, 1)).toBe(false)
      expect(empty.size).toBe(0)
    },
  )

  test('tells what one entry holds, the wildcard apart from the names that it stands for', () => {
    expect(table.get('*.example.ORG')).toBe('*.Example.org')
    expect(table.get('shop.example.org')).toBe(null)
  })

  test('agrees with a scan over its entries', () => {
    const label = fc.constantFrom('a', 'b', 'www', 'example', 'org')
    const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'))
    const entry = fc.tuple(fc.boolean(), name).map(([wild, n]) => (wild ? `*.${n}` : n))
    const property = fc.property(fc.array(entry), name, (entries, asked) => {
      const parent = '*.' + asked.split('.').slice(1).join('.')
      const expected = entries.includes(asked) ? asked : entries.includes(parent) ? parent : null
      expect(tableOf(entries).lookup(asked)).toBe(expected)
    })
    fc.assert(property, { numRuns: 500 })
  })
})
