import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { allParts, compatibilityPage, compatibilityPath, listKeys } from '../../config/compat.ts'
import { dynamicSchema } from '../../config/dynamic.ts'
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

// Only Traefik's ingress-nginx provider fills these in, from annotations (the reference calls them
// internal; of the last three it only lists the keys).
const internal = [
  /^http\.routers\.\{name\}\.observability\.metadata\./,
  /^http\.middlewares\.\{name\}\.(snippet|rewriteTarget|upstreamVHost|appRoot|authTLSPassCertificateToUpstream)\./,
  /^http\.middlewares\.\{name\}\.(errors\.nginxHeaders|buffering\.disable(Request|Response)Buffer)$/,
]

function routingKeys(): string[] {
  const text = reference ?? ''
  const part = text.slice(text.indexOf('## Appendix B'), text.indexOf('## Appendix C'))
  let prefix = ''
  return part.split('\n').flatMap((line) => {
    const header = /^\*\*.*?\*\*(?: \(prefix `(.*)` removed\))?/.exec(line)
    if (header !== null) prefix = header[1] ?? ''
    const key = /^([A-Za-z0-9_.{}[\]]+):\S+$/.exec(line)?.[1]
    return key === undefined ? [] : `${prefix}${key}`
  })
}

test.skipIf(reference === null)(
  "Every key of Traefik's routing configuration is in the schema (skipped without ../shared)",
  () => {
    const known = new Set(
      listKeys(dynamicSchema).map((row) => row.path.replaceAll('<name>', '{name}').toLowerCase()),
    )
    const wanted = routingKeys().filter((key) => !internal.some((pattern) => pattern.test(key)))
    expect(wanted.length).toBeGreaterThan(300)
    const plain = (key: string) => key.toLowerCase().replace(/\[\]$/, '')
    expect(wanted.filter((key) => !known.has(plain(key)) && !known.has(key.toLowerCase()))).toEqual(
      [],
    )
  },
)

test('Every key that does not work says what it waits for', () => {
  const rows = [staticSchema, dynamicSchema].flatMap(listKeys)
  const silent = rows.filter((row) => row.status !== 'works' && row.note === '')
  expect(silent.map((row) => row.path)).toEqual([])
})

test("Sluice's own keys are marked and explained", () => {
  const own = listKeys(staticSchema).filter((row) => row.shape.meta.extension)
  expect(own.map((row) => row.path)).toContain('entryPoints.<name>.engine')
  expect(own.filter((row) => row.note === '' && row.shape.kind !== 'object')).toEqual([])
})
