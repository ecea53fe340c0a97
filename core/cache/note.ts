// core/cache/note.ts: what the cache keeps about a request that it could not answer, until its response comes.
//
// Owner: the exchange, in its notes, from onRequest to onFinish. Hot: one per request that goes to a server.

import type { RequestDirectives } from './directives.ts'
import type { CacheEntry } from './entry.ts'
import { SeenFields } from './fields.ts'
import type { Conditions } from './preconditions.ts'
import type { KeptBody } from './recorder.ts'
import { type Exchange, METHOD_GET } from '../exchange.ts'

export const FETCH = 0 // its response may be stored
export const LOOK = 1 // HEAD: its response may tell of what is stored
export const UNSAFE = 2 // its success ends what is stored of its URL
export const ASIDE = 3 // nothing of ours
export type Purpose = typeof FETCH | typeof LOOK | typeof UNSAFE | typeof ASIDE

export class CacheNote {
  purpose: Purpose
  readonly url: string
  readonly base: string // of the key: scope and URL
  readonly asked: RequestDirectives
  readonly conditions: Conditions | null
  readonly authorized: boolean
  seen: SeenFields | null = null // the request as it was
  place = '' // key under which others wait for it
  entry: CacheEntry | null = null // what is stored, but must not be served as it is
  validating = false // the server was asked whether `entry` is still right
  leads = false // others wait for what comes of it
  waits = 0 // how often it has waited for another one
  waiting = false
  askedTier = false // once, whatever came of it
  recording: KeptBody | null = null // of the response, ended or not
  background = false // nobody waits for its response but the store
  askedAt = 0

  constructor(
    purpose: Purpose,
    url: string,
    base: string,
    asked: RequestDirectives,
    conditions: Conditions | null,
    authorized: boolean,
  ) {
    this.purpose = purpose
    this.url = url
    this.base = base
    this.asked = asked
    this.conditions = conditions
    this.authorized = authorized
  }
}

// Range means something with GET only (RFC 9110, section 14.2).
export function conditionsOf({ request, methodId }: Exchange): Conditions {
  return {
    noneMatch: joined(request.getAll('if-none-match')),
    modifiedSince: request.get('if-modified-since'),
    range: methodId === METHOD_GET ? joined(request.getAll('range')) : null,
    ifRange: request.get('if-range'),
  }
}

function joined(lines: readonly string[]): string | null {
  return lines.length === 0 ? null : lines.join(', ')
}

// Asks whether the stored response is still right (RFC 9111, section 4.3.1), in place of what the client wants to know:
// that is answered from the response. False: there is nothing to ask about.
export function askAbout({ request }: Exchange, entry: CacheEntry): boolean {
  for (const name of ['if-none-match', 'if-modified-since', 'range', 'if-range'])
    request.remove(name)
  if (entry.etag !== '') request.add('If-None-Match', entry.etag)
  if (entry.lastModified !== '') request.add('If-Modified-Since', entry.lastModified)
  return entry.etag !== '' || entry.lastModified !== ''
}
