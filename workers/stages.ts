// workers/stages.ts: the lists of middlewares that an exchange goes through: routers, then services.
//
// Hot:    yes. The common exchange has one stage, its router. A child router, or a service with middlewares
//         of its own, is a further one: what was passed before is kept in exchange.outer, so that response and
//         finish phases run for all of it, innermost first.

import { KEEP, RETRY, type Middleware, type Replacement } from '../core/middleware/contract.ts'
import type { Matcher } from '../core/route/matcher.ts'
import type { LiveExchange } from './live-exchange.ts'
import type { LiveRouter } from './live-generation.ts'
import type { LiveService } from './live-service.ts'

export interface Stage {
  readonly middlewares: readonly Middleware[] | null
  readonly hasResponse: boolean
  readonly hasFinish: boolean
  readonly children: Matcher<LiveRouter> | null // of a parent router
  service(): LiveService | null // what comes behind it when there are no children
}

// Of an exchange that no router has taken.
export const noStage: Stage = {
  middlewares: null,
  hasResponse: false,
  hasFinish: false,
  children: null,
  service: () => null,
}

export interface Passed {
  readonly stage: Stage
  readonly step: number
  readonly outer: Passed | null
}

export function enterStage(exchange: LiveExchange, stage: Stage): void {
  exchange.outer = { stage: exchange.stage!, step: exchange.step, outer: exchange.outer }
  exchange.stage = stage
  exchange.step = 0
}

export function hasPassed(exchange: LiveExchange, stage: Stage): boolean {
  if (exchange.stage === stage) return true
  for (let passed = exchange.outer; passed !== null; passed = passed.outer) {
    if (passed.stage === stage) return true
  }
  return false
}

// Stands for the answer of the same service to the same request.
export const sameAgain: Replacement = {
  service: '',
  path: '',
  query: '',
  status: 0,
  requestHeaders: null,
}

// In reverse order, for the middlewares that the request has passed. A replacement that is wanted ends it.
export function responsePhases(exchange: LiveExchange): Replacement | null {
  const wanted = responsePhasesOf(exchange, exchange.stage!, exchange.step)
  if (wanted !== null) return wanted
  for (let passed = exchange.outer; passed !== null; passed = passed.outer) {
    const replacement = responsePhasesOf(exchange, passed.stage, passed.step)
    if (replacement !== null) return replacement
  }
  return null
}

function responsePhasesOf(exchange: LiveExchange, stage: Stage, step: number): Replacement | null {
  if (!stage.hasResponse) return null
  const middlewares = stage.middlewares!
  for (let i = step - 1; i >= 0; i--) {
    const middleware = middlewares[i]!
    const verdict = middleware.hasResponse ? middleware.onResponse(exchange) : KEEP
    if (verdict === KEEP) continue
    if (verdict === RETRY) return sameAgain
    // An error page is not replaced by another one.
    const replacement = exchange.replaced ? null : middleware.replacement(exchange)
    if (replacement !== null) return replacement
  }
  return null
}

export function finishPhases(exchange: LiveExchange): void {
  if (exchange.stage !== null) finishPhasesOf(exchange, exchange.stage, exchange.step)
  for (let passed = exchange.outer; passed !== null; passed = passed.outer) {
    finishPhasesOf(exchange, passed.stage, passed.step)
  }
}

function finishPhasesOf(exchange: LiveExchange, stage: Stage, step: number): void {
  if (!stage.hasFinish) return
  const middlewares = stage.middlewares!
  for (let i = step - 1; i >= 0; i--)
    if (middlewares[i]!.hasFinish) middlewares[i]!.onFinish(exchange)
}
