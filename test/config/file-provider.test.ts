// The file provider on real files: what a person, an editor, a deployment tool or Kubernetes does to them.

import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Located, Problem } from '../../config/located.ts'
import { FileProvider, type FileOptions } from '../../config/providers/file.ts'

let root = ''
let provider: FileProvider | null = null
let updates: { docs: readonly Located[]; problems: readonly Problem[] }[] = []

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-file-'))
  updates = []
})

afterEach(() => {
  provider?.close()
  provider = null
  rmSync(root, { recursive: true, force: true })
})

const quick = { watch: true, throttleMs: 0, debounceMs: 20, debounceMaxMs: 120, pollMs: 30 }

async function start(options: Partial<FileOptions>): Promise<void> {
  const environment = { HOST: 'shop.example' }
  const all = { filename: '', directory: '', environment, ...quick, ...options }
  const own = updates
  provider = new FileProvider(all, (docs, problems) => own.push({ docs, problems }))
  await provider.start()
}

const latest = (): unknown[] => updates.at(-1)?.docs.map((doc) => doc.value) ?? []
const codes = (): string[] => updates.at(-1)?.problems.map((problem) => problem.code) ?? []

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 8000
  while (!condition()) {
    if (performance.now() > deadline) {
      throw new Error(`never came: ${what}; now ${JSON.stringify(latest())} ${codes().join()}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const shows = (what: unknown): Promise<void> =>
  until(JSON.stringify(what), () => JSON.stringify(latest()) === JSON.stringify(what))

function put(path: string, text: string | Uint8Array): string {
  const file = join(root, path)
  writeFileSync(file, text)
  return file
}

test('A file is read at the start and again when it is written', async () => {
  const filename = put('a.yml', 'v: 1\n')
  await start({ filename })
  expect(latest()).toEqual([{ v: 1 }])
  put('a.yml', 'v: 2\n')
  await shows([{ v: 2 }])
})

test('A file that is replaced by a rename is read, many times over', async () => {
  const filename = put('a.yml', 'v: 0\n')
  await start({ filename })
  for (let v = 1; v <= 5; v++) {
    renameSync(put('a.new', `v: ${v}\n`), filename)
    await shows([{ v }])
  }
})

test('A file that is missing at the start is reported and picked up when it comes', async () => {
  const filename = join(root, 'late.yml')
  await start({ filename })
  expect(codes()).toEqual(['CONFIG_FILE_MISSING'])
  put('late.yml', 'v: 1\n')
  await shows([{ v: 1 }])
  expect(codes()).toEqual([])
})

test('A file that is deleted keeps its last content in use until it is back', async () => {
  const filename = put('a.yml', 'v: 1\n')
  await start({ filename })
  unlinkSync(filename)
  await until('a report', () => codes().includes('CONFIG_FILE_MISSING'))
  expect(latest()).toEqual([{ v: 1 }])
  put('a.yml', 'v: 2\n')
  await shows([{ v: 2 }])
})

test('Links as Kubernetes swaps them under a mounted volume are followed', async () => {
  for (const v of [1, 2]) {
    mkdirSync(join(root, `..dated${v}`))
    put(`..dated${v}/a.yml`, `v: ${v}\n`)
  }
  symlinkSync('..dated1', join(root, '..data'))
  symlinkSync('..data/a.yml', join(root, 'a.yml'))
  await start({ directory: root })
  expect(latest()).toEqual([{ v: 1 }])
  symlinkSync('..dated2', join(root, '..data_tmp'))
  renameSync(join(root, '..data_tmp'), join(root, '..data'))
  rmSync(join(root, '..dated1'), { recursive: true })
  await shows([{ v: 2 }])
})

test('A change behind a link into another folder is seen', async () => {
  mkdirSync(join(root, 'conf'))
  mkdirSync(join(root, 'elsewhere'))
  put('elsewhere/a.yml', 'v: 1\n')
  symlinkSync('../elsewhere/a.yml', join(root, 'conf/a.yml'))
  await start({ directory: join(root, 'conf') })
  put('elsewhere/a.yml', 'v: 2\n')
  await shows([{ v: 2 }])
})

test('Files of a directory come and go, in nested folders too, and other files are left alone', async () => {
  put('a.yml', 'v: a\n')
  put('b.toml', 'v = "b"\n')
  put('.hidden.yml', 'v: hidden\n')
  put('notes.txt', 'v: notes\n')
  await start({ directory: root })
  expect(latest()).toEqual([{ v: 'a' }, { v: 'b' }])
  mkdirSync(join(root, 'deep/er'), { recursive: true })
  put('deep/er/c.yaml', 'v: c\n')
  await shows([{ v: 'a' }, { v: 'b' }, { v: 'c' }])
  put('deep/er/c.yaml', 'v: d\n')
  await shows([{ v: 'a' }, { v: 'b' }, { v: 'd' }])
  unlinkSync(join(root, 'a.yml'))
  await shows([{ v: 'b' }, { v: 'd' }])
})

test('A removed directory leaves its last routes in use, and is watched again when it is back', async () => {
  const directory = join(root, 'conf')
  mkdirSync(directory)
  put('conf/a.yml', 'v: 1\n')
  await start({ directory })
  rmSync(directory, { recursive: true })
  await until('a report', () => codes().includes('CONFIG_FILE_MISSING'))
  const kept = JSON.stringify(latest())
  mkdirSync(directory)
  put('conf/a.yml', 'v: 2\n')
  await shows([{ v: 2 }])
  put('conf/a.yml', 'v: 3\n')
  await shows([{ v: 3 }])
  // Between unlinking the file and the directory, the directory may have been seen empty.
  expect(['[{"v":1}]', '[]']).toContain(kept)
})

test('Half a file is never applied: the last good content stays in use', async () => {
  put('good.yml', 'v: good\n')
  const whole = 'list:\n  - {name: one, value: "text"}\n'
  put('z.yml', whole)
  await start({ directory: root })
  for (const length of [whole.length - 4, whole.length - 12, 21]) {
    const before = updates.length
    put('z.yml', whole.slice(0, length))
    await until('a report', () => updates.length > before && codes().includes('CONFIG_SYNTAX'))
    expect(latest()).toEqual([{ v: 'good' }, { list: [{ name: 'one', value: 'text' }] }])
    put('z.yml', whole)
    await until('no report', () => codes().length === 0)
  }
  for (const { docs } of updates) {
    expect(docs[1]?.value).toEqual({ list: [{ name: 'one', value: 'text' }] })
  }
})

test('A file that is truncated before it is written is not taken as empty, and an emptied one is', async () => {
  const filename = put('a.yml', 'v: 1\n')
  await start({ filename, debounceMs: 1, debounceMaxMs: 400 })
  truncateSync(filename)
  const emptied = performance.now()
  put('a.yml', 'v: 2\n')
  await shows([{ v: 2 }])
  expect(updates.map(({ docs }) => docs[0]?.value)).not.toContainEqual({})
  truncateSync(filename)
  await shows([{}])
  expect(performance.now() - emptied).toBeGreaterThan(300)
})

test.each([
  ['bytes that are no UTF-8', Uint8Array.of(0x76, 0x3a, 0x20, 0xff, 0xfe), 'CONFIG_ENCODING'],
  ['a syntax error', 'v: [1\n', 'CONFIG_SYNTAX'],
  ['a template error', 'v: {{ nope }}\n', 'CONFIG_TEMPLATE'],
  ['zeros', new Uint8Array(4096), 'CONFIG_SYNTAX'],
  ['more than 16 MiB', new Uint8Array(16 * 1024 * 1024 + 1).fill(0x20), 'CONFIG_FILE_READ'],
])(
  'A file with %s is refused, with its place, and the others are served',
  async (_, bytes, code) => {
    put('bad.yml', bytes)
    put('good.yml', 'v: 1\n')
    await start({ directory: root })
    expect(latest()).toEqual([{ v: 1 }])
    expect(codes()).toEqual([code])
    expect(updates[0]!.problems[0]!.file).toBe(join(root, 'bad.yml'))
  },
)

test('Templates are rendered, and errors in what they give say that lines are of the rendered text', async () => {
  const filename = put('a.yml', '{{ range until 2 }}\nv{{ . }}: {{ env "HOST" }}{{ end }}\n')
  await start({ filename })
  expect(latest()).toEqual([{ v0: 'shop.example', v1: 'shop.example' }])
  put('a.yml', '{{ range until 3 }}\n{{ end }}v: [{{ env "HOST" }}\n')
  await until('a report', () => codes().includes('CONFIG_SYNTAX'))
  expect(updates.at(-1)!.problems[0]!.file).toContain('lines of the rendered template')
  expect(latest()).toEqual([{ v0: 'shop.example', v1: 'shop.example' }])
})

test('Writing the same content again is no update', async () => {
  const filename = put('a.yml', 'v: 1\n')
  await start({ filename })
  const doc = updates[0]!.docs[0]
  put('a.yml', 'v: 1\n')
  put('a.yml', 'v: 1\n')
  put('a.yml', 'v: 2\n') // the marker: what came before it was seen too
  await shows([{ v: 2 }])
  expect(updates).toHaveLength(2)
  expect(updates[1]!.docs[0]).not.toBe(doc)
})

test('An unchanged file keeps its document when another one changes', async () => {
  put('a.yml', 'v: 1\n')
  put('b.yml', 'v: 1\n')
  await start({ directory: root })
  put('b.yml', 'v: 2\n')
  await shows([{ v: 1 }, { v: 2 }])
  expect(updates.at(-1)!.docs[0]).toBe(updates[0]!.docs[0])
})

test('Updates come no more often than the throttle allows, and the last one is never lost', async () => {
  const filename = put('a.yml', 'v: 0\n')
  const throttleMs = 250
  await start({ filename, throttleMs, debounceMs: 1 })
  const started = performance.now()
  for (let v = 1; v <= 40; v++) {
    renameSync(put('a.new', `v: ${v}\n`), filename)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await shows([{ v: 40 }])
  const allowed = 2 + Math.floor((performance.now() - started) / throttleMs)
  expect(updates.length).toBeLessThanOrEqual(allowed)
})

test('Without watch a file is read once', async () => {
  const filename = put('a.yml', 'v: 1\n')
  await start({ filename, watch: false })
  expect(latest()).toEqual([{ v: 1 }])
  expect(process.getActiveResourcesInfo()).not.toContain('FSEventWrap')
})

test('After close nothing is called any more', async () => {
  const filename = put('a.yml', 'v: 1\n')
  await start({ filename, debounceMs: 1 })
  const first = provider!
  const before = updates
  updates = []
  await start({ filename, debounceMs: 100 })
  first.close()
  before.length = 0
  put('a.yml', 'v: 2\n')
  await shows([{ v: 2 }]) // by the second, which waits longer than the first would have
  expect(before).toHaveLength(0)
})
