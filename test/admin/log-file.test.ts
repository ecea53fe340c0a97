import { execFileSync, spawn } from 'node:child_process'
import { mkdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { expect, test, vi } from 'vitest'
import { LogFile } from '../../workers/log-file.ts'
import { soon, withFolder } from './fixture.ts'

async function text(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}

function linesFrom(first: number, count: number, length = 20): string {
  let lines = ''
  for (let i = first; i < first + count; i++) lines += String(i).padEnd(length - 1, '.') + '\n'
  return lines
}

// Numbers of the lines that a file holds, each of which must be whole.
function numbersIn(content: string, length = 20): number[] {
  return content
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      expect(line).toHaveLength(length - 1)
      return Number.parseInt(line, 10)
    })
}

test('lines arrive in order in a file whose folder did not exist', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'a', 'b', 'access.log')
    const log = new LogFile(path)
    for (let i = 0; i < 50; i++) log.write(linesFrom(i * 100, 100), 100)
    await log.close()
    expect(await text(path)).toBe(linesFrom(0, 5000))
    expect(log.lostLines).toBe(0)
  })
})

test('after a rotation lines go to the new file and none is lost', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'access.log')
    const old = join(folder, 'access.log.1')
    const log = new LogFile(path)
    log.write(linesFrom(0, 2000), 2000)
    await soon(async () => expect(await text(path)).not.toBe(''))
    await rename(path, old)
    for (let i = 1; i < 20; i++) {
      log.write(linesFrom(i * 2000, 2000), 2000)
      if (i === 10) log.reopen()
    }
    await log.close()
    const numbers = [...numbersIn(await text(old)), ...numbersIn(await text(path))]
    expect([...new Set(numbers)]).toEqual(Array.from({ length: 40_000 }, (_, i) => i))
    expect((await text(path)).length).toBeGreaterThan(0)
    expect(log.lostLines).toBe(0)
  })
})

test('a file that can not be reopened goes on with the old one until it can', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'logs', 'access.log')
    const onFault = vi.fn()
    const log = new LogFile(path, { retryMs: 10, onFault })
    log.write('one\n', 1)
    await soon(async () => expect(await text(path)).toBe('one\n'))
    await rename(join(folder, 'logs'), join(folder, 'old'))
    await writeFile(join(folder, 'logs'), 'a file stands where the folder was')
    log.reopen()
    await soon(() => expect(onFault).toHaveBeenCalledTimes(1))
    log.write('two\n', 1)
    await soon(async () => expect(await text(join(folder, 'old', 'access.log'))).toBe('one\ntwo\n'))
    await rm(join(folder, 'logs'))
    await soon(async () => {
      log.write('three\n', 1)
      expect(await text(path)).toContain('three\n')
    })
    await log.close()
    expect(log.lostLines).toBe(0)
  })
})

test('a path that is a folder is told once, and lines wait until it is a file', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'access.log')
    await mkdir(path)
    const onFault = vi.fn()
    const onRecovery = vi.fn()
    const log = new LogFile(path, { retryMs: 5, onFault, onRecovery, queueBytesMax: 100 })
    await soon(() => expect(onFault).toHaveBeenCalledTimes(1))
    expect(onFault.mock.calls[0]![0]).toContain('EISDIR')
    log.write(linesFrom(0, 4), 4)
    log.write(linesFrom(4, 3), 3)
    expect(log.lostLines).toBe(3)
    await rm(path, { recursive: true })
    await soon(async () => expect(numbersIn(await text(path))).toEqual([0, 1, 2, 3]))
    expect(onRecovery).toHaveBeenCalledTimes(1)
    expect(onFault).toHaveBeenCalledTimes(1)
    await log.close()
  })
})

test('what can not be written before the process ends is counted', async () => {
  await withFolder(async (folder) => {
    await mkdir(join(folder, 'access.log'))
    const log = new LogFile(join(folder, 'access.log'), { retryMs: 5 })
    log.write(linesFrom(0, 9), 9)
    await log.close()
    expect(log.lostLines).toBe(9)
    log.write('late\n', 1)
    expect(log.lostLines).toBe(10)
  })
})

function mount(folder: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

test('a full disk loses what does not fit in the queue, tears no line, and recovers alone', async (context) => {
  await withFolder(async (folder) => {
    if (!mount(folder)) context.skip('a file system can not be mounted here')
    try {
      const path = join(folder, 'access.log')
      const onFault = vi.fn()
      const log = new LogFile(path, { retryMs: 10, onFault, queueBytesMax: 200_000 })
      let written = 0
      const writeMore = () => {
        log.write(linesFrom(written, 500), 500)
        written += 500
      }
      while (onFault.mock.calls.length === 0) {
        writeMore()
        await new Promise((resolve) => setImmediate(resolve))
      }
      const lostBefore = log.lostLines // when the loop was faster than the disk
      while (log.lostLines < lostBefore + 1000) writeMore()
      expect(onFault.mock.calls[0]![0]).toContain('ENOSPC')
      const before = await text(path)
      const wholeBefore = before.slice(0, before.lastIndexOf('\n') + 1)
      await truncate(path, 0)
      const lost = log.lostLines
      await soon(async () => expect((await text(path)).length).toBeGreaterThan(150_000))
      log.write(linesFrom(9_000_000, 1), 1)
      await log.close()
      const after = await text(path)
      const rest = after.slice(after.indexOf('\n') + 1) // the first may have begun in the old file
      const numbers = [...numbersIn(wholeBefore), ...numbersIn(rest)]
      expect(numbers.at(-1)).toBe(9_000_000)
      expect(log.lostLines).toBe(lost)
      expect(numbers.length + lost).toBeGreaterThanOrEqual(written)
      expect(numbers.length + lost).toBeLessThanOrEqual(written + 1)
    } finally {
      execFileSync('umount', ['-l', folder])
    }
  })
})

const program = `
const { LogFile } = await import(process.argv[1])
const log = new LogFile(null)
for (let i = 0; i < 4000; i++) log.write('x'.repeat(99) + '\\n', 1)
await log.close()
process.stderr.write(String(log.lostLines))
`

test('stdout that is read slowly gets every line', async () => {
  const module = new URL('../../workers/log-file.ts', import.meta.url).href
  const args = [
    '--disable-warning=ExperimentalWarning',
    '--input-type=module',
    '-e',
    program,
    module,
  ]
  const child = spawn(process.execPath, args)
  let length = 0
  let lost = ''
  child.stderr.on('data', (part: Buffer) => (lost += part.toString()))
  child.stdout.on('data', (part: Buffer) => {
    length += part.length
    child.stdout.pause()
    setTimeout(() => child.stdout.resume(), 1)
  })
  await new Promise((resolve) => child.on('close', resolve))
  expect([length, lost]).toEqual([400_000, '0'])
})
