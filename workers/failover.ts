// workers/failover.ts: the other service of a failover is asked when the first one answers with a status it must not.
//
// Hot:    for exchanges on their way through a failover with `errors`; the others compare one field with null.
//
// A failover may lead to another one, so rules are a list, innermost first; each is used up when it is followed. An
// answer that the gateway makes for the server (502, 504) counts like one of the server's own, as in Traefik.

import { BODY_TOO_LARGE, NONE } from '../core/errors.ts'
import { BODY_LENGTH, hasRequestBody } from '../core/exchange.ts'
import { BodyKeeper, KEPT_MAX, TEE } from '../core/middleware/body-keeper.ts'
import type { Counter } from '../core/middleware/worker.ts'
import { leaveServer } from './endings.ts'
import { canSendAgain } from './keeping.ts'
import type { LiveExchange } from './live-exchange.ts'
import type { LiveService, ServiceCell } from './live-service.ts'
import { settleBody } from './retrying.ts'

// Of a service, made with it.
export interface FailoverRule {
  readonly statuses: readonly (readonly [from: number, to: number])[]
  readonly bodyMax: number // negative: a longer body is passed on and not asked again
  readonly fallback: ServiceCell
  readonly taken: Counter
}

export interface Fallback {
  readonly rule: FailoverRule
  readonly outer: Fallback | null
}

let forward: (exchange: LiveExchange, service: LiveService) => void // the pipeline's

export function installFailover(ask: typeof forward): void {
  forward = ask
}

// The exchange goes to the first service. NONE, or a code: its body is longer than can be asked again.
export function enterFailover(exchange: LiveExchange, rule: FailoverRule): number {
  const limits = rule.bodyMax >= 0
  const bytesMax = limits ? rule.bodyMax : KEPT_MAX
  exchange.fallbacks = { rule, outer: exchange.fallbacks }
  if (!hasRequestBody(exchange)) return NONE
  const isLong = exchange.bodyKind === BODY_LENGTH && exchange.bodyLength > bytesMax
  if (isLong && limits) return BODY_TOO_LARGE
  if (exchange.keeper !== null || isLong || exchange.requestStarted) return NONE
  exchange.keeper = new BodyKeeper(bytesMax, TEE)
  exchange.keeper.refusesMore = limits
  return NONE
}

// True: another service is asked, and this answer is nobody's.
export function fallBack(exchange: LiveExchange, status: number): boolean {
  const service = takeFallback(exchange, status)
  if (service === null) return false
  const { serial, requestHeld } = exchange
  const downstream = exchange.downstream!
  if (exchange.upstream !== null) exchange.upstream.discardBody(exchange)
  leaveServer(exchange)
  exchange.forgetServer()
  exchange.response.clear()
  exchange.requestStarted = false
  exchange.sendingKept = false
  forward(exchange, service)
  settleBody(exchange, downstream, serial, requestHeld)
  return true
}

function takeFallback(exchange: LiveExchange, status: number): LiveService | null {
  if (exchange.requestStarted && !canSendAgain(exchange)) return null
  for (let at = exchange.fallbacks; at !== null; at = at.outer) {
    const { statuses, fallback, taken } = at.rule
    if (!statuses.some(([from, to]) => status >= from && status <= to)) continue
    exchange.fallbacks = at.outer
    taken.add(1)
    return fallback.current
  }
  return null
}
