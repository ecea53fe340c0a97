// workers/store/stores.ts: the stores of one worker. Two middlewares that name the same Redis share its connection. Hot: no.

import type { LimitStore, StorePlan } from '../../core/rate/store.ts'
import { cryptoModule } from '../builtins.ts'
import { RedisLimitStore } from './limit-store.ts'

// Stores that no configuration names any more have closed their connection (limit-store.ts, IDLE); this bounds how many of
// them are remembered.
const STORES_MAX = 100

export class Stores {
  private readonly stores = new Map<string, RedisLimitStore>()
  private readonly say: (message: string) => void

  constructor(say: (message: string) => void) {
    this.say = say
  }

  // Its connection is begun at once, so that it is there when the first request comes.
  get(plan: StorePlan): LimitStore {
    const store = this.storeOf(plan)
    store.open()
    return store
  }

  private storeOf(plan: StorePlan): RedisLimitStore {
    const text = JSON.stringify(plan)
    const key = cryptoModule().createHash('sha256').update(text).digest('hex') // it holds secrets
    const known = this.stores.get(key)
    if (known !== undefined) return known
    if (this.stores.size >= STORES_MAX) this.forgetOldest()
    const store = new RedisLimitStore(plan, this.say)
    this.stores.set(key, store)
    return store
  }

  private forgetOldest(): void {
    const [oldest] = this.stores.keys()
    this.stores.get(oldest!)!.close()
    this.stores.delete(oldest!)
  }

  close(): void {
    for (const store of this.stores.values()) store.close()
  }
}
