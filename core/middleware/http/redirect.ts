// core/middleware/http/redirect.ts: what both redirect middlewares share: the answer.
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

export function answerRedirect(exchange: Exchange, location: string, permanent: boolean): Verdict {
  if (!isLocation(location)) return refuseWith(exchange, REWRITE_INVALID, 0)
  const status = redirectStatus(exchange, permanent)
  exchange.answer(status, NONE, statusPhrase(status), 'text/plain; charset=utf-8')
  exchange.response.add('Location', location)
  return ANSWERED
}
