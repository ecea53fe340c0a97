// The rules that ARCHITECTURE.md and CONTRIBUTING.md promise, kept by reading the source.

import { describe, expect, test } from 'vitest'
import { type Import, importsOf, isThere, reachedFrom, refusalOf } from './imports.ts'
import {
  bannedWords,
  fileLength,
  functionLength,
  leaksOf,
  longFiles,
  opening,
  timerTimes,
} from './rules.ts'
import { allSources, blanked, filesBelow, isTestFile, readText, sourceOf } from './source.ts'

const sources = allSources()
const imports: Import[] = sources.flatMap(importsOf)

// Started by people, make or the bench, not imported by anything.
const entries = new Map([
  ['main.ts', 'the program'],
  ['config/compat.ts', 'make docs'],
  ['vitest.config.ts', 'the test runner'],
  ['core/route/matcher.bench.ts', 'run by hand, as its opening says'],
])

test('Every import is allowed by the table of imports', () => {
  expect(imports.map(refusalOf).filter((sentence) => sentence !== null)).toEqual([])
})

test('Every import of a file finds it', () => {
  const broken = imports.filter(({ to }) => to.endsWith('.ts') && !isThere(to))
  expect(broken).toEqual([])
})

test('No file is longer than 400 lines unless the list says why', () => {
  expect(sources.flatMap(fileLength)).toEqual([])
  expect([...longFiles.keys()].filter((path) => !isThere(path))).toEqual([])
})

test('No function is longer than 70 lines unless a comment says why', () => {
  expect(sources.flatMap(functionLength)).toEqual([])
})

test('Every file opens with a comment that says what it is', () => {
  expect(sources.flatMap(opening)).toEqual([])
})

test('Hot files and core hold no word that costs or surprises there', () => {
  expect(sources.flatMap(bannedWords)).toEqual([])
})

test('Every timer waits for a constant, or for what timerMs() allows', () => {
  expect(sources.flatMap(timerTimes)).toEqual([])
})

test('Every file of the program is reached from main.ts', () => {
  const reached = reachedFrom(['main.ts'], imports)
  const dead = sources
    .map(({ path }) => path)
    .filter((path) => /^(?:core|workers|gates|config|admin|certificates|cli)\//.test(path))
    .filter((path) => !isTestFile(path) && !reached.has(path) && !entries.has(path))
  // Written for tests and benches alone, and kept beside what they speak of.
  const kept = ['core/route/reference.ts', 'core/route/samples.ts']
  expect(dead.filter((path) => !kept.includes(path))).toEqual([])
})

test('Every file of tests and benches is a test, or is used by one, or is started by name', () => {
  const used = new Set(imports.map(({ to }) => to))
  const started = readText('Makefile') + sources.map(({ text }) => text).join('\n')
  const dead = sources
    .map(({ path }) => path)
    .filter((path) => isTestFile(path) || path.startsWith('bench/'))
    .filter((path) => !path.endsWith('.test.ts') && !used.has(path) && !entries.has(path))
    .filter((path) => !startedByName(path, started))
  expect(dead).toEqual([])
})

// Named with quotes in code, or as an argument in the Makefile; its own opening comment does not count.
function startedByName(path: string, text: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return new RegExp(`['/ ]${name.replaceAll('.', '\\.')}['\\s]`).test(
    text.replaceAll(`// ${path}`, ''),
  )
}

test('No file holds a path of a machine, the host of a registry or a secret', () => {
  const read = filesBelow().filter((path) => !/\.(?:svg|png|ico|woff2?)$|^LICENSE$/.test(path))
  expect(read.flatMap((path) => leaksOf(path, readText(path)))).toEqual([])
})

// What the rules themselves promise: a rule that finds nothing proves nothing until it was seen to find.
describe('The rules', () => {
  test('Words in comments, strings, templates and expressions are not code', () => {
    const text = [
      "const a = 'async ' // async",
      'const b = `async ${async} async`',
      "const c = /'async/.test(async)",
      '/* async */ async',
    ].join('\n')
    const code = blanked(text)
    expect(code.length).toBe(text.length)
    expect(code.split('async')).toHaveLength(4)
  })

  test('An import that the table does not list is refused, whatever its form', () => {
    const forms = [
      "import net from 'node:net'",
      "export { x } from '../config/schema.ts'",
      "import {\n  a,\n} from '../workers/socket.ts'",
      "const m = await import('zod')",
      "const w = new URL('../workers/worker.ts', import.meta.url)",
      "const c = createRequire(import.meta.url)('autocannon')",
    ]
    for (const form of forms) {
      const found = importsOf(sourceOf('core/x.ts', form))
      expect(found).toHaveLength(1)
      expect(found.map(refusalOf)[0]).toContain('core/ may import')
    }
    expect(importsOf(sourceOf('core/x.ts', "import './limits.ts'")).map(refusalOf)).toEqual([null])
    const gate: Import = { from: 'gates/ai/x.ts', to: 'gates/mcp/y.ts', line: 1 }
    expect(refusalOf(gate)).toContain('gates/ai/ may import')
    expect(refusalOf({ from: 'cli/x.ts', to: 'test/support/wait.ts', line: 1 })).not.toBeNull()
    expect(refusalOf({ from: 'bench/x.ts', to: 'main.ts', line: 1 })).not.toBeNull()
  })

  test('A long file and a long function are found, and a comment excuses the function', () => {
    const body = '  one()\n'.repeat(70)
    const long = sourceOf('core/x.ts', `function a(\n  b: number,\n): void {\n${body}}\n`)
    expect(functionLength(long)).toHaveLength(1)
    const method = sourceOf('core/x.ts', `class A {\n  run(): void {\n  ${body}  }\n}\n`)
    expect(functionLength(method)).toHaveLength(1)
    const excused = sourceOf('core/x.ts', `// tidy: a table\nfunction a(): void {\n${body}}\n`)
    expect(functionLength(excused)).toEqual([])
    expect(fileLength(sourceOf('core/x.ts', 'a\n'.repeat(401)))).toHaveLength(1)
    expect(fileLength(sourceOf('core/x.ts', 'a\n'.repeat(400)))).toEqual([])
  })

  test('A banned word is found in a hot file, and only there', () => {
    const words = ['async function', 'new Promise(', 'Date.now()', 'JSON.parse(', 'Buffer.concat(']
    for (const word of [...words, 'f.bind(', 'delete a.b']) {
      const hot = sourceOf('workers/x.ts', `// x\n// Hot:    yes.\n\n${word}\n`)
      expect(bannedWords(hot), word).toHaveLength(1)
      expect(bannedWords(sourceOf('workers/x.ts', `// x. Hot: no.\n\n${word}\n`)), word).toEqual([])
      const excused = sourceOf('workers/x.ts', `// Hot: yes\n\n${word} // tidy: because\n`)
      expect(bannedWords(excused), word).toEqual([])
    }
    expect(bannedWords(sourceOf('core/x.ts', 'const now = new Date()'))).toHaveLength(1)
  })

  test('A timer is found that waits for whatever it is given', () => {
    const found = (call: string) => timerTimes(sourceOf('workers/x.ts', `${call}\n`)).length
    const long = 'setTimeout(() => {\n  a(b, [c, d])\n}, '
    for (const time of ['ms', 'plan.graceMs', 'Math.max(1, ms)', 'A ? B : c', 'A_MS + more'])
      expect([found(`setInterval(tick, ${time})`), found(`${long}${time})`)], time).toEqual([1, 1])
    for (const time of [
      'A_MS',
      'A_MS + 2 * B_MS',
      '1000',
      'timerMs(Math.max(1, ms))',
      'A_MS, this',
    ])
      expect([found(`setInterval(tick, ${time})`), found(`${long}${time})`)], time).toEqual([0, 0])
    expect(found('socket.setTimeout(ms, end)')).toBe(0)
  })

  test('A leak is found', () => {
    const slash = '/'
    for (const line of [
      `cd ${slash}work/main`,
      `'${slash}tmp/x.sock'`,
      `https:${slash}/registry.${'npmjs'}.org`,
      `-----BEGIN ${'PRIVATE'} KEY-----`,
      `AKIA${'ABCDEFGHIJ234567'}`,
    ]) {
      expect(leaksOf('x', line), line).toHaveLength(1)
    }
    expect(leaksOf('x', "import { a } from '../workers/worker.ts'")).toEqual([])
  })
})
