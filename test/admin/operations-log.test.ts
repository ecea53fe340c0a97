import { readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createLog, type LogOptions, type OperationsLogFile } from '../../workers/operations-log.ts'
import { withFolder } from './fixture.ts'

async function logged(
  options: Partial<LogOptions>,
  use: (log: OperationsLogFile, path: string) => void,
): Promise<string> {
  return withFolder(async (folder) => {
    const filePath = join(folder, 'deep', 'sluice.log')
    const log = createLog({ level: 'INFO', format: 'common', noColor: false, filePath, ...options })
    use(log, filePath)
    await log.close()
    return readFileSync(filePath, 'utf8')
  })
}

test('a common line has time, level, message and fields', async () => {
  const text = await logged({}, (log) => log.warn('two words', { file: 'a.yml', why: 'a b' }))
  expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ WRN two words file=a\.yml why="a b"\n$/)
})

test('a json line can be parsed and names its level', async () => {
  const text = await logged({ format: 'json' }, (log) => log.error('no', { count: 2 }))
  const line = JSON.parse(text)
  expect(line).toMatchObject({ level: 'error', message: 'no', count: 2 })
  expect(new Date(line.time).getTime()).not.toBeNaN()
})

test('only lines of the level and above it are written', async () => {
  const levels = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL', 'PANIC'] as const
  for (const [at, level] of levels.entries()) {
    const text = await logged({ level }, (log) => {
      for (const each of levels) log.log(each, each)
    })
    expect(text.trim().split('\n')).toHaveLength(levels.length - at)
  }
})

test('secrets are replaced at any depth and in both formats', async () => {
  for (const format of ['common', 'json'] as const) {
    const text = await logged({ format }, (log) =>
      log.info('read', {
        password: 'hush',
        redis: { endpoints: [{ apiKey: 'hush', port: 6379 }], tls: { privateKey: 'hush' } },
        headers: { Authorization: 'hush', Cookie: 'hush' },
      }),
    )
    expect(text).not.toContain('hush')
    expect(text).toContain('6379')
  }
})

test('control bytes can not forge a line nor reach a terminal', async () => {
  const text = await logged({}, (log) =>
    log.info('a\x1b[2Jb\r', { path: '/x\nERR forged', other: '\x9b1m' }),
  )
  expect(text.split('\n')).toHaveLength(2)
  expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/)
})

test('after a rotation lines go to the new file', async () => {
  let old = ''
  const text = await logged({}, (log, path) => {
    log.info('before')
    renameSync(path, path + '.1')
    log.reopen()
    log.info('after')
    old = readFileSync(path + '.1', 'utf8')
  })
  expect(old).toContain('before')
  expect(text).toMatch(/^\S+ INF after\n$/)
})

test('a file that can not be opened is an error at start', () => {
  const filePath = '/dev/null/sluice.log'
  const options = { level: 'INFO', format: 'common', noColor: true, filePath } as const
  expect(() => createLog(options)).toThrow(/ENOTDIR|EEXIST/)
})
