import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { allParts, compatibilityPage, compatibilityPath, listKeys } from '../../config/compat.ts'
import { staticSchema } from '../../config/static.ts'

const referencePath = join(import.meta.dirname, '../../../shared/reference/traefik.md')
const reference = existsSync(referencePath) ? readFileSync(referencePath, 'utf8') : null

test('docs/compatibility.md is what config/compat.ts writes', async () => {
  const page = compatibilityPage(await allParts())
  expect(readFileSync(compatibilityPath(), 'utf8') === page, 'run: node config/compat.ts').toBe(
    true,
  )
})

// The lines of an appendix that are keys: `entrypoints._name_.address`, `http.routers.{name}.rule:string`.
function appendix(title: string, next: string, line: RegExp): string[] {
  const text = reference ?? ''
  const part = text.slice(text.indexOf(`## ${title}`), text.indexOf(`## ${next}`))
  return part.split('\n').flatMap((one) => line.exec(one)?.[1] ?? [])
}

test.skipIf(reference === null)(
  "Every option of Traefik's static configuration is in the schema (skipped without ../shared)",
  () => {
    const wanted = appendix('Appendix A', 'Appendix B', /^([a-z0-9_.[\]]+)(?:=.*)?$/)
    const known = listKeys(staticSchema).map((row) =>
      row.path.toLowerCase().replaceAll('<name>', '_name_').replaceAll('[]', '[0]'),
    )
    expect(wanted).toHaveLength(540)
    expect(wanted.filter((key) => !known.includes(key))).toEqual([])
  },
)

test('Every key that does not work says what it waits for', () => {
  const silent = listKeys(staticSchema).filter((row) => row.status !== 'works' && row.note === '')
  expect(silent.map((row) => row.path)).toEqual([])
})

test("Sluice's own keys are marked and explained", () => {
  const own = listKeys(staticSchema).filter((row) => row.shape.meta.extension)
  expect(own.map((row) => row.path)).toContain('entryPoints.<name>.engine')
  expect(own.filter((row) => row.note === '' && row.shape.kind !== 'object')).toEqual([])
})
