// Every YAML example in the pages directly below docs/ is read as a user would have it read: install configuration
// by loadStatic, routing configuration by compile. None may have a problem.

import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { compile } from '../../config/compile.ts'
import { parseLocated } from '../../config/located.ts'
import { loadStatic } from '../../config/sources.ts'
import type { NamedFiles } from '../../config/named-files.ts'
import { TestAuthority, certificatePlan } from '../support/certificates.ts'
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

// Files that a page names are there, and hold what they should.
const authority = new TestAuthority()
afterAll(() => authority.remove())
const leaf = authority.issue('docs.example')
const understoodFiles: NamedFiles = {
  read: (path) => ({ text: path.endsWith('.crt') ? authority.root.certPem : '', fault: '' }),
  pair: () => ({ plan: certificatePlan(leaf), fault: '' }),
}

function isRouting(text: string): boolean {
  return /^(?:http|tcp|udp|tls):/m.test(text)
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
    const supply = { files: understoodFiles, issued: [], challenges: [], spiffe: null }
    const { generation, problems } = compile(new Map([['file', [doc]]]), testFacts(), 1, supply)
    expect(problems).toEqual([])
    const { http, tcp, udp } = doc.value as Record<string, { routers?: object } | undefined>
    const { routers, tcpRouters, udpRouters } = generation
    for (const [section, plans] of [
      [http, routers],
      [tcp, tcpRouters],
      [udp, udpRouters],
    ] as const) {
      for (const name of Object.keys(section?.routers ?? {})) {
        expect(plans.has(`${name}@file`), name).toBe(true)
      }
    }
  })
})
