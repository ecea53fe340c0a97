// core/route/samples.ts: requests as the parser and normalise leave them, for tests and benches. Not hot.

import { Exchange } from '../exchange.ts'
import { headerIdOf } from '../header-ids.ts'
import { NO_SLOT, hostAt, hostSlotOf } from '../normalise-host.ts'

export interface Request {
  readonly host: string
  readonly path: string
  readonly query: string
  readonly method: string
  readonly address: string
  readonly headers: readonly (readonly [string, string])[]
}

export function exchangeOf(request: Partial<Request>): Exchange {
  const exchange = new Exchange()
  exchange.reset()
  exchange.host = request.host ?? 'a.com'
  exchange.authority = exchange.host
  rememberHost(exchange)
  exchange.path = request.path ?? '/'
  exchange.routingPath = exchange.path
  exchange.query = request.query ?? ''
  exchange.hasQuery = exchange.query !== ''
  exchange.method = request.method ?? 'GET'
  exchange.clientAddress = request.address ?? '192.0.2.1'
  writeHead(exchange, request.headers ?? [])
  return exchange
}

// As normalise does it. An address of IPv6 without brackets is no authority and has no slot.
function rememberHost(exchange: Exchange): void {
  const slot = hostSlotOf(exchange.authority)
  if (slot === NO_SLOT || hostAt(slot) !== exchange.host) return
  exchange.hostSlot = slot
  exchange.host = hostAt(slot)
}

function writeHead(exchange: Exchange, headers: readonly (readonly [string, string])[]): void {
  const head = exchange.request
  head.text = `${exchange.method} ${exchange.path} HTTP/1.1\r\n`
  exchange.targetStart = exchange.method.length + 1
  exchange.targetEnd = exchange.targetStart + exchange.path.length
  head.linesStart = head.text.length
  for (const [name, value] of headers) {
    head.grow()
    const start = head.text.length
    const valueStart = start + name.length + 2
    head.offsets.set(
      [start, start + name.length, valueStart, valueStart + value.length],
      head.count * 4,
    )
    head.ids[head.count++] = headerIdOf(name.toLowerCase())
    head.text += `${name}: ${value}\r\n`
  }
  head.linesEnd = head.text.length
  head.text += '\r\n'
}
