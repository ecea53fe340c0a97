// core/h2/response-head.ts: the head of a response as an HTTP/2 header block.
//
// Owner:  nobody; functions over an exchange and the encoder of its connection.
// Hot:    yes, once per response.
//
// As core/h1/write.ts: Content-Length is sent when it is the number that the exchange counts by, and no field of
// one connection gets through (RFC 9113, section 8.2.2), whoever added it.

import { BODY_LENGTH, BODY_NONE, type Exchange } from '../exchange.ts'
import {
  CONNECTION,
  CONTENT_LENGTH,
  DATE,
  DROPPED,
  HTTP2_SETTINGS,
  KEEP_ALIVE,
  PROXY_CONNECTION,
  TE,
  TRANSFER_ENCODING,
  UNKNOWN,
  UPGRADE,
  headerIdOf,
} from '../header-ids.ts'
import type { Head } from '../headers.ts'
import { dropFramingExtras } from '../h1/extras.ts'
import { hasNoBody } from '../h1/response-fields.ts'
import type { HpackEncoder } from './hpack-encoder.ts'

const SKIPPED = new Uint8Array(256)
for (const id of [
  CONNECTION,
  KEEP_ALIVE,
  PROXY_CONNECTION,
  TRANSFER_ENCODING,
  UPGRADE,
  TE,
  HTTP2_SETTINGS,
  CONTENT_LENGTH,
  DROPPED,
]) {
  SKIPPED[id] = 1
}

// `date` for a response that brings none; '' for none at all. `tunnel`: the 101 of a server, which is a 200 here
// (RFC 8441, section 5); the key that it answers was ours.
export function encodeResponse(
  encoder: HpackEncoder,
  exchange: Exchange,
  date: string,
  tunnel: boolean,
): void {
  const head = exchange.response
  const status = tunnel ? 200 : exchange.status
  if (head.extraCount > 0) dropFramingExtras(head)
  encoder.begin()
  encoder.status(status)
  const length = lengthOf(exchange, tunnel)
  if (length !== '') encoder.fieldById(CONTENT_LENGTH, length)
  const dated = encodeLines(encoder, head, tunnel)
  if (!dated && date !== '' && status >= 200) encoder.fieldById(DATE, date)
}

function encodeLines(encoder: HpackEncoder, head: Head, tunnel: boolean): boolean {
  const { ids, count, extraNames, extraValues, extraCount } = head
  let dated = false
  for (let line = 0; line < count; line++) {
    const id = ids[line]!
    if (SKIPPED[id] === 1) continue
    if (id === UNKNOWN) {
      const name = head.nameAt(line)
      if (tunnel && name === 'sec-websocket-accept') continue
      encoder.field(name, head.valueAt(line))
      continue
    }
    if (id === DATE) dated = true
    encoder.fieldById(id, head.valueAt(line))
  }
  for (let i = 0; i < extraCount; i++) {
    const name = extraNames[i]!.toLowerCase()
    const id = headerIdOf(name)
    if (SKIPPED[id] === 1) continue
    if (id === DATE) dated = true
    encoder.field(name, extraValues[i]!)
  }
  return dated
}

// As responseFraming of core/h1/write.ts.
function lengthOf(exchange: Exchange, tunnel: boolean): string {
  const { status, response, responseKind, responseLength } = exchange
  if (tunnel) return ''
  if (hasNoBody(exchange.methodId, status)) {
    if (status < 200 || status === 204) return ''
    const line = response.lineOf(CONTENT_LENGTH)
    if (line >= 0) return response.valueAt(line)
    return responseKind === BODY_LENGTH && status !== 304 ? String(responseLength) : ''
  }
  if (responseKind === BODY_LENGTH) return String(responseLength)
  return responseKind === BODY_NONE ? '0' : ''
}

// A block that depends on nothing that was sent before: it can wait for its turn.
export function encodeTrailers(encoder: HpackEncoder, trailers: Head): void {
  encoder.begin()
  for (let line = 0; line < trailers.count; line++) {
    if (SKIPPED[trailers.ids[line]!] === 1) continue
    encoder.plainField(trailers.nameAt(line), trailers.valueAt(line))
  }
  for (let i = 0; i < trailers.extraCount; i++) {
    encoder.plainField(trailers.extraNames[i]!.toLowerCase(), trailers.extraValues[i]!)
  }
}
