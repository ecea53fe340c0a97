// The bench's configuration against the real schema: a key that is misspelt here would measure something else.

import { rmSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { parseLocated } from '../../config/located.ts'
import { readDocument } from '../../config/read-document.ts'
import { loadStatic } from '../../config/sources.ts'
import { workFolder } from '../folders.ts'
import { defaultOptions } from './contract.ts'
import { dynamicText, staticText } from './sluice-config.ts'

// The certificate of the bench: a test's process may be ended before its exit handlers have run.
afterAll(() => rmSync(workFolder, { recursive: true, force: true }))

const options = { ...defaultOptions(9001, null), hasMiddlewares: true, isCoalescing: true }

test.each(['node', 'uws'] as const)(
  'The static file for %s is accepted without a warning.',
  (engine) => {
    const text = staticText({ ...options, engine }, { web: 8001, admin: 8002 }, '/srv/dynamic.yml')
    const readFile = (path: string): string | null => (path === '/srv/sluice.yml' ? text : null)
    const argv = ['--configFile=sluice.yml']
    const loaded = loadStatic({ argv, env: {}, cwd: '/srv', readFile, cores: 2 })
    expect(loaded.problems).toEqual([])
    expect(loaded.config.workers).toBe(1)
    expect(loaded.config.entryPoints['web']?.engine).toBe(engine)
    expect(loaded.config.accessLog ?? null).toBe(null)
  },
)

test.each([0, 100])('The routing file with %d routes is accepted without a warning.', (routes) => {
  const document = readDocument(parseLocated(dynamicText({ ...options, routes }, 3), 'dynamic.yml'))
  expect(document.problems).toEqual([])
  const objects = [document.routers, document.services, document.middlewares, document.transports]
  expect(objects.map((found) => found.length)).toEqual([(routes || 1) + 1, 1, 4, 1])
  for (const found of objects.flat()) {
    expect(found).toMatchObject({ errors: [], warnings: [] })
    expect(found.config).not.toBe(null)
  }
})

// The section of each protocol, how many routers and services it has, and where it forwards to.
test.each([
  ['tls', 'routers', 'services', 'http://127.0.0.1:9001'],
  ['grpc', 'routers', 'services', 'h2c://127.0.0.1:9001'],
  ['websocket', 'routers', 'services', 'http://127.0.0.1:9001'],
  ['tcp', 'tcpRouters', 'tcpServices', '127.0.0.1:9001'],
  ['udp', 'udpRouters', 'udpServices', '127.0.0.1:9001'],
] as const)(
  'The configuration of %s is accepted without a warning.',
  (protocol, routers, services, target) => {
    const asked = { ...defaultOptions(9001, null), protocol }
    const text = staticText(asked, { web: 8001, admin: 8002 }, '/srv/dynamic.yml')
    const readFile = (): string => text
    const argv = ['--configFile=/srv/sluice.yml']
    const loaded = loadStatic({ argv, env: {}, cwd: '/srv', readFile, cores: 2 })
    expect(loaded.problems).toEqual([])
    const document = readDocument(parseLocated(dynamicText(asked), 'dynamic.yml'))
    expect(document.problems).toEqual([])
    for (const found of [...document[routers], ...document[services]]) {
      expect(found).toMatchObject({ errors: [], warnings: [] })
    }
    expect(document[routers].length).toBe(1)
    expect(JSON.stringify(document[services][0]?.config)).toContain(`"${target}"`)
  },
)
