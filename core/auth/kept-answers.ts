// core/auth/kept-answers.ts: answers of the server that forwardAuth asks, kept for whoever asks the very same again.
//
// Owner:  the plan of the middleware, in each worker by itself: all its routers share them, a plan that changed begins with
//         none. Keys are a keyed hash (HMAC-SHA-256, whole) of the question; of an answer only what is used of it is kept.
// Hot:    find, once per request of a middleware with a cache; the hash is most of its cost.

import type { BoundedCache, CacheServices } from '../cache/contract.ts'
import { ABSENT, responseDirectives } from '../cache/directives.ts'
import { explicitLifetimeMs, initialAgeMs, type ExchangeTimes } from '../cache/freshness.ts'
import { Head } from '../headers.ts'
import type { SideAnswer } from '../middleware/worker.ts'
import { ownCopy } from '../normalise-host.ts'
import { eachLine } from './auth-answer.ts'
import type { KeyOptions } from './question-key.ts'

export interface AuthCacheOptions extends KeyOptions {
  readonly ttl: number // ms, of answers that let pass
  readonly refusedTtl: number // ms, of 401 and 403; 0: not kept
  readonly entriesMax: number
}

export const KEPT_BYTES_MAX = 32 * 1024 * 1024 // of one middleware in one worker
export const ANSWER_BYTES_MAX = 16 * 1024 // a longer one is not kept: refusals are pages now and then
const ENTRY_BYTES = 512 // what an entry costs beside its text

export interface KeptAnswer extends SideAnswer {
  readonly until: number
}

export class KeptAnswers {
  private readonly options: AuthCacheOptions
  private readonly cache: BoundedCache<KeptAnswer>

  constructor(options: AuthCacheOptions, services: CacheServices) {
    this.options = options
    this.cache = services.bounded<KeptAnswer>(options.entriesMax, KEPT_BYTES_MAX)
  }

  find(key: string, now: number): KeptAnswer | null {
    const found = this.cache.get(key)
    if (found === undefined) return null
    if (now < found.until) return found
    this.cache.delete(key)
    return null
  }

  // `wants`: whether a header, by its spelling, is used of an answer that lets pass. Its life begins when it was asked for.
  keep(
    key: string,
    answer: SideAnswer,
    times: ExchangeTimes,
    wants: (name: string) => boolean,
  ): void {
    const lifetime = lifetimeOf(answer, this.options, times)
    if (lifetime <= 0) return
    const { status } = answer
    if (!isPass(status) && answer.body.length > ANSWER_BYTES_MAX) return
    const headers = isPass(status) ? copyOf(answer.headers, wants) : copyOf(answer.headers, all)
    const body = isPass(status) ? nothing : answer.body.slice()
    const bytes = body.length + bytesOf(headers)
    if (bytes > ANSWER_BYTES_MAX) return
    const kept = { status, headers, body, until: times.askedAt + lifetime }
    this.cache.set(key, kept, bytes + ENTRY_BYTES)
  }
}

export function isPass(status: number): boolean {
  return status >= 200 && status < 300
}

// A cookie is for one client. What an answer says of its own life shortens it, and never makes it longer.
function lifetimeOf(answer: SideAnswer, options: AuthCacheOptions, times: ExchangeTimes): number {
  const { status, headers } = answer
  const isRefusal = status === 401 || status === 403
  const most = isPass(status) ? options.ttl : isRefusal ? options.refusedTtl : 0
  if (most <= 0 || headers.has('set-cookie')) return 0
  const directives = responseDirectives(headers.getAll('cache-control'))
  const { noStore, noCache, isPrivate, withheld, maxAge } = directives
  if (noStore || noCache || isPrivate || withheld.length > 0) return 0
  const said = explicitLifetimeMs(headers, directives, true, times.wallMs)
  if (said === ABSENT) return most
  const shortest = maxAge === ABSENT ? said : Math.min(said, maxAge * 1000)
  return Math.min(most, shortest - initialAgeMs(headers, times))
}

const nothing = new Uint8Array(0)
const all = (): boolean => true

const noOffsets = new Int32Array(0)
const noIds = new Uint8Array(0)

// Own text: a piece of the answer's head would keep all of it. Nobody parses into the copy, so it needs no room for lines.
function copyOf(headers: Head, wants: (name: string) => boolean): Head {
  const copy = new Head()
  copy.offsets = noOffsets
  copy.ids = noIds
  eachLine(headers, (name, value) => {
    if (wants(name)) copy.add(ownCopy(name), ownCopy(value))
  })
  return copy
}

function bytesOf(head: Head): number {
  let bytes = 0
  for (let i = 0; i < head.extraCount; i++)
    bytes += head.extraNames[i]!.length + head.extraValues[i]!.length
  return bytes
}

const known = new WeakMap<object, KeptAnswers>()

// `owner`: the options of a plan, which all routers have in common.
export function keptAnswersOf(
  owner: object,
  options: AuthCacheOptions,
  services: CacheServices,
): KeptAnswers {
  let kept = known.get(owner)
  if (kept === undefined) {
    kept = new KeptAnswers(options, services)
    known.set(owner, kept)
  }
  return kept
}
