// core/auth/auth-request.ts: what forwardAuth tells the server that it asks: the headers of the request, and where it came from.
//
// Hot: no; once per request that is asked about.

import type { Exchange } from '../exchange.ts'
import {
  DROPPED,
  HOST,
  PROXY_AUTHENTICATE,
  PROXY_AUTHORIZATION,
  X_FORWARDED_FOR,
  X_FORWARDED_HOST,
  X_FORWARDED_METHOD,
  X_FORWARDED_PORT,
  X_FORWARDED_PROTO,
  X_FORWARDED_URI,
  X_REAL_IP,
  headerNames,
} from '../header-ids.ts'
import { foldedName } from '../middleware/own-headers.ts'
import { isFraming } from '../middleware/header-line.ts'
import { impliedValue, portFor } from '../forwarded.ts'
import { requestUri } from '../middleware/url.ts'

type Lines = (readonly [name: string, value: string])[]

// The client's are left out: they are for its connection, or said by us.
const replaced: ReadonlySet<string> = new Set(
  [
    HOST,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    X_FORWARDED_FOR,
    X_FORWARDED_HOST,
    X_FORWARDED_METHOD,
    X_FORWARDED_PORT,
    X_FORWARDED_PROTO,
    X_FORWARDED_URI,
  ].map((id) => headerNames[id]!),
)

// `wanted`: lower-case names; null for all. `trusts`: what a trusted proxy has said of the request's way is passed on.
export function headersForAuth(
  exchange: Exchange,
  wanted: ReadonlySet<string> | null,
  trusts: boolean,
): Lines {
  const lines: Lines = []
  const take = (name: string, value: string): void => {
    const lower = name.toLowerCase()
    if (isFraming(lower) || replaced.has(foldedName(name))) return
    if (wanted === null || wanted.has(lower)) lines.push([name, value])
  }
  const { request } = exchange
  for (let line = 0; line < request.count; line++) {
    if (request.ids[line] !== DROPPED) take(request.spellingAt(line), request.valueAt(line))
  }
  for (let i = 0; i < request.extraCount; i++) take(request.extraNames[i]!, request.extraValues[i]!)
  addForwarded(exchange, trusts, lines)
  // Only a trusted proxy's has come as far as here, and that one passed above.
  if (request.get('x-real-ip') === null) take('X-Real-Ip', impliedValue(exchange, X_REAL_IP))
  return lines
}

function addForwarded(exchange: Exchange, trusts: boolean, lines: Lines): void {
  const given = (name: string): string =>
    trusts ? exchange.request.getAll(name.toLowerCase()).join(', ') : ''
  const add = (name: string, value: string): void => {
    const said = given(name) || value
    if (said !== '') lines.push([name, said])
  }
  const before = given('X-Forwarded-For')
  const client = exchange.clientAddress.replace(/%.*$/, '')
  lines.push(['X-Forwarded-For', before === '' ? client : `${before}, ${client}`])
  add('X-Forwarded-Method', exchange.method)
  const proto = exchange.secure ? 'https' : 'http'
  add('X-Forwarded-Proto', proto)
  add('X-Forwarded-Host', exchange.authority)
  // Made anew it belongs to the scheme that is made anew, not to the one that a proxy in front has told.
  const implied = impliedValue(exchange, X_FORWARDED_PORT)
  add('X-Forwarded-Port', trusts ? implied : portFor(exchange, '', proto))
  add('X-Forwarded-Uri', requestUri(exchange))
}
