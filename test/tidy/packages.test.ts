// package.json says what is used, exactly, and ARCHITECTURE.md why.

import { expect, test } from 'vitest'
import { importsOf } from './imports.ts'
import { allSources, isTestFile, readText } from './source.ts'

interface Package {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
}

const own = JSON.parse(readText('package.json')) as Package
const every = { ...own.dependencies, ...own.devDependencies, ...own.optionalDependencies }
const sources = allSources()

function importedBy(isUser: (path: string) => boolean): Set<string> {
  const users = sources.filter(({ path }) => isUser(path))
  return new Set(users.flatMap(importsOf).map(({ to }) => to))
}

const inProgram = importedBy((path) => !isTestFile(path) && !path.startsWith('bench/'))
const anywhere = importedBy(() => true)

// Used without an import: types that tsc reads, tools that make starts, the Node that everything runs on.
const tools = [
  '@types/node',
  '@types/ws',
  'oxfmt',
  'oxlint',
  'typescript',
  ...Object.keys(own.optionalDependencies),
]

test('Every dependency of the program is imported by the program', () => {
  expect(Object.keys(own.dependencies).filter((name) => !inProgram.has(name))).toEqual([])
})

test('Every development dependency is imported by a test or a bench, or is a tool', () => {
  const unused = Object.keys(own.devDependencies).filter((name) => !anywhere.has(name))
  expect(unused.filter((name) => !tools.includes(name))).toEqual([])
})

function isPackage(name: string): boolean {
  return name.startsWith('@') || !/[:/]|\.ts$/.test(name)
}

test('Whatever is imported is listed, and the program imports no development dependency', () => {
  expect([...anywhere].filter(isPackage).filter((name) => !Object.hasOwn(every, name))).toEqual([])
  const foreign = [...inProgram].filter((name) => isPackage(name) && name !== 'vitest')
  expect(foreign.filter((name) => !Object.hasOwn(own.dependencies, name))).toEqual([])
})

test('Every version is exact, and the lock file agrees', () => {
  const loose = Object.entries(every).filter(
    ([, version]) => !/^(?:npm:[\w.-]+@)?\d+\.\d+\.\d+$/.test(version),
  )
  expect(loose).toEqual([])
  const lock = JSON.parse(readText('package-lock.json')) as { packages: Record<string, Package> }
  expect(lock.packages['']).toMatchObject({
    dependencies: own.dependencies,
    devDependencies: own.devDependencies,
    optionalDependencies: own.optionalDependencies,
  })
})

test('ARCHITECTURE.md gives the reason for every dependency', () => {
  const page = readText('ARCHITECTURE.md')
  const unexplained = Object.keys(every).filter((name) => !page.includes(`\`${name}\``))
  expect(unexplained).toEqual([])
})
