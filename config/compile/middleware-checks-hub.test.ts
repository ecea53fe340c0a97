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

test('httpCache refuses a limit that holds nothing, and an entry above it', () => {
  expect(faultsOf({ store: { memory: { limit: '1Ki' } } })[0]).toMatch(/^store.memory.limit: /)
  expect(faultsOf({ store: { memory: { limit: '1Mi', entryLimit: '2Mi' } } })[0]).toMatch(
    /^store.memory.entryLimit: /,
  )
})

test('httpCache says what is wrong with its Redis', () => {
  const wrong = (redis: unknown): string | undefined => faultsOf({ store: { redis } })[0]
  expect(wrong({ endpoints: ['127.0.0.1:6379'], timeout: '20ms', database: 3 })).toBe(undefined)
  expect(wrong({ endpoints: ['redis://u:pw@h'] })).toMatch(/^store.redis.endpoints.0: /)
  expect(wrong({ endpoints: ['redis://u:pw@h'] })).not.toContain('pw')
  expect(wrong({ cluster: {}, database: 1 })).toMatch(/^store.redis.database: /)
  expect(wrong({ sentinel: {} })).toMatch(/^store.redis.sentinel.masterSet: /)
  expect(wrong({ timeout: '0s' })).toMatch(/^store.redis.timeout: /)
  expect(wrong({ timeout: '1m' })).toMatch(/^store.redis.timeout: /)
  expect(wrong({ entryLimit: '2Mi' })).toMatch(/^store.redis.entryLimit: /)
})
