// docs/internals/tls-audit.md: every test that it names is where it says, and every section has one or says why not.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'docs/internals/tls-audit.md'), 'utf8')
const sections = page.split(/^## /m).slice(1)

test('every section names tests, or says that it does not apply', () => {
  expect(sections.length).toBeGreaterThan(10)
  for (const section of sections)
    expect(/^- `[^`]+`: \S/m.test(section) || section.includes('\nDoes not apply: '), section).toBe(
      true,
    )
})

// A name of a table of cases stands in the source as it stands on the page.
test('every test that is named exists', () => {
  const named = [...page.matchAll(/^- `([^`]+)`: (.+)$/gm)]
  expect(named.length).toBeGreaterThan(50)
  const lost = named.filter(([, file = '', name = '']) => {
    const source = readFileSync(join(root, file), 'utf8')
    return !source.includes(name)
  })
  expect(lost.map(([line]) => line)).toEqual([])
})
