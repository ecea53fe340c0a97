// core/middleware/body.ts: what a middleware gives the pipeline that wants a body changed as it passes.
//
// A middleware puts one into exchange.requestRewriter (in onRequest) or exchange.responseRewriter (in onResponse),
// and sees to the head: what a rewritten body's length is, nobody knows before its end (announceRewritten).
// One per body and direction: a second middleware has to wrap the first one's. Hot: yes, per piece of such bodies.

import { BODY_CHUNKED, BODY_NONE, type Exchange } from '../exchange.ts'
import { CONTENT_LENGTH } from '../header-ids.ts'
import type { Head } from '../headers.ts'

export interface BodyRewriter {
  // A code of core/errors.ts once the body turned out to be none of its kind. It goes no further then.
  readonly fault: number
  // Whether trailers still follow the rewritten body.
  readonly keepsTrailers: boolean
  // What goes on in place of bytes[from..to), maybe nothing yet. The result is fresh: nobody writes to it again.
  piece(bytes: Uint8Array, from: number, to: number): Uint8Array
  // What comes behind the last piece; `trailers` came with it, null when there were none.
  end(trailers: Head | null): Uint8Array
}

// False: the response has no body that could be rewritten.
export function announceRewritten(exchange: Exchange): boolean {
  if (exchange.responseKind === BODY_NONE) return false
  exchange.response.removeId(CONTENT_LENGTH)
  exchange.responseKind = BODY_CHUNKED
  exchange.responseLength = 0
  return true
}
