import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseLocated } from '../../config/located.ts'
import { loadStatic, quickstartPath } from '../../config/sources.ts'

function readFile(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

test('The quickstart example loads without a complaint, from any directory', () => {
  const { config, problems } = loadStatic({
    argv: [],
    env: {},
    cwd: '/nowhere',
    readFile,
    cores: 1,
  })
  expect(problems).toEqual([])
  expect(config.entryPoints['web']?.listen.port).toBe(8000)
  expect(config.entryPoints['admin']?.listen.port).toBe(8080)
  expect(config.entryPoints['traefik']).toBeUndefined()
  expect(config.api).toMatchObject({ insecure: true, entryPoint: 'admin' })
  const routes = config.providers.file?.filename ?? ''
  const doc = parseLocated(readFile(routes) ?? '', routes)
  expect(doc.value).toMatchObject({ http: { routers: { whoami: { service: 'whoami@internal' } } } })
  expect(quickstartPath()).toMatch(/quickstart\.yml$/)
})
