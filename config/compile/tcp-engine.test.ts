import { expect, test } from 'vitest'
import { testEntryPoint, testFacts } from '../../test/support/facts.ts'
import { compile } from '../compile.ts'
import { parseLocated } from '../located.ts'

function compiled(entryPoints: readonly string[]) {
  const facts = {
    ...testFacts(),
    entryPoints: [
      testEntryPoint('web', 80),
      { ...testEntryPoint('fast', 81), engine: 'uws' as const },
    ],
  }
  const routes = {
    tcp: {
      routers: { db: { rule: 'HostSNI(`*`)', entryPoints, service: 'db' } },
      services: { db: { loadBalancer: { servers: [{ address: '10.0.0.7:5432' }] } } },
    },
  }
  const document = parseLocated(JSON.stringify(routes), 'routes.json')
  return compile(new Map([['file', [document]]]), facts, 1)
}

test('A TCP router on an entry point of engine uws is refused, with the reason', () => {
  const { generation, problems } = compiled(['fast'])
  expect(generation.tcpRouters.size).toBe(0)
  expect(problems.map((problem) => problem.message)).toEqual([
    'db@file: the entry point fast has engine uws; TCP routers need engine node',
  ])
})

test('A TCP router that names no entry point listens on those of engine node', () => {
  const { generation, problems } = compiled([])
  expect(problems).toEqual([])
  expect(generation.tcpRouters.get('db@file')?.entryPoints).toEqual(['web'])
})
