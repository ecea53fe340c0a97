// workers/cache/purge-table.ts: what was purged, and when: for responses that were asked for before.
//
// Owner:  a Store, or its sweep. Bounded in purges and in characters; of those that gave way only the time of the last is
//         known, and what was asked for before that is not stored any more.
// Hot:    one look per response that is stored; while purges are swept, per hit.

import type { PurgeWish } from '../../core/cache/contract.ts'
import type { CacheEntry } from '../../core/cache/entry.ts'
import { PrefixTimes } from './prefix-times.ts'

const CHARACTERS_MAX = 4_194_304

export class PurgeTable {
  private readonly purgesMax: number
  private readonly urls = new Map<string, number>()
  private readonly tags = new Map<string, number>()
  private readonly prefixes = new PrefixTimes()
  private all = -Infinity
  private forgotten = -Infinity
  private characters = 0

  constructor(purgesMax: number) {
    this.purgesMax = purgesMax
  }

  add(at: number, wish: PurgeWish): void {
    if (wish.all) this.all = Math.max(this.all, at)
    else if (wish.url !== '') this.put(this.urls, wish.url, at)
    else if (wish.tag !== '') this.put(this.tags, wish.tag, at)
    else if (wish.prefix !== '') this.put(this.prefixes, wish.prefix, at)
  }

  private put(purges: Map<string, number>, value: string, at: number): void {
    const before = purges.get(value)
    if (before === undefined) this.characters += value.length
    else purges.delete(value) // and to the end, as the youngest
    purges.set(value, Math.max(before ?? 0, at))
    while (this.size > this.purgesMax || this.characters > CHARACTERS_MAX) this.forget()
  }

  private forget(): void {
    const purges = this.largest()
    const [oldest] = purges
    if (oldest === undefined) return
    purges.delete(oldest[0])
    this.characters -= oldest[0].length
    this.forgetUntil(oldest[1])
  }

  private largest(): Map<string, number> {
    const { urls, tags, prefixes } = this
    const larger = urls.size >= tags.size ? urls : tags
    return larger.size >= prefixes.size ? larger : prefixes
  }

  // Nothing is known of purges up to then.
  forgetUntil(at: number): void {
    this.forgotten = Math.max(this.forgotten, at)
  }

  private get size(): number {
    return this.urls.size + this.tags.size + this.prefixes.size
  }

  // Whether it may not be stored any more.
  covers(entry: CacheEntry): boolean {
    return entry.askedAt <= this.forgotten || this.means(entry)
  }

  // Whether a purge that is known is about it.
  means({ url, tags, askedAt }: CacheEntry): boolean {
    if (askedAt <= this.all || askedAt <= (this.urls.get(url) ?? -Infinity)) return true
    if (this.tags.size > 0 && tags.some((tag) => askedAt <= (this.tags.get(tag) ?? -Infinity)))
      return true
    return this.prefixes.means(url, askedAt)
  }
}
