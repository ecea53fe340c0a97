// core/cache/tier.ts: the second tier of a cache, which several gateways share: where it is, and what may go there. Redis is
// asked by workers/cache. Hot: no; types.

import type { StorePlan } from '../rate/store.ts'

// Plain data: it travels to workers within the options of the middleware.
export interface TierPlan {
  readonly store: StorePlan // `timeoutMs` is how long a request waits for it
  readonly entryBytesMax: number // of one body
}

// What this cache's own options say of responses, whoever wrote them.
export interface TierPolicy {
  readonly maxTtlMs: number
  readonly storesCookies: boolean
}
