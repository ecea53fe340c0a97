// config/compile/cache-plan.ts: httpCache as workers want it: where its second tier is, with the content of its TLS files.
// Hot: no.

import type { HttpCacheOptions } from '../../core/middleware/http/http-cache.ts'
import type { MiddlewareOptions } from '../dynamic/middlewares.ts'
import { type Place, planStore } from './limit-plan.ts'

const DIAL_MS = 5000 // nobody waits for it

export function planHttpCache(
  place: Place,
  config: MiddlewareOptions<'httpCache'>,
): HttpCacheOptions {
  const { memory, redis } = config.store
  if (redis === null) return { ...config, store: { memory, redis: null } }
  const at = [...place.at, 'store', 'redis']
  const store = planStore({ ...place, at }, redis, DIAL_MS)
  const tier = { store, entryBytesMax: redis.entryLimit }
  return { ...config, store: { memory, redis: tier } }
}
