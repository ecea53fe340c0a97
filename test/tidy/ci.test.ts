// .ci/run with a `make` that pretends: what it counts, when it fails, and its last line.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { repository } from './source.ts'

let folder = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-ci-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Pretended {
  readonly tests: object | null // what vitest writes; null when it never came that far
  readonly testCode: number
  readonly bench: string
  readonly benchCode: number
}

// A make that writes the file which --outputFile.json names, and exits as it is told.
function run(pretended: Pretended): { status: number | null; lines: string[] } {
  writeFileSync(join(folder, 'tests.json'), JSON.stringify(pretended.tests))
  writeFileSync(join(folder, 'bench.txt'), pretended.bench)
  const copy = pretended.tests === null ? ':' : `cp "${folder}/tests.json" "\${2##*=}"`
  const lines = [
    '#!/bin/sh',
    `[ "$1" = test ] && { ${copy}; exit ${pretended.testCode}; }`,
    `cat "${folder}/bench.txt"; exit ${pretended.benchCode}`,
  ]
  writeFileSync(join(folder, 'make'), lines.join('\n') + '\n', { mode: 0o755 })
  const env = {
    ...process.env,
    PATH: `${folder}:${process.env['PATH'] ?? ''}`,
    SLUICE_CI_PACKAGES: 'no',
  }
  const { status, stdout } = spawnSync(join(repository, '.ci', 'run'), {
    env,
    cwd: folder,
    encoding: 'utf8',
  })
  return { status, lines: stdout.trimEnd().split('\n') }
}

function results(passed: number, failed: number): object {
  const assertionResults = [
    ...Array.from({ length: passed }, () => ({ status: 'passed' })),
    ...Array.from({ length: failed }, () => ({ status: 'failed' })),
  ]
  const status = failed > 0 ? 'failed' : 'passed'
  return { numPassedTests: passed, testResults: [{ status, assertionResults }] }
}

const goodBench = { bench: 'table\n12 passed, 0 failed\n', benchCode: 0 }

test('Both counts are added, and all good is exit code 0', () => {
  const { status, lines } = run({ tests: results(30, 0), testCode: 0, ...goodBench })
  expect(lines.at(-1)).toBe('42 passed, 0 failed')
  expect(status).toBe(0)
})

test('After failed tests the bench runs all the same, and the exit code says so', () => {
  const { status, lines } = run({ tests: results(30, 2), testCode: 1, ...goodBench })
  expect(lines.at(-1)).toBe('42 passed, 2 failed')
  expect(status).not.toBe(0)
})

test('A missed budget fails the run', () => {
  const bench = { bench: '11 passed, 1 failed\n', benchCode: 2 }
  const { status, lines } = run({ tests: results(30, 0), testCode: 0, ...bench })
  expect(lines.at(-1)).toBe('41 passed, 1 failed')
  expect(status).not.toBe(0)
})

test('A file of tests that could not be loaded is a failure', () => {
  const tests = { numPassedTests: 0, testResults: [{ status: 'failed', assertionResults: [] }] }
  const { lines } = run({ tests, testCode: 1, ...goodBench })
  expect(lines.at(-1)).toBe('12 passed, 1 failed')
})

test('A step that ends before it has counted anything is a failure', () => {
  const { status, lines } = run({ tests: null, testCode: 2, bench: 'no\n', benchCode: 2 })
  expect(lines.at(-1)).toBe('0 passed, 2 failed')
  expect(status).not.toBe(0)
})

test('Failures that are counted while the exit code is 0 still fail the run', () => {
  const { status, lines } = run({ tests: results(1, 1), testCode: 0, ...goodBench })
  expect(lines.at(-1)).toBe('13 passed, 1 failed')
  expect(status).not.toBe(0)
})
