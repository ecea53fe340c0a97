// workers/downstream/uws/response-head.ts: the head of a response as uWebSockets.js wants it.
//
// The whole head goes out as its "status": one call in place of one per header line (4 of them cost 1.3
// microseconds). That is safe because every line has passed our own parsers or Head.add's checks, so none
// holds CR or LF. uWebSockets.js adds Date and the framing (Content-Length or Transfer-Encoding) itself.
//
// Hot: yes.

import { Buffer } from 'node:buffer'
import { BODY_LENGTH } from '../../../core/exchange.ts'
import type { Exchange } from '../../../core/exchange.ts'
import { CONTENT_LENGTH, DATE } from '../../../core/header-ids.ts'
import { linesOf } from '../../../core/headers.ts'
import type { Head } from '../../../core/headers.ts'
import { dropFramingExtras } from '../../../core/h1/extras.ts'
import { hasNoBody } from '../../../core/h1/response-fields.ts'
import { statusPhrase } from '../../../core/h1/status.ts'
import { isFieldValue } from '../../../core/h1/text.ts'

const phrases: string[] = []
for (let status = 0; status < 600; status++) phrases[status] = status + ' ' + statusPhrase(status)

// "200 OK" CR LF "Name: value" CR LF ... without the last CR LF, which writeStatus adds.
export function headBlock(exchange: Exchange): string {
  const head = exchange.response
  if (head.extraCount > 0) dropExtras(head)
  dropLines(exchange)
  const { status } = exchange
  const first = exchange.reason === '' ? (phrases[status] ?? String(status)) : customLine(exchange)
  const lines = linesOf(head, head.linesStart)
  const length = lengthWithoutBody(exchange)
  if (lines === '') return first + length
  return first + '\r\n' + lines.slice(0, -2) + length
}

function dropLines(exchange: Exchange): void {
  const { response: head, methodId, status } = exchange
  const keepsLength = hasNoBody(methodId, status) && status !== 204
  const { ids, count } = head
  for (let line = 0; line < count; line++) {
    const id = ids[line]
    if (id === DATE || (id === CONTENT_LENGTH && !keepsLength)) head.drop(line)
  }
}

function dropExtras(head: Head): void {
  dropFramingExtras(head)
  head.remove('date')
}

// A response to HEAD says how long the body of a GET would be.
function lengthWithoutBody(exchange: Exchange): string {
  const { status, methodId } = exchange
  if (exchange.responseKind !== BODY_LENGTH || !hasNoBody(methodId, status)) return ''
  if (status === 204 || status === 304 || exchange.response.lineOf(CONTENT_LENGTH) >= 0) return ''
  return '\r\nContent-Length: ' + exchange.responseLength
}

function customLine(exchange: Exchange): string {
  return exchange.status + ' ' + (isFieldValue(exchange.reason) ? exchange.reason : '')
}

// uWebSockets.js would send a string as UTF-8; ours is one byte per character.
export function asWireBytes(text: string): string | Uint8Array {
  return beyondAscii.test(text) ? Buffer.from(text, 'latin1') : text
}

const beyondAscii = /[\x80-\xff]/
