import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { AdminServer } from '../../admin/server.ts'
import { docPages, docPath, tableNames, withTables } from './doc-tables.ts'
import { errorTable } from '../../core/errors.ts'
import { get, stateOf, withFolder } from '../admin/fixture.ts'
import { run } from './run.ts'

function page(name: string): string {
  return readFileSync(docPath(name), 'utf8')
}

test('every table of the docs is what the code says; node test/cli/doc-tables.ts writes them', () => {
  for (const name of docPages) expect(page(name), name).toBe(withTables(page(name)))
})

test('every table stands on one page', () => {
  const used = docPages.flatMap((name) =>
    [...page(name).matchAll(/<!-- table: ([\w-]+) -->/g)].map((match) => match[1]!),
  )
  expect(used.sort()).toEqual(tableNames().sort())
})

test('every error is on the page of errors, with its status', () => {
  const text = page('errors.md')
  for (const { name, status } of errorTable) {
    if (status !== 0) expect(text).toMatch(new RegExp(`^\\| \`${name}\` +\\| ${status} `, 'm'))
  }
})

test('every path on the page of the API is answered', async () => {
  const paths = [...page('api.md').matchAll(/^\| (`.+?) \|/gm)]
    .flatMap((match) => [...match[1]!.matchAll(/`([^`{.]+)`/g)])
    .map((match) => match[1]!)
    .filter((target) => target.startsWith('/'))
  expect(paths.length).toBeGreaterThan(10)
  await withFolder(async (folder) => {
    const path = join(folder, 'admin.sock')
    const server = new AdminServer(stateOf())
    await server.listen(path)
    for (const target of paths) {
      if (target === '/metrics') continue // off in this state; test/admin/server.test.ts
      const method = target.includes('rest') ? 'PUT' : 'GET'
      const expected = method === 'PUT' ? 501 : 200
      expect((await get(path, target, method)).status, target).toBe(expected)
    }
    await server.close()
  })
})

test('the example of explain is what it prints', async () => {
  const example = /^\$ sluice (explain .+)\n([\s\S]*?)```/m.exec(page('cli.md'))!
  const { out } = await run(example[1]!.split(' '))
  expect(out).toBe(example[2])
})
