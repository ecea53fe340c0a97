// workers/cache/bounded.ts: things kept by a key, so many of them and so many bytes at the most; core/cache/contract.ts is
// the contract.
//
// Owner:  whoever asked for it; one worker's own. The one that was not used for longest gives way. Hot: get.

import { LRUCache } from 'lru-cache'
import type { BoundedCache } from '../../core/cache/contract.ts'

export class Bounded<T extends object> implements BoundedCache<T> {
  private readonly index: LRUCache<string, T>

  constructor(entriesMax: number, bytesMax: number) {
    this.index = new LRUCache({ max: entriesMax, maxSize: bytesMax })
  }

  get size(): number {
    return this.index.size
  }

  get(key: string): T | undefined {
    return this.index.get(key)
  }

  set(key: string, value: T, bytes: number): void {
    this.index.set(key, value, { size: bytes })
  }

  delete(key: string): void {
    this.index.delete(key)
  }
}
