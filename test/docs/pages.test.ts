// Every YAML example in the pages directly below docs/ is read as a user would have it read: install configuration
// by loadStatic, routing configuration by compile. None may have a problem.

import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compile } from '../../config/compile.ts'
import { parseLocated } from '../../config/located.ts'
import { loadStatic } from '../../config/sources.ts'
import { testFacts } from '../support/facts.ts'

const folder = join(import.meta.dirname, '../../docs')
const pages = readdirSync(folder).filter((name) => name.endsWith('.md'))

interface Example {
  readonly page: string
  readonly line: number
  readonly text: string
}

function examplesOf(page: string): Example[] {
  const text = readFileSync(join(folder, page), 'utf8')
  return [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map((match) => ({
    page,
    line: text.slice(0, match.index).split('\n').length + 1,
    text: match[1]!,
  }))
}

const examples = pages.flatMap(examplesOf)

// A page about one block shows that block only; the entry points that it speaks of are understood.
const understood = '\nentryPoints:\n  web:\n    address: ":8000"\n  admin:\n    address: ":8080"\n'

function isRouting(text: string): boolean {
  return /^http:/m.test(text)
}

const routing = examples.filter(({ text }) => isRouting(text))
const install = examples.filter(({ text }) => !isRouting(text))

test('Pages have examples of both kinds of configuration', () => {
  expect(routing.length).toBeGreaterThan(1)
  expect(install.length).toBeGreaterThan(3)
})

describe.each(install)('$page:$line', ({ text }) => {
  test('The gateway starts with it and has nothing to say', () => {
    const whole = /^entryPoints:/m.test(text) ? text : text + understood
    const readFile = (path: string) => (path === '/docs/sluice.yml' ? whole : null)
    const argv = ['--configFile=/docs/sluice.yml']
    const { problems } = loadStatic({ argv, env: {}, cwd: '/docs', readFile, cores: 2 })
    expect(problems).toEqual([])
  })
})

describe.each(routing)('$page:$line', ({ page, text }) => {
  test('It compiles without a problem, every router of it', () => {
    const doc = parseLocated(text, page)
    const { generation, problems } = compile(new Map([['file', [doc]]]), testFacts(), 1)
    expect(problems).toEqual([])
    const { routers } = (doc.value as { http: { routers?: object } }).http
    for (const name of Object.keys(routers ?? {})) {
      expect(generation.routers.has(`${name}@file`), name).toBe(true)
    }
  })
})
