// core/cache/storing.ts: whether a response may be stored, and until when it may be used (RFC 9111, section 3).
//
// Without an explicit word of the server nothing is stored, unless heuristic freshness is switched on. Hot: no; once
// per response of a server to a GET that was not answered from here.

import type { Head } from '../headers.ts'
import { ABSENT, type ResponseDirectives, responseDirectives } from './directives.ts'
import { FOR_AUTHORIZED, NEVER_STALE, VALIDATE_ALWAYS } from './entry.ts'
import {
  type ExchangeTimes,
  explicitLifetimeMs,
  heuristicLifetimeMs,
  initialAgeMs,
} from './freshness.ts'
import { tagsOf } from './tags.ts'
import { targetedDirectives } from './targeted.ts'
import { varyNames } from './vary.ts'

export interface StoringPolicy {
  readonly maxTtlMs: number // nothing is fresh here for longer, whatever the server says
  readonly storesCookies: boolean // responses with Set-Cookie, which each client would get
  readonly heuristic: boolean
  readonly staleIfErrorMs: number // for responses that do not say
}

// Why a response is not stored; the words of the detail parameter of Cache-Status.
export type Refusal =
  | ''
  | 'status'
  | 'no-store'
  | 'private'
  | 'authorization'
  | 'set-cookie'
  | 'vary'
  | 'tags'
  | 'freshness'
  | 'framing'
  | 'size'
  | 'local'
  | 'rewritten' // another middleware has yet to say what the head will be

export interface Assessment {
  readonly refusal: Refusal // '' when it may be stored; the rest has no meaning otherwise
  readonly withheld: readonly string[] // fields that are not stored
  readonly vary: readonly string[]
  readonly tags: readonly string[]
  readonly bornAt: number
  readonly freshUntil: number
  readonly refreshUntil: number
  readonly errorUntil: number
  readonly flags: number
}

// RFC 9110, section 15.1: cacheable without an explicit lifetime.
const heuristicStatuses = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])
// What we know the meaning of, as must-understand asks (RFC 9111, section 5.2.2.3).
const knownStatuses = [
  302, 303, 307, 400, 401, 402, 403, 406, 409, 413, 415, 421, 422, 429, 451, 500, 502, 503, 504,
]
const understood = new Set([...heuristicStatuses, ...knownStatuses])

const refused = (refusal: Refusal): Assessment => ({
  refusal,
  withheld: [],
  vary: [],
  tags: [],
  bornAt: 0,
  freshUntil: 0,
  refreshUntil: 0,
  errorUntil: 0,
  flags: 0,
})

// Of a response to GET.
export interface Subject {
  readonly response: Head
  readonly status: number
  readonly authorized: boolean // the request had Authorization
  readonly endsWithConnection: boolean // the server's: exchange.endsWithConnection
}

// Whether it is about the URL. 206, 304 and 416 answer what one request has asked of it; the next one has not.
export function isOfUrl(status: number): boolean {
  return status >= 200 && status <= 999 && status !== 206 && status !== 304 && status !== 416
}

export function assess(subject: Subject, policy: StoringPolicy, times: ExchangeTimes): Assessment {
  const { response, status } = subject
  if (!isOfUrl(status)) return refused('status')
  // Then nobody can tell whether it is whole (section 3.3).
  if (subject.endsWithConnection) return refused('framing')
  const targeted = targetedDirectives(response.getAll('cdn-cache-control'))
  const directives = targeted ?? responseDirectives(response.getAll('cache-control'))
  const refusal = refusalBy(subject, directives, policy)
  if (refusal !== '') return refused(refusal)
  const vary = varyNames(response)
  if (vary === null) return refused('vary')
  const tags = tagsOf(response)
  if (tags === null) return refused('tags')
  const explicit = explicitLifetimeMs(response, directives, targeted === null, times.wallMs)
  const lifetime =
    explicit === ABSENT ? impliedLifetime(subject, directives, policy, times) : explicit
  const validates = response.has('etag') || response.has('last-modified')
  if (lifetime === ABSENT && !(directives.noCache && validates)) return refused('freshness')
  const initial = initialAgeMs(response, times)
  const limits = deadlines(Math.max(0, lifetime), initial, directives, policy, times)
  // It would never be used: nothing can be served of it, and nothing be asked about it.
  const used = Math.max(limits.freshUntil, limits.refreshUntil, limits.errorUntil)
  if (!validates && (directives.noCache || used <= times.answeredAt)) return refused('freshness')
  const { withheld } = directives
  return { refusal: '', withheld, vary, tags, ...limits, flags: flagsOf(directives) }
}

function refusalBy(
  { response, status, authorized }: Subject,
  directives: ResponseDirectives,
  policy: StoringPolicy,
): Refusal {
  if (directives.mustUnderstand && !understood.has(status)) return 'status'
  if (directives.noStore && !directives.mustUnderstand) return 'no-store'
  if (directives.isPrivate) return 'private'
  if (authorized && !mayAnswerAuthorized(directives)) return 'authorization'
  const setsCookie = response.has('set-cookie') && !directives.withheld.includes('set-cookie')
  return setsCookie && !policy.storesCookies ? 'set-cookie' : ''
}

function mayAnswerAuthorized(directives: ResponseDirectives): boolean {
  return directives.isPublic || directives.mustRevalidate || directives.sMaxage !== ABSENT
}

function impliedLifetime(
  { response, status }: Subject,
  directives: ResponseDirectives,
  policy: StoringPolicy,
  times: ExchangeTimes,
): number {
  if (!policy.heuristic) return ABSENT
  if (!heuristicStatuses.has(status) && !directives.isPublic) return ABSENT
  // Pragma in a response is no directive; beside a guess it is a reason not to make one.
  if (response.get('pragma')?.toLowerCase() === 'no-cache') return ABSENT
  return heuristicLifetimeMs(response, times.wallMs)
}

interface Deadlines {
  readonly bornAt: number
  readonly freshUntil: number
  readonly refreshUntil: number
  readonly errorUntil: number
}

const AGE_MAX_MS = 1e12 // of an age that nobody can tell; a number that the clock can be reckoned with

function deadlines(
  lifetimeMs: number,
  initialMs: number,
  directives: ResponseDirectives,
  policy: StoringPolicy,
  times: ExchangeTimes,
): Deadlines {
  const bornAt = times.answeredAt - Math.min(initialMs, AGE_MAX_MS)
  const freshUntil = Math.min(bornAt + lifetimeMs, times.answeredAt + policy.maxTtlMs)
  const staysFresh = directives.noCache || directives.mustRevalidate || directives.proxyRevalidate
  if (staysFresh) return { bornAt, freshUntil, refreshUntil: freshUntil, errorUntil: freshUntil }
  const { staleWhileRevalidate, staleIfError, sMaxage } = directives
  // s-maxage forbids stale answers as proxy-revalidate does (section 5.2.2.10), but for those that the server allows
  // by name in the same breath: "s-maxage=1, stale-while-revalidate=59" is what people write.
  const unasked = sMaxage === ABSENT ? policy.staleIfErrorMs : 0
  const forError = staleIfError > 0 ? staleIfError * 1000 : unasked
  return {
    bornAt,
    freshUntil,
    refreshUntil: freshUntil + staleWhileRevalidate * 1000,
    errorUntil: freshUntil + forError,
  }
}

function flagsOf(directives: ResponseDirectives): number {
  const { noCache, mustRevalidate, proxyRevalidate, sMaxage } = directives
  const never = noCache || mustRevalidate || proxyRevalidate || sMaxage !== ABSENT
  return (
    (noCache ? VALIDATE_ALWAYS : 0) |
    (never ? NEVER_STALE : 0) |
    (mayAnswerAuthorized(directives) ? FOR_AUTHORIZED : 0)
  )
}
