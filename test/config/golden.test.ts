// Golden pairs: test/golden/<case>.in.yaml (or .toml) compiles to <case>.out.json.
//
// <case>.facts.json, when it is there, replaces facts of the install configuration. UPDATE_GOLDEN=1 writes
// the outputs anew; the difference is then reviewed like code.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { compile } from '../../config/compile.ts'
import type { StaticFacts } from '../../config/facts.ts'
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
  const { generation, problems, status } = compile(new Map([['file', [doc]]]), factsFor(name), 1)
  const troubled = [
    ...status.routers.values(),
    ...status.services.values(),
    ...status.middlewares.values(),
  ]
    .filter((object) => object.status !== 'enabled')
    .map((object) => `${object.name} ${object.status}: ${object.error.join('; ')}`)
  const transports = [...generation.transports.values()].filter((plan) => plan.name !== '')
  const output = {
    routers: [...generation.routers.values()],
    services: [...generation.services.values()].filter((plan) => plan.kind !== 'internal'),
    middlewares: [...generation.middlewares.values()],
    transports,
    problems: problems.map(
      (problem) => `${problem.severity} ${problem.code} ${formatProblem(problem)}`,
    ),
    troubled,
  }
  return `${JSON.stringify(output, null, 2)}\n`
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
