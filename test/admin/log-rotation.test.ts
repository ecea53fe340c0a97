// log.maxSize, maxAge, maxBackups and compress: the operations log rotates itself, without a lost line.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test, vi } from 'vitest'
import { Rotation } from '../../workers/log-rotation.ts'
import { type LogOptions, createLog } from '../../workers/operations-log.ts'
import { soon, withFolder } from './fixture.ts'

const MIB = 1024 * 1024
const LINE = 'x'.repeat(1000)
const BACKUP = /^sluice-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.log(\.gz)?$/

function logOf(folder: string, options: Partial<LogOptions>) {
  const filePath = join(folder, 'sluice.log')
  return createLog({ level: 'INFO', format: 'common', noColor: true, filePath, ...options })
}

function backupsIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => BACKUP.test(name))
    .sort()
}

function textOf(folder: string, name: string): string {
  const bytes = readFileSync(join(folder, name))
  return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
}

function numbersIn(text: string): number[] {
  return [...text.matchAll(/ INF (\d+) x/g)].map((match) => Number(match[1]))
}

test('a file that would exceed maxSize is moved away, no file is longer, and no line is lost', async () => {
  await withFolder(async (folder) => {
    const log = logOf(folder, { maxSize: 1 })
    for (let i = 0; i < 3500; i++) log.info(`${i} ${LINE}`)
    await log.close()
    const names = [...backupsIn(folder), 'sluice.log']
    expect(names).toHaveLength(4)
    for (const name of names) {
      expect(textOf(folder, name).length).toBeLessThanOrEqual(MIB)
      expect(textOf(folder, name).endsWith('\n')).toBe(true)
    }
    const numbers = names.flatMap((name) => numbersIn(textOf(folder, name)))
    expect(numbers).toEqual(Array.from({ length: 3500 }, (_, i) => i))
  })
})

test('what the file held before the start counts, and maxSize 0 is 100 MiB', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'sluice.log')
    writeFileSync(path, Buffer.alloc(100 * MIB - 10, 'a'))
    const log = logOf(folder, { maxSize: 0 })
    log.info('one')
    log.info('two')
    await log.close()
    expect(backupsIn(folder)).toHaveLength(1)
    expect(readFileSync(path, 'utf8')).toMatch(/^\S+ INF one\n\S+ INF two\n$/)
  })
})

test('old files beyond maxBackups are removed, the newest are compressed and can be read', async () => {
  await withFolder(async (folder) => {
    const log = logOf(folder, { maxSize: 1, maxBackups: 2, compress: true })
    for (let i = 0; i < 5500; i++) log.info(`${i} ${LINE}`)
    await soon(() => {
      const names = backupsIn(folder)
      expect(names).toHaveLength(2)
      expect(names.every((name) => name.endsWith('.gz'))).toBe(true)
    })
    await log.close()
    const numbers = [...backupsIn(folder), 'sluice.log'].flatMap((name) =>
      numbersIn(textOf(folder, name)),
    )
    expect(numbers.at(-1)).toBe(5499)
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => numbers[0]! + i))
  })
})

test('files older than maxAge are removed at the start, files that are not ours stay', async () => {
  await withFolder(async (folder) => {
    const now = Date.parse('2026-11-20T12:00:00.000Z')
    const mine = ['sluice-2026-11-18T11-59-59.999.log', 'sluice-2026-11-18T11-00-00.000.log.gz']
    const young = 'sluice-2026-11-18T12-00-00.001.log'
    const others = ['sluice-old.log', 'access-2020-01-01T00-00-00.000.log', 'sluice.log']
    const stale = 'sluice-2026-11-18T12-00-00.001.log.gz.part'
    for (const name of [...mine, young, ...others, stale]) writeFileSync(join(folder, name), name)
    const rotation = new Rotation(join(folder, 'sluice.log'), { maxAge: 2 }, () => now)
    rotation.clean()
    await soon(() => expect(readdirSync(folder).sort()).toEqual([...others, young].sort()))
    await rotation.end()
  })
})

test('two rotations in the same millisecond make two files', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'sluice.log')
    const rotation = new Rotation(path, {}, () => 1_800_000_000_000)
    for (const text of ['first', 'second', 'third']) {
      writeFileSync(path, text)
      rotation.moveAway()
    }
    expect(backupsIn(folder).map((name) => textOf(folder, name))).toEqual([
      'first',
      'second',
      'third',
    ])
  })
})

test('a log that can not be rotated grows on, and says so', async () => {
  await withFolder(async (folder) => {
    const logs = join(folder, 'logs')
    mkdirSync(logs)
    const log = logOf(logs, { maxSize: 1 })
    vi.spyOn(Rotation.prototype, 'moveAway').mockImplementation(() => {
      throw new Error('EACCES: permission denied, rename')
    })
    try {
      for (let i = 0; i < 1500; i++) log.info(`${i} ${LINE}`)
    } finally {
      vi.restoreAllMocks()
    }
    await log.close()
    const text = textOf(logs, 'sluice.log')
    expect(numbersIn(text)).toHaveLength(1500)
    expect(text).toContain('the log could not be rotated and grows on: EACCES')
    expect(existsSync(join(logs, 'sluice.log'))).toBe(true)
  })
})

test('the example for logrotate is what the virtual machine gets, and logrotate takes it where it is', async () => {
  const repository = join(import.meta.dirname, '../..')
  const example = readFileSync(join(repository, 'deploy/logrotate/sluice'), 'utf8')
  expect(example).toContain('systemctl reload sluice')
  const unit = readFileSync(join(repository, 'deploy/systemd/sluice.service'), 'utf8')
  expect(unit).toContain('ExecReload=/bin/kill -USR1 $MAINPID')
  const machine = readFileSync(join(repository, 'deploy/harvester/cloud-init.yml'), 'utf8')
  expect(machine).toContain('/opt/sluice/deploy/logrotate/sluice')
  if (!existsSync('/usr/sbin/logrotate')) return
  await withFolder(async (folder) => {
    const path = join(folder, 'sluice')
    writeFileSync(path, example.replaceAll('/var/log/sluice', folder), { mode: 0o644 })
    const said = execFileSync('/usr/sbin/logrotate', ['-d', path], { stdio: 'pipe' }).toString()
    expect(said).not.toMatch(/error/i)
  })
})
