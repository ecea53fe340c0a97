// cli/explain-request.ts: a method, a URL and headers as the exchange that a worker would make of them.
//
// The request is written as bytes and read by the codec of the data plane, so that what is explained is what
// would be served, and what would be refused is refused with the same code.

import { Buffer } from 'node:buffer'
import { AddressSet } from '../core/address.ts'
import { CONNECT_REFUSED, REQUEST_CUT } from '../core/errors.ts'
import { Exchange, METHOD_CONNECT } from '../core/exchange.ts'
import { stripManaged } from '../core/forwarded.ts'
import { RequestParser } from '../core/h1/request.ts'
import { normalise } from '../core/normalise.ts'
import type { EntryPointPlan } from '../workers/messages.ts'

export interface AskedUrl {
  readonly secure: boolean
  readonly authority: string // '' when only a path was given
  readonly target: string // path and query, byte for byte
}

// Nothing is corrected here: what is odd in the URL is for the codec to see. A fragment never leaves a client.
export function splitUrl(text: string): AskedUrl | null {
  const match = /^(?:(https?):\/\/([^/?#]*))?([/?][^#]*|\*)?(?:#.*)?$/is.exec(text)
  if (match === null || (match[2] === undefined && match[3] === undefined)) return null
  const path = match[3] ?? '/'
  const target = path.startsWith('?') ? '/' + path : path
  const authority = match[2] ?? ''
  return { secure: match[1]?.toLowerCase() === 'https', authority, target }
}

export interface AskedRequest {
  readonly method: string
  readonly url: AskedUrl
  readonly headers: readonly string[] // 'Name: value'
  readonly clientAddress: string
}

export interface Read {
  readonly exchange: Exchange
  readonly code: number // of core/errors.ts; 0 when the request is served
}

export function readRequest(asked: AskedRequest, point: EntryPointPlan): Read {
  const exchange = new Exchange()
  exchange.reset()
  exchange.entryPoint = point.name
  exchange.clientAddress = asked.clientAddress
  exchange.secure = asked.url.secure
  return { exchange, code: parse(exchange, asked, point) || admit(exchange, point) }
}

function parse(exchange: Exchange, asked: AskedRequest, point: EntryPointPlan): number {
  const { method, url, headers } = asked
  const hasHost = headers.some((line) => /^host:/i.test(line))
  const host = hasHost ? [] : [`Host: ${url.authority === '' ? 'localhost' : url.authority}`]
  const lines = [`${method} ${url.target} HTTP/1.1`, ...host, ...headers, '', '']
  const bytes = Buffer.from(lines.join('\r\n'))
  const end = new RequestParser().parse(exchange, bytes, 0, bytes.length, point.bounds)
  if (end < 0) return -end
  return end === bytes.length ? 0 : REQUEST_CUT
}

// What a worker does between reading a head and looking for its router; see begin in workers/pipeline.ts.
function admit(exchange: Exchange, point: EntryPointPlan): number {
  const fault = normalise(exchange, {
    sanitizePath: point.sanitizePath,
    encodeQuerySemicolons: point.encodeQuerySemicolons,
    allowEncoded: point.allowEncoded,
    underscoreHeaders: point.underscoreHeaders,
    connectionHeaders: new Set(point.connectionHeaders),
  })
  if (fault !== 0) return fault
  if (exchange.methodId === METHOD_CONNECT) return CONNECT_REFUSED
  const trusted =
    point.trustAll || new AddressSet(point.trustedIPs).contains(exchange.clientAddress)
  stripManaged(exchange, trusted)
  return 0
}
