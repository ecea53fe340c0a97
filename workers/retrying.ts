// workers/retrying.ts: requests that are sent once more: to another server, after a failure or instead of a response.
//
// Hot: no; only what has failed comes here.
//
//   a try failed -> once by itself: nothing was sent, or an idempotent request met a kept connection that was dead
//                -> by the policy of a retry middleware (core/middleware/http/retry.ts), perhaps after a pause
//                -> neither: the client is told
//
// RFC 9110, section 9.2.2: a request that may have been executed is repeated only if it is idempotent, or if the
// policy has been told otherwise.

import { hasRequestBody } from '../core/exchange.ts'
import { NONE } from '../core/errors.ts'
import { isIdempotent } from '../core/idempotency.ts'
import type { WorkerContext } from './context.ts'
import type { Downstream } from './downstream/contract.ts'
import { leaveServer } from './endings.ts'
import { canSendAgain } from './keeping.ts'
import type { LiveExchange } from './live-exchange.ts'
import type { LiveService } from './live-service.ts'

export const RETRY_NEVER = 0 // the server may have executed it
export const RETRY_IF_IDEMPOTENT = 1 // a reused connection died before any byte of the response
export const RETRY_ALWAYS = 2 // nothing was sent: another server may be asked, whatever the method
export const RETRY_ANYWHERE = 3 // the server has said that it did nothing with it: it may be asked again too
export const RETRY_ELSEWHERE = 4 // it was not asked, for want of room for one more: as RETRY_ALWAYS, but no failure of the server
export type RetryAnswer =
  | typeof RETRY_NEVER
  | typeof RETRY_IF_IDEMPOTENT
  | typeof RETRY_ALWAYS
  | typeof RETRY_ANYWHERE
  | typeof RETRY_ELSEWHERE

const BUILT_IN_TRIES_MAX = 2 // one retry without a policy

let context: WorkerContext
let forward: (exchange: LiveExchange, service: LiveService) => void // the pipeline's

export function installRetrying(worker: WorkerContext, ask: typeof forward): void {
  context = worker
  forward = ask
}

// A try has failed and no head is out. True: the exchange goes on.
export function tryAgain(exchange: LiveExchange, code: number, answer: RetryAnswer): boolean {
  if (exchange.requestStarted && !canSendAgain(exchange)) return false
  if (mayRepeatOnce(exchange, answer)) {
    exchange.attempts++
    repeat(exchange)
    return true
  }
  const { retry } = exchange
  if (retry === null || exchange.replaced) return false
  const mayHaveRun = answer === RETRY_NEVER || answer === RETRY_IF_IDEMPOTENT
  if (!retry.allows(exchange, code, mayHaveRun)) return false
  exchange.attempts++
  repeatLater(exchange, retry.delayMs(exchange))
  return true
}

function mayRepeatOnce(exchange: LiveExchange, answer: RetryAnswer): boolean {
  if (exchange.attempts + 1 >= BUILT_IN_TRIES_MAX) return false
  // The same server again would take as long to fail, twice dialTimeout in all.
  if (answer === RETRY_ALWAYS || answer === RETRY_ELSEWHERE)
    return exchange.service!.servers.length > 1
  if (answer === RETRY_ANYWHERE) return true
  return answer === RETRY_IF_IDEMPOTENT && isIdempotent(exchange.methodId)
}

// A response phase has said RETRY: its response is not the one that the client shall see.
export function repeatInstead(exchange: LiveExchange): void {
  if (exchange.upstream !== null) exchange.upstream.discardBody(exchange)
  leaveServer(exchange)
  exchange.collector = null
  exchange.responseBody = null
  exchange.responseRewriter = null
  exchange.recorder = null
  exchange.substituted = false
  exchange.answerBody = ''
  repeatLater(exchange, exchange.retry!.delayMs(exchange))
}

// What is left of the client's body waits meanwhile; it is not to flow into nothing.
function repeatLater(exchange: LiveExchange, ms: number): void {
  if (ms === 0) return repeat(exchange)
  const { serial, downstream } = exchange
  const send = ++exchange.send
  if (hasRequestBody(exchange) && !exchange.requestComplete) {
    exchange.requestHeld = true
    downstream!.pauseBody(exchange)
  }
  context.services.after(ms, () => {
    if (exchange.serial !== serial || exchange.send !== send) return
    if (exchange.downstream !== null) repeat(exchange)
  })
}

function repeat(exchange: LiveExchange): void {
  const { serial, requestHeld } = exchange
  const downstream = exchange.downstream!
  rememberTried(exchange)
  exchange.retries++
  exchange.requestStarted = false
  exchange.sendingKept = false
  exchange.error = NONE
  exchange.service!.countRetry(context)
  forward(exchange, exchange.service!)
  settleBody(exchange, downstream, serial, requestHeld)
}

// After another server was asked. A body that waits for the new connection is not to flow into nothing meanwhile; one that was
// held before, and is wanted now, goes on.
export function settleBody(
  exchange: LiveExchange,
  downstream: Downstream,
  serial: number,
  wasHeld: boolean,
): void {
  if (exchange.downstream === downstream && exchange.requestHeld) downstream.pauseBody(exchange)
  else if (wasHeld) letBodyFlow(exchange, serial)
}

function rememberTried(exchange: LiveExchange): void {
  if (exchange.triedServer < 0) return
  exchange.tried ??= []
  exchange.tried.push(exchange.triedServer)
}

// The engine was asked to hold the body back; where a server has a connection for it now, it may go on.
export function letBodyFlow(exchange: LiveExchange, serial: number): void {
  if (exchange.serial !== serial || exchange.requestHeld || exchange.sendingKept) return
  exchange.downstream?.resumeBody(exchange)
}
