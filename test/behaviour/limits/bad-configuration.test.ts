// No configuration file crashes the compiler, and none takes it for ever. The seed of a failure is printed.

import { expect, test } from 'vitest'
import { compile } from '../../../config/compile.ts'
import { ConfigError, parseLocated } from '../../../config/located.ts'
import { testFacts } from '../../support/facts.ts'

const FILES = 10_000
const COMPILE_MS_MAX = 250

const sample = `http:
  routers:
    plain: { rule: "Path(\`/plain\`)", service: plain }
    shop:
      rule: Host(\`shop.test\`) && (PathPrefix(\`/a\`) || PathRegexp(\`^/b[0-9]+$\`))
      entryPoints: [web]
      priority: 12
      middlewares: [strip, limit]
      service: shop
    child:
      rule: "!Method(\`POST\`)"
      parentRefs: [parent]
      service: both
    parent:
      rule: HostRegexp(\`^.+\\\\.test$\`)
  middlewares:
    strip: { stripPrefix: { prefixes: [/a, /b] } }
    limit: { inFlightReq: { amount: 10, sourceCriterion: { ipStrategy: { depth: 1 } } } }
    chain: { chain: { middlewares: [strip, chain] } }
    pages: { errors: { status: ["500-599"], service: shop, query: "/{status}.html" } }
  services:
    plain: { loadBalancer: { servers: [{ url: "http://10.0.0.9" }] } }
    shop:
      loadBalancer:
        servers: [{ url: "http://10.0.0.1:80", weight: 2 }, { url: "http://10.0.0.2:80" }]
        serversTransport: slow
    both:
      weighted: { services: [{ name: shop, weight: 3 }, { name: both, weight: 1 }] }
  serversTransports:
    slow: { forwardingTimeouts: { dialTimeout: 3s } }
`

const pieces = [
  '\\x00',
  '\\xff',
  '{',
  '}',
  '[',
  ']',
  ':',
  '- ',
  '&a ',
  '*a',
  '<<: *a',
  '!!js/function x',
  '|',
  '>',
  '"',
  "'",
  '\\t',
  '\\n',
  '`',
  '(',
  ')',
  '&&',
  '||',
  '!',
  '-1',
  '1e309',
  '0x7fffffffffffffff',
  '.nan',
  'null',
  'true',
  '~',
  '{{ env "HOME" }}',
  '%',
  '#',
  '__proto__',
  'constructor',
  '...',
  '---',
  '@file',
].map((text) =>
  text
    .replaceAll('\\x00', '\0')
    .replaceAll('\\xff', '\xff')
    .replaceAll('\\t', '\t')
    .replaceAll('\\n', '\n'),
)

// xorshift32: the same files for the same seed everywhere.
class Random {
  private state: number

  constructor(seed: number) {
    this.state = seed
  }

  below(limit: number): number {
    this.state ^= this.state << 13
    this.state ^= this.state >>> 17
    this.state ^= this.state << 5
    return (this.state >>> 0) % limit
  }
}

function mutate(text: string, random: Random): string {
  let mutant = text
  for (let count = 1 + random.below(3); count > 0; count--) {
    const at = random.below(mutant.length + 1)
    const length = random.below(40)
    const kind = random.below(10)
    const rest = mutant.slice(at + length)
    if (kind === 0)
      mutant = mutant.slice(0, at) + pieces[random.below(pieces.length)]! + mutant.slice(at)
    else if (kind === 1) mutant = mutant.slice(0, at) + rest
    else if (kind === 2) mutant = mutant.slice(0, at) + pieces[random.below(pieces.length)]! + rest
    else if (kind === 3)
      mutant = mutant.slice(0, at) + mutant.slice(at, at + length).repeat(2) + rest
    else if (kind === 4) mutant = swapLines(mutant, random)
    else mutant = swapWord(mutant, random)
  }
  return mutant
}

// A word takes the place of another one: the file stays well-formed, and what it says becomes strange.
function swapWord(text: string, random: Random): string {
  const words = text.match(/[\w.]+/g) ?? ['']
  const by =
    random.below(4) === 0
      ? pieces[random.below(pieces.length)]!
      : words[random.below(words.length)]!
  let left = random.below(words.length)
  return text.replace(/[\w.]+/g, (word) => (left-- === 0 ? by : word))
}

function swapLines(text: string, random: Random): string {
  const lines = text.split('\n')
  const one = random.below(lines.length)
  const other = random.below(lines.length)
  const line = lines[one]!
  lines[one] = lines[other]!
  lines[other] = line
  return lines.join('\n')
}

// What becomes of one file.
function outcomeOf(
  text: string,
  facts: ReturnType<typeof testFacts>,
): 'refused' | 'empty' | 'routes' {
  try {
    const document = parseLocated(text, 'routes.yml')
    const { generation } = compile(new Map([['file', [document]]]), facts, 1)
    structuredClone(generation) // it has to travel to the workers
    return generation.routers.size > 0 ? 'routes' : 'empty'
  } catch (fault) {
    if (!(fault instanceof ConfigError)) throw fault
    expect(fault.problems.length).toBeGreaterThan(0)
    return 'refused'
  }
}

// The fastest of three where the first is too slow: another process may have had the core meanwhile.
function fastest(run: () => void): number {
  let ms = Infinity
  for (let i = 0; i < 3 && ms > COMPILE_MS_MAX; i++) {
    const from = performance.now()
    run()
    ms = Math.min(ms, performance.now() - from)
  }
  return ms
}

test(`${FILES} mutated files are compiled or refused, each within ${COMPILE_MS_MAX} ms`, () => {
  const facts = testFacts()
  const seed = 20_261_120
  const random = new Random(seed)
  const counts = { refused: 0, empty: 0, routes: 0 }
  for (let i = 0; i < FILES; i++) {
    const text = mutate(sample, random)
    let outcome: keyof typeof counts = 'empty'
    try {
      const ms = fastest(() => (outcome = outcomeOf(text, facts)))
      expect(ms).toBeLessThanOrEqual(COMPILE_MS_MAX)
    } catch (fault) {
      throw new Error(`seed ${seed}, file ${i}:\n${text}`, { cause: fault })
    }
    counts[outcome]++
  }
  expect(counts.refused).toBeGreaterThan(FILES / 20)
  expect(counts.routes).toBeGreaterThan(FILES / 20)
}, 300_000)
