import { expect, test } from 'vitest'
import { middlewareSchema } from '../dynamic/middlewares.ts'
import { checkHttpCache } from './middleware-checks-hub.ts'

const faultsOf = (httpCache: unknown): string[] =>
  checkHttpCache(middlewareSchema.parse({ httpCache }).httpCache!).map(
    ({ key, message }) => `${key.join('.')}: ${message}`,
  )

test('httpCache takes sizes as Kubernetes and others write them', () => {
  for (const limit of ['50Mi', '50MiB', 52_428_800])
    expect(faultsOf({ store: { memory: { limit } } })).toEqual([])
})

test('httpCache refuses a limit that holds nothing, an entry above it, and Redis', () => {
  expect(faultsOf({ store: { memory: { limit: '1Ki' } } })[0]).toMatch(/^store.memory.limit: /)
  expect(faultsOf({ store: { memory: { limit: '1Mi', entryLimit: '2Mi' } } })[0]).toMatch(
    /^store.memory.entryLimit: /,
  )
  expect(faultsOf({ store: { redis: { endpoints: ['127.0.0.1:6379'] } } })[0]).toMatch(
    /^store.redis: .*not built yet/,
  )
})
