// core/cache/serving.ts: makes a stored response the response of an exchange: whole, one range of it, or 304.
//
// Hot: yes, once per hit. Without conditions and ranges nothing is parsed and no text is made but the Age.

import { BODY_LENGTH, BODY_NONE, type Exchange } from '../exchange.ts'
import { type CacheEntry, ageSeconds } from './entry.ts'
import { type ByteRange, UNSATISFIABLE, WHOLE, rangeOf } from './byte-range.ts'
import { type Conditions, isUnchanged } from './preconditions.ts'
import { applyHead } from './stored-head.ts'

// What of a stored head says nothing to a client that keeps its own body (RFC 9110, section 15.4.5).
const bodyFields = ['content-length', 'content-type', 'content-encoding', 'content-range']

// `asked` is null for requests without conditions and range. Lines that earlier phases have added are gone.
export function serve(
  exchange: Exchange,
  entry: CacheEntry,
  asked: Conditions | null,
  now: number,
  wallMs: number,
): void {
  applyHead(entry.head, exchange.response)
  exchange.response.add('Age', String(ageSeconds(entry, now)))
  exchange.reason = ''
  exchange.error = 0
  if (asked === null) return whole(exchange, entry)
  if (isUnchanged(entry, asked, wallMs)) return notModified(exchange)
  const range = rangeOf(entry, asked)
  if (range === WHOLE) whole(exchange, entry)
  else if (range === UNSATISFIABLE) unsatisfiable(exchange, entry)
  else partial(exchange, entry, range)
}

function whole(exchange: Exchange, entry: CacheEntry): void {
  exchange.status = entry.status
  setBody(exchange, entry.body)
  if (entry.status === 204) exchange.responseKind = BODY_NONE
}

function notModified(exchange: Exchange): void {
  for (const name of bodyFields) exchange.response.remove(name)
  exchange.status = 304
  setBody(exchange, '')
  exchange.responseKind = BODY_NONE
}

function partial(exchange: Exchange, entry: CacheEntry, { from, to }: ByteRange): void {
  exchange.status = 206
  exchange.response.set('Content-Range', `bytes ${from}-${to - 1}/${entry.body.length}`)
  setBody(exchange, entry.body.subarray(from, to))
}

function unsatisfiable(exchange: Exchange, entry: CacheEntry): void {
  for (const name of bodyFields) exchange.response.remove(name)
  exchange.status = 416
  exchange.response.set('Content-Range', `bytes */${entry.body.length}`)
  setBody(exchange, '')
}

// A response phase that wants the body whole finds it where it looks for collected ones.
function setBody(exchange: Exchange, body: string | Uint8Array): void {
  exchange.answerBody = body
  exchange.responseBody = exchange.collectResponseMax > 0 && typeof body !== 'string' ? body : null
  exchange.responseKind = BODY_LENGTH
  exchange.responseLength = body.length
}
