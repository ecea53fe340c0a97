// workers/downstream/uws/request.ts: turns what uWebSockets.js has parsed back into the bytes of a head and reads
// them with our own parser, so that facts, offsets and refusals are the same as with the `node` engine.
//
// Why again: its parser takes duplicate Host, two Content-Lengths, any Transfer-Encoding, "#" and bytes above
// 0x7f in a target and any method for good. Costs about a microsecond per request.
//
// Owner:  the listener's thread; one scratch buffer. Hot: yes.

import { Buffer } from 'node:buffer'
import { HEADER_VALUE, NONE, REQUEST_LINE, REQUEST_METHOD } from '../../../core/errors.ts'
import type { Exchange } from '../../../core/exchange.ts'
import { RequestParser } from '../../../core/h1/request.ts'
import type { HeadLimits } from '../../../core/limits.ts'
import type { HttpRequest } from './binding.ts'

// Methods of the IANA registry that are plain capital letters. What uWebSockets.js takes for a request may be
// the trailer section of the one before, whose first bytes then pose as the method; so nothing else passes.
const methods = new Set(
  (
    'ACL BIND CHECKIN CHECKOUT COPY DELETE GET HEAD LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL ' +
    'MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PROPFIND PROPPATCH PUT QUERY REBIND ' +
    'REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF'
  ).split(' '),
)

const SCRATCH_BYTES = 16 * 1024 // a larger head gets a buffer of its own

const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
const parser = new RequestParser()
let text = ''

function addLine(name: string, value: string): void {
  text += name + ': ' + value + '\r\n'
}

// False: not even answering is safe.
export function isMethodServed(method: string): boolean {
  return method === 'GET' || methods.has(method)
}

// Fills the exchange. Returns NONE or a code of core/errors.ts.
export function readHead(
  exchange: Exchange,
  method: string,
  request: HttpRequest,
  limits: HeadLimits,
): number {
  const query = request.getQuery()
  text = method + ' ' + request.getUrl()
  text += query === undefined ? ' HTTP/1.1\r\n' : '?' + query + ' HTTP/1.1\r\n'
  request.forEach(addLine)
  text += '\r\n'
  const bytes =
    text.length * 3 <= SCRATCH_BYTES ? scratch : Buffer.allocUnsafeSlow(Buffer.byteLength(text))
  const length = bytes.write(text, 0, 'utf8')
  // Bytes that were no UTF-8 have been replaced before we saw them: what is sent on would not be what came.
  const isChanged = length !== text.length && text.includes('\ufffd')
  text = ''
  if (isChanged) return HEADER_VALUE
  parser.reset()
  const result = parser.parse(exchange, bytes, 0, length, limits)
  if (result < 0) return -result
  return result === length ? NONE : REQUEST_LINE
}

export const METHOD_FAULT = REQUEST_METHOD
