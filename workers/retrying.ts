// workers/retrying.ts: whether a request that failed may be sent once more.
//
// Hot:    only when something has failed.

import {
  METHOD_DELETE,
  METHOD_GET,
  METHOD_HEAD,
  METHOD_OPTIONS,
  METHOD_PUT,
  METHOD_TRACE,
} from '../core/exchange.ts'
import { canSendAgain } from './keeping.ts'
import type { LiveExchange } from './live-exchange.ts'

export const RETRY_NEVER = 0
export const RETRY_IF_IDEMPOTENT = 1 // a reused connection died before any byte of the response
export const RETRY_ALWAYS = 2 // nothing was sent: another server may be asked, whatever the method
export const RETRY_ANYWHERE = 3 // the server has said that it did nothing with it: it may be asked again too
export type RetryAnswer =
  | typeof RETRY_NEVER
  | typeof RETRY_IF_IDEMPOTENT
  | typeof RETRY_ALWAYS
  | typeof RETRY_ANYWHERE

const ATTEMPTS_MAX = 2 // one retry

// RFC 9110, section 9.2.2. A body that has begun to flow is gone, unless it was kept: such a request is never sent twice.
export function mayRetry(exchange: LiveExchange, retry: RetryAnswer): boolean {
  if (exchange.attempts + 1 >= ATTEMPTS_MAX) return false
  if (exchange.requestStarted && !canSendAgain(exchange)) return false
  // The same server again would take as long to fail, twice dialTimeout in all.
  if (retry === RETRY_ALWAYS) return exchange.service!.servers.length > 1
  if (retry === RETRY_ANYWHERE) return true
  return retry === RETRY_IF_IDEMPOTENT && isIdempotent(exchange.methodId)
}

function isIdempotent(methodId: number): boolean {
  switch (methodId) {
    case METHOD_GET:
    case METHOD_HEAD:
    case METHOD_PUT:
    case METHOD_DELETE:
    case METHOD_OPTIONS:
    case METHOD_TRACE:
      return true
    default:
      return false
  }
}
