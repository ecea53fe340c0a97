// config/dynamic/middlewares-hub.ts: middlewares that Traefik has in Hub only, there below `plugin`. Hot: no.

import { z } from 'zod'
import { bytes, meta } from '../schema.ts'
import { hubRedisKeys } from './limits.ts'
import { block, extension, flag, list, off, text, time } from '../static/blocks.ts'

const parameter = () => z.object({ name: z.string().min(1), value: text(), fromHeader: text() })

const queryParam = {
  set: z.array(parameter()).default([]),
  append: z.array(parameter()).default([]),
  remove: z.array(z.object({ name: z.string().min(1) })).default([]),
  rename: z.array(z.object({ from: z.string().min(1), to: z.string().min(1) })).default([]),
}

// maxTtl, disableCacheStatusHeader and store.memory.limit are Hub's keys; the rest is ours.
const ours = { extension: true, note: '' }
// As limits name theirs; a request waits for an answer as long as `timeout`.
const cacheRedis = off({
  ...hubRedisKeys(),
  timeout: time(50),
  entryLimit: bytes.default(1_048_576),
})

const httpCache = {
  maxTtl: z.int().min(1).default(300), // seconds
  disableCacheStatusHeader: flag(false),
  cacheStatus: meta(flag(false), ours),
  heuristicFreshness: meta(flag(false), ours),
  storeSetCookie: meta(flag(false), ours),
  staleIfError: meta(time(0), ours),
  collapseTimeout: meta(time(5000), ours),
  store: block({
    memory: block({
      limit: bytes.default(52_428_800),
      entryLimit: meta(bytes.default(1_048_576), ours),
    }),
    redis: meta(cacheRedis, ours),
  }),
}

export type CacheRedisConfig = NonNullable<z.output<typeof cacheRedis>>

export const hubMiddlewares = {
  httpCache: extension(off(httpCache), 'Hub: plugin.httpCache'),
  queryParam: extension(off(queryParam), 'Hub: plugin.queryParam'),
  forceCase: extension(off({ headers: list() }), 'Hub: plugin.forcecase'),
}
