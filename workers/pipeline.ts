// workers/pipeline.ts: the life of an exchange inside a worker, from its head to its server; responses.ts has the way
// back. Engines and upstream connections know this door only.
//
// Hot:    yes. Engines and upstream connections call in; nothing here keeps a closure or a promise.
//
//   begin -> normalise -> trust -> match -> middlewares -> pick a server -> send
//                                   wake --->  |  | WAIT                     |
//        answer (local) <-----------------------'      upstreamHead <--------'
//             |                                            |
//             '----> response phases, in reverse <---------'
//                              |
//                    sendHead, sendBody, sendEnd -> finish -> account -> release
//
// Failure edges: downstreamGone (the client left), upstreamFailed (retry, 502/504, or abort when the head is
// out already), REPLACE (a middleware wants another response). Each ends in finish().

import type { Buffer } from 'node:buffer'
import {
  CLIENT_GONE,
  CONNECT_REFUSED,
  INTERNAL,
  MIDDLEWARE_FAILED,
  MISDIRECTED,
  NONE,
  NO_ROUTER,
  NO_SERVER,
  REWRITE_INVALID,
  errorTable,
} from '../core/errors.ts'
import {
  BODY_NONE,
  DOWNSTREAM_DONE,
  METHOD_CONNECT,
  SAW_ALIAS,
  SAW_MANAGED,
  SAW_UPGRADE,
  UPSTREAM_DONE,
  hasRequestBody,
} from '../core/exchange.ts'
import { stripManaged } from '../core/forwarded.ts'
import type { Head } from '../core/headers.ts'
import {
  AGAIN,
  ANSWERED,
  type Middleware,
  NEXT,
  type Verdict,
  WAIT,
} from '../core/middleware/contract.ts'
import { refuseWith } from '../core/middleware/refuse.ts'
import { normalise } from '../core/normalise.ts'
import { protocolOf } from '../core/request-protocol.ts'
import type { Matcher } from '../core/route/matcher.ts'
import type { WorkerContext } from './context.ts'
import {
  breakOff,
  closeFile,
  closeResponseFile,
  finish,
  installEndings,
  leaveServer,
  leaveUpstream,
} from './endings.ts'
import { enterFailover, fallBack, installFailover } from './failover.ts'
import {
  VIA,
  failResponse,
  installResponses,
  refuse,
  sendAnswer,
  sendHeadNow,
} from './responses.ts'
import { headToSend } from './request-head.ts'
import { awaitsBody } from './body-ahead.ts'
import { collects, hasKept, isHere, keepEnd, keepPiece, sendKept, takesMore } from './keeping.ts'
import { installResponseFiles } from './response-file.ts'
import { type RetryAnswer, installRetrying, letBodyFlow, tryAgain } from './retrying.ts'
import { installRewriting, passEnd, passPiece } from './rewriting.ts'
import { installSpooling } from './spooling.ts'
import { enterStage, hasPassed, noStage } from './stages.ts'
import { tellDefect } from './socket.ts'
import type { Server } from './upstream/server.ts'
import type { LiveExchange } from './live-exchange.ts'
import type { LiveRouter } from './live-generation.ts'
import type { LiveService } from './live-service.ts'

export * from './responses.ts'
export * from './retrying.ts'

let context: WorkerContext

export function install(worker: WorkerContext): void {
  context = worker
  installEndings(worker)
  installResponses(worker, forward)
  installRetrying(worker, forward)
  installRewriting(requestFailed, failResponse, sendHeadNow)
  installFailover(forward)
  installSpooling(worker, wake, requestFailed)
  installResponseFiles(worker, failResponse, sendHeadNow)
}

// ---- from the engine

// The head of a request has arrived. What is left of the body is delivered by requestBody unless
// exchange.requestHeld says to wait for resumeBody.
export function begin(exchange: LiveExchange): void {
  exchange.startedAt = context.sweeper.turnNow()
  context.adoptIfNew()
  context.begun(exchange)
  if (context.counts) exchange.protocol = protocolOf(exchange)
  const point = exchange.point!
  const fault = normalise(exchange, point.policy)
  if (fault !== 0) return refuse(exchange, fault)
  if (exchange.methodId === METHOD_CONNECT) return refuse(exchange, CONNECT_REFUSED)
  const trusted = point.trusts(exchange.clientAddress)
  if ((exchange.facts & (SAW_MANAGED | SAW_ALIAS)) !== 0) stripManaged(exchange, trusted)
  const { generation } = context
  const router = generation.match(exchange)
  if (exchange.tls !== null && generation.isMisdirected(exchange, router))
    return refuse(exchange, MISDIRECTED)
  if (router === null) return refuse(exchange, NO_ROUTER)
  exchange.router = router
  exchange.route = router
  exchange.stage = router
  const { overload } = context
  if (overload.looksAt(exchange.startedAt) && overload.holds(exchange, router.priority)) return
  run(exchange)
}

// Until overload/admission.ts wakes it: the middlewares of the router come then.
export function hold(exchange: LiveExchange): void {
  wait(exchange, WAIT)
}

// A request that was refused before it was understood: a bad head, a timeout. It has no route.
export function beginRefused(exchange: LiveExchange, code: number): void {
  exchange.errorPages = false // nor do we know what it accepts
  exchange.startedAt = context.sweeper.turnNow()
  context.begun(exchange)
  refuse(exchange, code)
}

// A request of our own (side-request.ts): it has no router, and goes to a service as it is.
export function beginSide(exchange: LiveExchange, service: LiveService): void {
  exchange.stage = noStage
  forward(exchange, service)
}

// A copy of another exchange goes on by itself, from the position that it was given (cache/refresh.ts).
export function resume(exchange: LiveExchange): void {
  run(exchange)
}

// Runs what is left of the current stage's middlewares and goes on to what is behind it.
function run(exchange: LiveExchange): void {
  const stage = exchange.stage!
  const { middlewares } = stage
  if (middlewares !== null) {
    while (exchange.step < middlewares.length) {
      const middleware = middlewares[exchange.step]!
      exchange.step++ // before the call: a middleware that waits resumes after itself
      const verdict = runMiddleware(exchange, middleware)
      if (verdict === NEXT) continue
      if (verdict === ANSWERED) answered(exchange)
      else wait(exchange, verdict)
      return
    }
  }
  if (stage.children !== null) return runChild(exchange, stage.children)
  const service = stage.service()
  if (service === null) refuse(exchange, NO_SERVER)
  else forward(exchange, service)
}

// The body is not read meanwhile, unless it is what is waited for.
function wait(exchange: LiveExchange, verdict: Verdict): void {
  exchange.waiting = true
  exchange.again = verdict === AGAIN
  const isWanted = collects(exchange)
  if (exchange.requestComplete || !hasRequestBody(exchange)) return
  exchange.requestHeld = !isWanted
  if (isWanted) return
  exchange.downstream!.pauseBody(exchange)
}

// Ends a wait; see core/middleware/worker.ts. The exchange may have ended, and be another one by now.
export function wake(exchange: LiveExchange, serial: number, verdict: Verdict): void {
  if (exchange.serial !== serial || !exchange.waiting || exchange.downstream === null) return
  exchange.waiting = false
  const held = exchange.requestHeld
  if (exchange.again) {
    exchange.again = false
    if (verdict === NEXT) exchange.step--
  }
  if (verdict === ANSWERED) answered(exchange)
  else if (exchange.lacksBody) forwardWithBody(exchange)
  else run(exchange)
  if (held) letBodyFlow(exchange, serial)
}

function waitForBody(exchange: LiveExchange, service: LiveService): void {
  service.countAwaited(context)
  wait(exchange, WAIT)
}

function forwardWithBody(exchange: LiveExchange): void {
  exchange.lacksBody = false
  forward(exchange, exchange.service!)
}

// A middleware that throws is a defect of ours. It fails closed: the request goes no further.
function runMiddleware(exchange: LiveExchange, middleware: Middleware): Verdict {
  try {
    return middleware.onRequest(exchange)
  } catch (defect) {
    tellDefect(defect)
    return refuseWith(exchange, MIDDLEWARE_FAILED, 0)
  }
}

function answered(exchange: LiveExchange): void {
  exchange.requestHeld = false // what is left of the body has nowhere to go
  if (exchange.error !== 0) context.countError(exchange.error)
  sendAnswer(exchange)
}

function runChild(exchange: LiveExchange, children: Matcher<LiveRouter>): void {
  const child = children.match(exchange)
  if (child === null) return refuse(exchange, NO_ROUTER)
  exchange.router = child
  exchange.route = child
  enterStage(exchange, child)
  run(exchange) // at the most as deep as routers nest, which config bounds
}

// Services with middlewares of their own are stages too; composite services lead to their children.
function forward(exchange: LiveExchange, service: LiveService): void {
  exchange.service = service
  exchange.responseRewriter = null // of a response that was discarded
  if (service.stage !== null && !hasPassed(exchange, service.stage)) {
    enterStage(exchange, service.stage)
    return run(exchange)
  }
  if (service.internal !== null) {
    service.internal(exchange, context)
    return sendAnswer(exchange)
  }
  if (service.isComposite) {
    const child = service.pickChild(exchange)
    if (child === null) return refuse(exchange, NO_SERVER)
    const { failover } = service
    const isFirst = failover !== null && failover.fallback.current !== child
    const fault = isFirst ? enterFailover(exchange, failover) : NONE
    return fault === NONE ? forward(exchange, child) : refuse(exchange, fault)
  }
  const server = service.pick(exchange)
  if (server === null) refuse(exchange, NO_SERVER)
  else if (server.isHalfFull && awaitsBody(exchange)) waitForBody(exchange, service)
  else sendTo(exchange, service, server)
}

function sendTo(exchange: LiveExchange, service: LiveService, server: Server): void {
  exchange.wantsUpgrade = (exchange.facts & SAW_UPGRADE) !== 0 && !hasRequestBody(exchange)
  service.readdress(exchange, server)
  if (exchange.point!.plan.via && exchange.retries === 0 && !exchange.replaced)
    exchange.request.add('Via', VIA)
  const head = headToSend(exchange)
  if (head === '') return refuse(exchange, REWRITE_INVALID)
  const { serial } = exchange
  const send = ++exchange.send
  exchange.sentAt = context.sweeper.turnNow()
  exchange.server = server
  exchange.serverUrl = server.url
  if (exchange.point!.timesUpstream || service.watch !== null)
    exchange.upstreamStartedAt = context.sweeper.turnNow()
  server.inFlight++
  exchange.requestHeld = hasRequestBody(exchange)
  server.send(exchange, head)
  // It may have failed at once, and the exchange has been sent elsewhere meanwhile, with its body, or answered.
  if (exchange.serial !== serial || exchange.send !== send) return
  if (exchange.upstream === null) return
  exchange.requestHeld = false
  if (exchange.keeper !== null && hasKept(exchange)) sendKept(exchange)
}

// A connection is there for the exchange; it may have had to wait for one.
export function upstreamReady(exchange: LiveExchange): void {
  if (!exchange.requestHeld) return
  exchange.requestHeld = false
  if (exchange.keeper !== null && hasKept(exchange)) return sendKept(exchange)
  exchange.downstream?.resumeBody(exchange)
}

// False: no more until resumeBody.
export function requestBody(
  exchange: LiveExchange,
  bytes: Buffer,
  from: number,
  to: number,
  owned: boolean,
): boolean {
  exchange.requestBytes += to - from
  if (exchange.keeper !== null && exchange.bodyKind !== BODY_NONE) {
    const { keeper } = exchange
    const collected = keeper.collects
    const fault = keepPiece(exchange, bytes, from, to)
    if (fault !== NONE) requestFailed(exchange, fault)
    if (collected) return keeper.collects ? takesMore(exchange) : goOnWithRest(exchange)
    if (exchange.sendingKept) return false // in its turn: it is the last of what was kept
  }
  if (exchange.requestHeld) requestFailed(exchange, INTERNAL) // an engine that does not wait: a defect
  if (exchange.upstream === null || exchange.bodyKind === BODY_NONE) return true // answered already: thrown away
  exchange.requestStarted = true
  return passPiece(exchange, bytes, from, to, owned)
}

// What was collected is all that is waited for; the client's next bytes come when the server has got it, or at once where
// the next middleware collects them too.
function goOnWithRest(exchange: LiveExchange): boolean {
  const { serial } = exchange
  exchange.downstream?.pauseBody(exchange)
  if (exchange.waiting) wake(exchange, serial, NEXT)
  if (exchange.serial === serial && exchange.waiting && collects(exchange))
    exchange.downstream?.resumeBody(exchange)
  return true // who takes the rest has resumed it, or will
}

export function requestEnd(exchange: LiveExchange, trailers: Head | null): void {
  exchange.requestComplete = true
  if (exchange.bodyKind === BODY_NONE) return
  if (exchange.keeper !== null && keepEnd(exchange, trailers)) {
    if (exchange.waiting && isHere(exchange)) wake(exchange, exchange.serial, NEXT)
    return
  }
  passEnd(exchange, trailers)
}

export function requestFlush(exchange: LiveExchange): void {
  exchange.upstream?.flush()
}

// The request can't be read to its end: the server must not take what it got for whole.
export function requestFailed(exchange: LiveExchange, code: number): void {
  leaveUpstream(exchange)
  exchange.bodyKind = BODY_NONE
  if (exchange.bodyFile !== null) closeFile(exchange)
  if (exchange.downstream === null) return // answered whole already
  if (exchange.wroteHead) return failResponse(exchange, code)
  refuse(exchange, code)
}

// The client can take more of the response.
export function downstreamWritable(exchange: LiveExchange): void {
  exchange.upstream?.resume(exchange)
}

// The client is gone, or was given up on.
export function downstreamGone(exchange: LiveExchange, code: number): void {
  exchange.downstream = null
  if (exchange.error === 0 || code !== CLIENT_GONE) exchange.error = code
  if (!exchange.wroteHead) exchange.status = errorTable[code]!.status
  if (exchange.point !== null) context.countError(code)
  leaveUpstream(exchange)
  finish(exchange, DOWNSTREAM_DONE | UPSTREAM_DONE)
}

// The engine has sent the last byte and is through with the request.
export function downstreamDone(exchange: LiveExchange): void {
  finish(exchange, DOWNSTREAM_DONE)
}

// ---- from the upstream connection

export function upstreamWritable(exchange: LiveExchange): void {
  if (exchange.sendingKept) return sendKept(exchange)
  exchange.downstream?.resumeBody(exchange)
}

// The exchange has left its connection, which failed with `code`.
export function upstreamFailed(exchange: LiveExchange, code: number, retry: RetryAnswer): void {
  leaveServer(exchange)
  exchange.collector = null
  if (exchange.responseFile !== null) closeResponseFile(exchange)
  const downstream = exchange.downstream
  if (downstream === null) return finish(exchange, UPSTREAM_DONE)
  exchange.service!.watch?.failed(exchange, retry)
  if (!exchange.wroteHead) {
    if (tryAgain(exchange, code, retry)) return
    const isFallen = exchange.fallbacks !== null && fallBack(exchange, errorTable[code]!.status)
    return isFallen ? undefined : refuse(exchange, code)
  }
  breakOff(exchange, downstream, code)
}
