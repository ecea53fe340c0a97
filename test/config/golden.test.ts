// Golden pairs: test/golden/<case>.in.yaml (or .toml) compiles to <case>.out.json.
//
// <case>.facts.json, when it is there, replaces facts of the install configuration. UPDATE_GOLDEN=1 writes
// the outputs anew; the difference is then reviewed like code.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { compile } from '../../config/compile.ts'
import type { StaticFacts } from '../../config/facts.ts'
import { families, type Generation } from '../../config/generation.ts'
import { formatProblem, parseLocated } from '../../config/located.ts'
import { testEntryPoint, testFacts } from '../support/facts.ts'

const folder = join(import.meta.dirname, '../golden')
const inputs = readdirSync(folder).filter((name) => /\.in\.(?:yaml|toml)$/.test(name))

function factsFor(name: string): StaticFacts {
  const file = join(folder, `${name}.facts.json`)
  if (!existsSync(file)) return testFacts()
  const given = JSON.parse(readFileSync(file, 'utf8')) as Partial<StaticFacts>
  const entryPoints = given.entryPoints?.map((at) => ({
    ...testEntryPoint(at.name, at.port),
    ...at,
  }))
  return { ...testFacts(), ...given, entryPoints: entryPoints ?? testFacts().entryPoints }
}

function printed(file: string, name: string): string {
  const doc = parseLocated(readFileSync(join(folder, file), 'utf8'), file)
  const compiled = compile(new Map([['file', [doc]]]), factsFor(name), 1)
  const { generation, problems, status } = compiled
  const troubled = [
    ...status.routers.values(),
    ...status.services.values(),
    ...status.middlewares.values(),
    ...[status.tcp, status.udp].flatMap(({ routers, services, middlewares }) => [
      ...routers.values(),
      ...services.values(),
      ...middlewares.values(),
    ]),
  ]
    .filter((object) => object.status !== 'enabled')
    .map((object) => `${object.name} ${object.status}: ${object.error.join('; ')}`)
  const transports = [...generation.transports.values()].filter((plan) => plan.name !== '')
  const { wishes } = compiled
  const output = {
    routers: [...generation.routers.values()],
    services: [...generation.services.values()].filter((plan) => plan.kind !== 'internal'),
    middlewares: [...generation.middlewares.values()],
    transports,
    ...protocolPlans(generation),
    ...(wishes.length > 0 ? { wishes } : {}),
    problems: problems.map(
      (problem) => `${problem.severity} ${problem.code} ${formatProblem(problem)}`,
    ),
    troubled,
  }
  return `${JSON.stringify(output, null, 2)}\n`
}

// What is not always there; keys of certificates stay out of the output, as everywhere.
function protocolPlans(generation: Generation): Record<string, unknown> {
  const others = families.filter(
    (family) => !['routers', 'services', 'middlewares', 'transports'].includes(family),
  )
  const shown: Record<string, unknown> = {}
  for (const family of others) {
    const plans = [...generation[family].values()].filter(
      ({ name }) => !/^(?:default)?$/.test(name),
    )
    const short = plans.map((plan) => JSON.parse(JSON.stringify(plan, shortened)) as unknown)
    if (short.length > 0) shown[family] = short
  }
  return shown
}

function shortened(key: string, value: unknown): unknown {
  if (key === 'keyPem') return value === '' ? '' : 'a key'
  return typeof value === 'string' && value.startsWith('-----BEGIN ') ? 'PEM' : value
}

test('There are golden pairs', () => {
  expect(inputs.length).toBeGreaterThan(5)
})

test.each(inputs)('%s compiles to its golden output', (file) => {
  const name = file.replace(/\.in\..*$/, '')
  const output = join(folder, `${name}.out.json`)
  const actual = printed(file, name)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(output, actual)
  expect(actual).toBe(readFileSync(output, 'utf8'))
})
