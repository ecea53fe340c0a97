// Merge and compile beyond the golden pairs: several providers and files, sizes, and that nothing throws.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { testFacts } from '../test/support/facts.ts'
import { compile, type Compiled } from './compile.ts'
import { formatProblem, parseLocated, type Located } from './located.ts'
import { problemsMax } from './problem.ts'

function compiled(documents: Record<string, readonly Located[]>): Compiled {
  return compile(new Map(Object.entries(documents)), testFacts(), 1)
}

const router = (name: string, service: string, more = ''): string =>
  `http:\n  routers:\n    ${name}: {rule: Path(\`/${name}\`), service: ${service}${more}}\n`

const service = (name: string): string =>
  `http:\n  services:\n    ${name}: {loadBalancer: {servers: [{url: "http://127.0.0.1:1"}]}}\n`

test('A name without provider is looked up in its own provider, and one with in that', () => {
  const { generation, problems } = compiled({
    file: [parseLocated(router('a', 'app') + '', 'a.yml'), parseLocated(service('app'), 'b.yml')],
    http: [
      parseLocated(router('a', 'app@file'), 'c.yml'),
      parseLocated(router('b', 'app'), 'd.yml'),
    ],
  })
  expect(generation.routers.get('a@file')?.service).toBe('app@file')
  expect(generation.routers.get('a@http')).toMatchObject({ service: 'app@file', rank: 2 })
  expect(generation.routers.has('b@http')).toBe(false)
  expect(problems.map(formatProblem)).toEqual([
    'd.yml:3:27: b@http: the service app@http does not exist (did you mean "app@file"?)',
  ])
})

test('A name that one provider defines in two files is refused in both', () => {
  const { generation, problems, status } = compiled({
    file: [
      parseLocated(router('a', 'noop@internal'), 'a.yml'),
      parseLocated(`\n${router('a', 'noop@internal')}`, 'b.yml'),
    ],
  })
  expect([...generation.routers.keys()]).toEqual([])
  expect(problems.map(formatProblem)).toEqual([
    'a.yml:3:5: router a@file is configured more than once: also at b.yml:4:5',
    'b.yml:4:5: router a@file is configured more than once: also at a.yml:3:5',
  ])
  expect(status.routers.get('a@file')?.status).toBe('disabled')
})

test('Default TLS options that two providers define are reported', () => {
  const text = 'tls:\n  options:\n    default: {sniStrict: true}\n'
  const { problems } = compiled({
    file: [parseLocated(text, 'a.yml')],
    http: [parseLocated(text, 'b.yml')],
  })
  expect(problems.map((problem) => problem.code)).toContain('CONFIG_DUPLICATE')
})

test('The API never shows credentials', () => {
  const text =
    'http:\n  middlewares:\n    a: {basicAuth: {users: ["admin:hash-of-secret"]}}\n' +
    '    p: {plugin: {x: {token: plugin-secret}}}\n' +
    '    h: {headers: {customRequestHeaders: {Authorization: "Bearer header-secret"}}}\n' +
    '  services:\n    s: {loadBalancer: {servers: [{url: "http://u:url-secret@a"}]}}\n'
  const { status, problems } = compiled({ file: [parseLocated(text, 'a.yml')] })
  const shown =
    JSON.stringify([...status.middlewares, ...status.services]) + JSON.stringify(problems)
  expect(shown).not.toMatch(/secret/)
  expect(shown).toContain('customRequestHeaders')
})

test('Routers name what uses a service and a middleware', () => {
  const text =
    `${router('a', 'app', ', middlewares: [m]')}  middlewares:\n    m: {addPrefix: {prefix: /x}}\n` +
    '  services:\n    app: {loadBalancer: {servers: []}}\n'
  const { status } = compiled({ file: [parseLocated(text, 'a.yml')] })
  expect(status.services.get('app@file')).toMatchObject({ status: 'enabled', usedBy: ['a@file'] })
  expect(status.middlewares.get('m@file')?.usedBy).toEqual(['a@file'])
  expect(status.routers.get('a@file')?.using).toEqual(['web', 'websecure'])
})

test('Chains that double at each step are refused, not written out', () => {
  const levels = Array.from({ length: 60 }, (_, at) => {
    return `    c${at}: {chain: {middlewares: [c${at + 1}, c${at + 1}]}}\n`
  })
  const text = `http:\n  middlewares:\n${levels.join('')}    c60: {addPrefix: {prefix: /x}}\n`
  const { problems } = compiled({ file: [parseLocated(text, 'a.yml')] })
  expect(problems.some((problem) => problem.message.includes('more than 1000'))).toBe(true)
})

test('A chain of 5,000 services is refused without exhausting the stack', () => {
  const all = Array.from({ length: 5000 }, (_, at) => {
    return `    s${at}: {weighted: {services: [{name: s${at + 1}}]}}\n`
  })
  const text = `http:\n  services:\n${all.join('')}    s5000: {loadBalancer: {servers: []}}\n`
  const { generation, problems } = compiled({ file: [parseLocated(text, 'a.yml')] })
  expect(generation.services.has('s5000@file')).toBe(true)
  expect(problems.some((problem) => problem.message.includes('nested deeper'))).toBe(true)
})

const big = (count: number, name: string): Located => {
  const lines = ['http:', '  routers:']
  for (let at = 0; at < count; at++) {
    lines.push(
      `    r${at}: {rule: 'Host(\`h${at}.example\`) && PathPrefix(\`/api/${at}\`)', service: s${at}, middlewares: [m]}`,
    )
  }
  lines.push('  middlewares:', '    m: {stripPrefix: {prefixes: [/api]}}', '  services:')
  for (let at = 0; at < count; at++) {
    lines.push(
      `    s${at}: {loadBalancer: {servers: [{url: 'http://10.0.${at >> 8}.${at & 255}:80'}]}}`,
    )
  }
  return parseLocated(lines.join('\n'), name)
}

// A ratio of the same run: the machine may be as slow as it likes.
test('10,000 routers whose document did not change compile in a fraction of the time of the first', () => {
  const time = (run: () => void): number => {
    const started = performance.now()
    run()
    return performance.now() - started
  }
  const firsts: number[] = []
  const agains: number[] = []
  for (let run = 0; run < 2; run++) {
    const doc = big(10_000, `big-${run}.yml`)
    firsts.push(time(() => expect(compiled({ file: [doc] }).generation.routers.size).toBe(10_000)))
    for (let again = 0; again < 2; again++) agains.push(time(() => compiled({ file: [doc] })))
  }
  const ratio = Math.min(...agains) / Math.min(...firsts)
  console.info(`10,000 routers once more: ${ratio.toFixed(2)} of the first time`)
  expect(ratio).toBeLessThan(0.7)
})

test('10,000 broken references are reported within the bound', () => {
  const text = Array.from(
    { length: 10_000 },
    (_, at) => `    r${at}: {rule: Path(\`/\`), service: s}\n`,
  )
  const { problems } = compiled({
    file: [parseLocated(`http:\n  routers:\n${text.join('')}`, 'a.yml')],
  })
  expect(problems).toHaveLength(problemsMax)
})

// Keys that mean something, holding anything: most documents get past the first check this way.
const words =
  'http routers services middlewares serversTransports a b rule service loadBalancer weighted ' +
  'servers url chain errors headers parentRefs tls'
const key = fc.constantFrom(...words.split(' '))
const { tree } = fc.letrec((tie) => ({
  leaf: fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constant(null), key),
  tree: fc.oneof(
    { maxDepth: 6 },
    tie('leaf'),
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(key, tie('tree'), { maxKeys: 4 }),
  ),
}))

test('No document makes the compiler throw', () => {
  const object = fc.dictionary(fc.constantFrom('a', 'b', 'x@y', ''), tree)
  const sections = fc.dictionary(key, object)
  fc.assert(
    fc.property(
      fc.oneof(tree, fc.record({ http: sections }), fc.record({ tls: tree })),
      (value) => {
        const doc: Located = { value, file: 'f.yml', locate: () => ({ line: 1, column: 1 }) }
        const { generation } = compiled({ file: [doc] })
        for (const plan of generation.routers.values()) {
          expect(plan.service === '' || generation.services.has(plan.service)).toBe(true)
          for (const name of plan.middlewares) expect(generation.middlewares.has(name)).toBe(true)
        }
        structuredClone(generation)
      },
    ),
    { numRuns: 3000 },
  )
})
