// acme.json on disk: the promises of every store, and those of a file that holds keys.

import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs'
import { utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FileStore } from '../../certificates/storage/file.ts'
import { storeSuite } from './store-suite.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-store-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function writeOnce(path: string): Promise<void> {
  const store = new FileStore(path)
  const lease = (await store.acquire('le'))!
  await store.write(lease, (block) => ({ ...block, Account: { Email: 'a@example.org' } }))
  await store.release(lease)
  await store.close()
}

describe('The file store', () => {
  storeSuite(() => new FileStore(join(folder, 'acme.json')))

  test('The file is made for its owner alone, whatever the umask, and nothing is left beside it', async () => {
    const path = join(folder, 'own.json')
    const before = process.umask(0)
    await writeOnce(path).finally(() => process.umask(before))
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder).filter((name) => name.startsWith('own.'))).toEqual(['own.json'])
  })

  test('A file that others may read is neither read nor written', async () => {
    const path = join(folder, 'open.json')
    writeFileSync(path, '{}')
    chmodSync(path, 0o640)
    await expect(new FileStore(path).read('le')).rejects.toThrow('has mode 640')
    await expect(writeOnce(path)).rejects.toThrow('has mode 640')
    expect(readFileSync(path, 'utf8')).toBe('{}')
  })

  test('An empty file, as touch makes it, is filled; what else is in it stays', async () => {
    const path = join(folder, 'touched.json')
    writeFileSync(path, '', { mode: 0o600 })
    await writeOnce(path)
    writeFileSync(path, '{"other":{"Account":null},"note":1}', { mode: 0o600 })
    await writeOnce(path)
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
      other: { Account: null },
      note: 1,
      le: { Account: { Email: 'a@example.org' } },
    })
  })

  test('The lock of a gateway that has died is taken over once it is old', async () => {
    const path = join(folder, 'dead.json')
    writeFileSync(`${path}.lock`, 'somebody')
    expect(await new FileStore(path).acquire('le')).toBeNull()
    const old = new Date(Date.now() - 120_000)
    utimesSync(`${path}.lock`, old, old)
    await writeOnce(path)
    expect(existsSync(`${path}.lock`)).toBe(false)
  })
})
