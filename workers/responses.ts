// workers/responses.ts: the second half of an exchange: from the head of a response to its last byte.
//
// Hot:    yes. Upstream connections call in by way of pipeline.ts, which passes these functions on.
//
//   upstreamHead, sendAnswer, refuse -> response phases, in reverse -> sendHead -> sendBody -> sendEnd -> finish
//                                                |
//                                REPLACE: another service is asked: forward

import { Buffer } from 'node:buffer'
import { asBuffer } from './as-buffer.ts'
import {
  DRAINING,
  MIDDLEWARE_FAILED,
  NO_SERVER,
  RESPONSE_BODY_TOO_LARGE,
  SHED_PRIORITY,
  SHED_QUEUE,
} from '../core/errors.ts'
import {
  BODY_LENGTH,
  BODY_NONE,
  DOWNSTREAM_DONE,
  METHOD_GET,
  METHOD_HEAD,
  UPSTREAM_DONE,
} from '../core/exchange.ts'
import type { Head } from '../core/headers.ts'
import { BodyKeeper, COLLECT } from '../core/middleware/body-keeper.ts'
import type { Replacement } from '../core/middleware/contract.ts'
import { refuseWith } from '../core/middleware/refuse.ts'
import type { WorkerContext } from './context.ts'
import { closeResponseFile, finish, leaveServer, leaveUpstream } from './endings.ts'
import { fallBack } from './failover.ts'
import type { LiveExchange } from './live-exchange.ts'
import type { LiveService } from './live-service.ts'
import {
  endRewrittenResponse,
  hasEnded,
  holdsHead,
  recordAsItCame,
  rewriteResponse,
} from './rewriting.ts'
import { addStickyCookies } from './service-watch.ts'
import { tellDefect } from './socket.ts'
import { repeatInstead } from './retrying.ts'
import { responsePhases, sameAgain } from './stages.ts'
import { PIECE_BYTES, StoredBody } from './stored-body.ts'

export const VIA = '1.1 sluice' // RFC 9110, section 7.6.3; off by default

export { flushResponse } from './rewriting.ts'

let context: WorkerContext
let forward: (exchange: LiveExchange, service: LiveService) => void // the pipeline's

export function installResponses(worker: WorkerContext, ask: typeof forward): void {
  context = worker
  forward = ask
}

// ---- from the upstream connection

export function upstreamHead(exchange: LiveExchange): void {
  if (exchange.downstream === null) return
  if (exchange.point!.timesUpstream) exchange.upstreamHeadAt = context.sweeper.turnNow()
  exchange.service!.watch?.answered(exchange)
  if (exchange.fallbacks !== null && fallBack(exchange, exchange.status)) return
  if (exchange.stuck !== null) addStickyCookies(exchange)
  if (exchange.collectResponseMax > 0 && !exchange.replaced && exchange.responseKind !== BODY_NONE)
    exchange.collector = new BodyKeeper(exchange.collectResponseMax, COLLECT)
  else if (sendHead(exchange) && exchange.substituted) sendBodyOfAnswer(exchange)
}

export function upstreamInformational(exchange: LiveExchange): void {
  if (exchange.downstream === null) return
  exchange.downstream.sendInformational(exchange)
}

export function upstreamBody(
  exchange: LiveExchange,
  bytes: Buffer,
  from: number,
  to: number,
  owned: boolean,
): boolean {
  const downstream = exchange.downstream
  if (downstream === null) return true
  if (exchange.collector !== null) return collect(exchange, exchange.collector, bytes, from, to)
  if (exchange.recorder !== null) recordAsItCame(exchange, bytes, from, to)
  if (exchange.responseRewriter !== null) return rewriteResponse(exchange, bytes, from, to)
  exchange.responseBytes += to - from
  return downstream.sendBody(exchange, bytes, from, to, owned)
}

export function upstreamEnd(exchange: LiveExchange, trailers: Head | null): void {
  leaveServer(exchange)
  const downstream = exchange.downstream
  if (downstream === null) return finish(exchange, UPSTREAM_DONE)
  if (exchange.collector !== null) return sendCollected(exchange, exchange.collector)
  if (exchange.responseRewriter === null) {
    if (exchange.recorder !== null) exchange.recorder.end()
    downstream.sendEnd(exchange, trailers)
  } else if (!endRewrittenResponse(exchange, trailers)) return
  finish(exchange, UPSTREAM_DONE)
}

// ---- a response that is wanted whole before its head is sent

function collect(
  exchange: LiveExchange,
  collector: BodyKeeper,
  bytes: Buffer,
  from: number,
  to: number,
): boolean {
  if (!collector.keep(bytes, from, to)) {
    exchange.collector = null
    failClosed(exchange, RESPONSE_BODY_TOO_LARGE)
  }
  return true
}

// Trailers are left behind: a body with a length has none.
function sendCollected(exchange: LiveExchange, collector: BodyKeeper): void {
  exchange.collector = null
  exchange.responseBody = collector.whole()
  exchange.answerBody = exchange.responseBody
  exchange.responseKind = BODY_LENGTH
  exchange.responseLength = exchange.responseBody.length
  sendAnswer(exchange)
}

// ---- towards the client

// Sends exchange.response through the response phases of the middlewares that the request has passed. False: they have
// put another one in its place, which may be out already, or half of it, or the exchange may be another request's.
function sendHead(exchange: LiveExchange): boolean {
  const stage = exchange.stage
  if (stage !== null && !exchange.phasesFailed && (stage.hasResponse || exchange.outer !== null)) {
    if (goesElsewhere(exchange, safeResponsePhases(exchange))) return false
  }
  if (exchange.substituted && exchange.upstream !== null) leaveResponse(exchange)
  if (exchange.replaced) takeReplacementStatus(exchange)
  if (exchange.responseBody !== null) takeResponseBody(exchange, exchange.responseBody)
  if (!holdsHead(exchange)) sendHeadNow(exchange)
  return true
}

function goesElsewhere(exchange: LiveExchange, replacement: Replacement | null): boolean {
  if (exchange.phasesFailed) failClosed(exchange, MIDDLEWARE_FAILED)
  else if (replacement === sameAgain) repeatInstead(exchange)
  else return replacement !== null && replace(exchange, replacement)
  return true
}

// Nothing changes it any more; the rewriter of the body may have had the last word (rewriting.ts).
export function sendHeadNow(exchange: LiveExchange): void {
  const { via, altSvc } = exchange.point!.plan
  if (via) exchange.response.add('Via', VIA)
  if (altSvc !== '' && exchange.tls !== null) exchange.response.add('Alt-Svc', altSvc)
  exchange.wroteHead = true
  exchange.downstream!.sendHead(exchange)
}

function safeResponsePhases(exchange: LiveExchange): Replacement | null {
  try {
    return responsePhases(exchange)
  } catch (defect) {
    tellDefect(defect)
    exchange.phasesFailed = true // they are not run again, for the answer that says so
    return null
  }
}

// What a response phase was to hide, change or see whole must not go out: the client gets a 500 instead.
function failClosed(exchange: LiveExchange, code: number): void {
  leaveResponse(exchange)
  refuse(exchange, code)
}

// The client gets another one.
function leaveResponse(exchange: LiveExchange): void {
  if (exchange.upstream !== null) exchange.upstream.discardBody(exchange)
  leaveServer(exchange)
}

// What a rewriter makes of the body is not to be sent.
export function failResponse(exchange: LiveExchange, code: number): void {
  exchange.recorder = null
  if (!exchange.wroteHead) {
    if (exchange.error === code) exchange.phasesFailed = true // the answer that says so fails likewise
    return failClosed(exchange, code)
  }
  const { downstream } = exchange
  exchange.error = code
  context.countError(code)
  leaveUpstream(exchange)
  exchange.downstream = null
  downstream!.abort(exchange)
  finish(exchange, DOWNSTREAM_DONE | UPSTREAM_DONE)
}

// What was collected, or what a response phase has put in its place.
function takeResponseBody(exchange: LiveExchange, body: Uint8Array): void {
  exchange.answerBody = body
  if (exchange.responseKind === BODY_LENGTH) exchange.responseLength = body.length
}

// The page comes from the replacement, what it says of the request from the response that it replaced.
function takeReplacementStatus(exchange: LiveExchange): void {
  exchange.methodId = exchange.askedMethodId // counted and logged as what the client has asked
  exchange.method = exchange.askedMethod
  exchange.status = exchange.replacementStatus
  exchange.reason = ''
}

// Asks another service, with GET and without body, for the response. False: there is no such service.
// A HEAD stays one: a body behind its answer would be read as the next response.
function replace(exchange: LiveExchange, by: Replacement): boolean {
  const service = context.generation.service(by.service)
  if (service === null) return false
  exchange.replaced = true
  exchange.replacementHeaders = by.requestHeaders
  exchange.replacementStatus = by.status !== 0 ? by.status : exchange.status
  leaveResponse(exchange)
  exchange.askedMethodId = exchange.methodId
  exchange.askedMethod = exchange.method
  if (exchange.methodId !== METHOD_HEAD) {
    exchange.methodId = METHOD_GET
    exchange.method = 'GET'
  }
  exchange.bodyKind = BODY_NONE
  exchange.requestStarted = false
  exchange.forgetServer()
  exchange.fallbacks = null
  exchange.path = by.path
  exchange.query = by.query
  exchange.hasQuery = by.query !== ''
  exchange.pathChanged = true
  exchange.answerBody = ''
  exchange.responseBody = null
  exchange.responseRewriter = null
  exchange.recorder = null
  exchange.substituted = false
  forward(exchange, service)
  return true
}

// Sends what exchange.answer() has set.
export function sendAnswer(exchange: LiveExchange): void {
  if (sendHead(exchange)) sendBodyOfAnswer(exchange)
}

function sendBodyOfAnswer(exchange: LiveExchange): void {
  const { serial } = exchange
  if (exchange.downstream === null) return
  const body = exchange.answerBody
  const framed = exchange.responseKind === BODY_LENGTH || exchange.responseRewriter !== null
  if (body.length > 0 && exchange.methodId !== METHOD_HEAD && framed) {
    const bytes = typeof body === 'string' ? Buffer.from(body) : asBuffer(body)
    if (bytes.length > PIECE_BYTES) return sendInPieces(exchange, bytes)
    sendPiece(exchange, bytes, 0, bytes.length)
    if (hasEnded(exchange, serial)) return
  }
  answerSent(exchange)
}

function sendInPieces(exchange: LiveExchange, bytes: Buffer): void {
  const source = new StoredBody(bytes, sendPiece, answerSent)
  exchange.upstream = source
  source.resume(exchange)
}

// False: no more until downstreamWritable.
function sendPiece(exchange: LiveExchange, bytes: Buffer, from: number, to: number): boolean {
  if (exchange.responseRewriter !== null) return rewriteResponse(exchange, bytes, from, to)
  exchange.responseBytes += to - from
  return exchange.downstream!.sendBody(exchange, bytes, from, to, true)
}

function answerSent(exchange: LiveExchange): void {
  if (exchange.responseRewriter === null) exchange.downstream!.sendEnd(exchange, null)
  else if (!endRewrittenResponse(exchange, null)) return
  finish(exchange, UPSTREAM_DONE)
}

export function refuse(exchange: LiveExchange, code: number): void {
  exchange.requestHeld = false
  if (exchange.responseFile !== null) closeResponseFile(exchange)
  exchange.responseBody = null
  exchange.responseRewriter = null
  exchange.recorder = null
  exchange.substituted = false
  // What is sent of a page that could not be had is the status that it was to have.
  refuseWith(exchange, code, exchange.replaced ? exchange.replacementStatus : 0)
  if (passesSoon(code)) exchange.response.add('Retry-After', '1')
  context.countError(code)
  sendAnswer(exchange)
}

function passesSoon(code: number): boolean {
  return code === DRAINING || code === NO_SERVER || code === SHED_PRIORITY || code === SHED_QUEUE
}

// The server has switched protocols as it was asked to.
export function upstreamSwitched(exchange: LiveExchange): void {
  const downstream = exchange.downstream
  if (downstream === null) return
  exchange.tunnel = true
  exchange.responseKind = BODY_NONE
  if (sendHead(exchange)) downstream.beginTunnel(exchange)
}
