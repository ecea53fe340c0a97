// core/middleware/http/coded-head.ts: what the head of a response says of a body that is changed or compressed.
//
// Hot: yes, once per response of routers that do it.

import { BODY_LENGTH, METHOD_HEAD, type Exchange } from '../../exchange.ts'
import { CONTENT_LENGTH } from '../../header-ids.ts'
import type { Head } from '../../headers.ts'

const NO_TRANSFORM = /(?:^|[,\s])no-transform(?:[\s,;=]|$)/i

// Cache-Control: no-transform, of either side (RFC 9110, section 7.7).
export function forbidsTransform(head: Head): boolean {
  const first = head.get('cache-control')
  if (first === null) return false
  if (NO_TRANSFORM.test(first)) return true
  return head.getAll('cache-control').some((value) => NO_TRANSFORM.test(value))
}

// -1 when the head does not say. The answer to HEAD says what GET would have brought.
export function lengthOf(exchange: Exchange): number {
  if (exchange.responseKind === BODY_LENGTH) return exchange.responseLength
  if (exchange.methodId !== METHOD_HEAD) return -1
  const text = exchange.response.get('content-length')
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : -1
}

export function varyByEncoding(head: Head): void {
  for (const value of head.getAll('vary')) {
    if (/(?:^|,)\s*(?:accept-encoding|\*)\s*(?:,|$)/i.test(value)) return
  }
  head.add('Vary', 'Accept-Encoding')
}

// RFC 9110, section 8.8.1: bytes that are not the same have no strong tag in common.
export function weakenTag(head: Head): void {
  const tag = head.get('etag')
  if (tag !== null && !tag.startsWith('W/')) head.set('ETag', `W/${tag}`)
}

// Of the bytes as they were: RFC 9530, RFC 3230, RFC 1864.
export function dropDigests(head: Head): void {
  head.remove('content-digest')
  head.remove('repr-digest')
  head.remove('digest')
  head.remove('content-md5')
}

// The body has other bytes than the server's: no length, range, digest or strong tag of those is true of it.
export function describeChanged(head: Head): void {
  head.removeId(CONTENT_LENGTH)
  head.remove('accept-ranges')
  dropDigests(head)
  weakenTag(head)
}

export function setCoding(head: Head, coding: string): void {
  describeChanged(head)
  head.add('Content-Encoding', coding)
}
