// Every YAML example in docs/middlewares compiles without a complaint, and its middlewares can be built.

import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compile } from '../../config/compile.ts'
import { middlewareSchema } from '../../config/dynamic/middlewares.ts'
import { parseLocated } from '../../config/located.ts'
import { shapeOf } from '../../config/shape.ts'
import { buildMiddleware, middlewareKinds } from '../../core/middleware/build.ts'
import { contextOf } from '../../core/middleware/exchange.fixture.ts'
import { testFacts } from '../support/facts.ts'

const folder = join(import.meta.dirname, '../../docs/middlewares')
const pages = readdirSync(folder).filter((name) => name !== 'README.md')

function readPage(name: string): { text: string; kind: string; examples: string[] } {
  const text = readFileSync(join(folder, name), 'utf8')
  const examples = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map((match) => match[1]!)
  return { text, kind: /^# (\w+)$/m.exec(text)?.[1] ?? '', examples }
}

function compiled(example: string, page: string) {
  return compile(new Map([['file', [parseLocated(example, page)]]]), testFacts(), 1)
}

test('Every kind of middleware that can be built has a page', () => {
  const kinds = pages.map((name) => readPage(name).kind)
  const expected = [...middlewareKinds.filter((kind) => kind !== 'ipWhiteList'), 'chain']
  expect(kinds.toSorted()).toEqual(expected.toSorted())
})

test('The overview links to every page', () => {
  const overview = readFileSync(join(folder, 'README.md'), 'utf8')
  for (const name of pages) expect(overview).toContain(`](${name})`)
})

describe.each(pages)('%s', (name) => {
  const page = readPage(name)

  test('Its examples compile without a problem and make a router that runs', () => {
    expect(page.examples.length).toBeGreaterThan(0)
    for (const example of page.examples) {
      const { generation, problems } = compiled(example, name)
      expect(problems).toEqual([])
      const router = generation.routers.get('shop@file')
      expect(router?.middlewares.length).toBeGreaterThan(0)
      for (const middleware of router!.middlewares) {
        const plan = generation.middlewares.get(middleware)!
        expect(buildMiddleware(plan, contextOf()).kind).toBe(plan.kind)
      }
    }
  })

  test('Its table names every option there is', () => {
    const { names } = shapeOf(middlewareSchema).keys!.get(page.kind.toLowerCase())!.shape
    const own = names.filter((option) => !isWithoutEffect(page.kind, option))
    expect(own.length).toBeGreaterThan(0)
    for (const option of own) expect(page.text).toContain(`| \`${option}\` |`)
  })
})

// Noted as such in docs/compatibility.md.
function isWithoutEffect(kind: string, option: string): boolean {
  const { keys } = shapeOf(middlewareSchema).keys!.get(kind.toLowerCase())!.shape
  return /deprecated/.test(keys!.get(option.toLowerCase())!.shape.meta.note ?? '')
}
