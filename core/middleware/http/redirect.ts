// core/middleware/http/redirect.ts: what redirect middlewares share: the answer, and the pieces of a URL.
//
// Hot: yes, on entry points that only redirect.

import { NONE, REWRITE_INVALID } from '../../errors.ts'
import { METHOD_GET } from '../../exchange.ts'
import type { Exchange } from '../../exchange.ts'
import { isTarget } from '../../h1/text.ts'
import { statusPhrase } from '../../h1/status.ts'
import { ANSWERED } from '../contract.ts'
import type { Verdict } from '../contract.ts'
import { refuseWith } from '../refuse.ts'

// 301 and 302 let a client turn any method into GET; 308 and 307 do not (RFC 9110, section 15.4). As in
// Traefik, only GET gets the older two.
export function redirectStatus(exchange: Exchange, permanent: boolean): number {
  if (exchange.methodId === METHOD_GET) return permanent ? 301 : 302
  return permanent ? 308 : 307
}

// A Location is made of visible ASCII only: anything else was escaped before, or is refused.
export function isLocation(location: string): boolean {
  const fragment = location.indexOf('#')
  if (fragment < 0) return isTarget(location)
  const anchor = location.slice(fragment + 1)
  return isTarget(location.slice(0, fragment)) && (anchor === '' || isTarget(anchor))
}

export function answerRedirect(exchange: Exchange, location: string, status: number): Verdict {
  if (!isLocation(location)) return refuseWith(exchange, REWRITE_INVALID, 0)
  exchange.answer(status, NONE, statusPhrase(status), 'text/plain; charset=utf-8')
  exchange.response.add('Location', location)
  return ANSWERED
}

export function isDefaultPort(scheme: string, port: string): boolean {
  return (scheme === 'http' && port === ':80') || (scheme === 'https' && port === ':443')
}

// Length of the host in "host", "host:1" or "[::1]:1".
export function hostLength(authority: string): number {
  const colon = authority.lastIndexOf(':')
  return colon < 0 || authority.endsWith(']') ? authority.length : colon
}

// A proxy in front may say "ws" for what is an HTTP request to this middleware.
export function schemeOf(exchange: Exchange): string {
  switch (exchange.request.get('x-forwarded-proto')?.toLowerCase()) {
    case 'https':
    case 'wss':
      return 'https'
    case 'http':
    case 'ws':
      return 'http'
    default:
      return exchange.secure ? 'https' : 'http'
  }
}
