// core/idempotency.ts: which requests may be sent twice.
//
// Hot: no; asked when a request has failed.

import {
  BODY_LENGTH,
  BODY_NONE,
  type Exchange,
  METHOD_DELETE,
  METHOD_GET,
  METHOD_HEAD,
  METHOD_OPTIONS,
  METHOD_PUT,
  METHOD_TRACE,
} from './exchange.ts'

// RFC 9110, section 9.2.2: twice has the effect of once. What we do not know is not of this kind.
export function isIdempotent(methodId: number): boolean {
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

// A body that has begun to flow is gone, unless it was kept; what a rewriter has made of it can't be made again.
export function isRepeatable(exchange: Exchange): boolean {
  const { bodyKind, keeper } = exchange
  if (bodyKind === BODY_NONE || (bodyKind === BODY_LENGTH && exchange.bodyLength === 0)) return true
  return keeper !== null && !keeper.overflowed && exchange.requestRewriter === null
}
