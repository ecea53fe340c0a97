// workers/internal.ts: the built-in services that a worker answers itself.
//
// api@internal, dashboard@internal, prometheus@internal and rest@internal need what only the supervisor
// knows and are reached as servers on its unix socket; these here must answer even when it is busy.

import { METHOD_HEAD } from '../core/exchange.ts'
import { linesOf } from '../core/headers.ts'
import type { WorkerContext } from './context.ts'
import type { LiveExchange } from './live-exchange.ts'

type Answer = (exchange: LiveExchange, context: WorkerContext) => void

const TEXT = 'text/plain; charset=utf-8'

// What arrived, as a server behind the gateway would see it.
function whoami(exchange: LiveExchange, context: WorkerContext): void {
  const { request, method, path, hasQuery, query } = exchange
  const body =
    `Hostname: ${context.plan.hostname}\nRemoteAddr: ${exchange.clientAddress}:${exchange.clientPort}\n` +
    `${method} ${path}${hasQuery ? '?' + query : ''} HTTP/1.1\n` +
    linesOf(request, request.linesStart).replaceAll('\r\n', '\n')
  exchange.answer(200, 0, Buffer.from(body, 'latin1'), TEXT)
}

function ping(exchange: LiveExchange, context: WorkerContext): void {
  if (context.terminating)
    exchange.answer(context.plan.pingTerminatingStatus, 0, 'Terminating\n', TEXT)
  else exchange.answer(200, 0, 'OK', TEXT)
}

// Ready: the first complete configuration is served by every worker, and no shutdown has begun.
function ready(exchange: LiveExchange, context: WorkerContext): void {
  if (context.ready) exchange.answer(200, 0, 'OK', TEXT)
  else exchange.answer(503, 0, context.terminating ? 'Terminating\n' : 'Not ready\n', TEXT)
}

function noop(exchange: LiveExchange): void {
  exchange.answer(418, 0, exchange.methodId === METHOD_HEAD ? '' : 'no service\n', TEXT)
}

const CHALLENGE_PATH = '/.well-known/acme-challenge/'

// RFC 8555 8.3: what proves to a certificate authority that this name leads here.
function acmeHttp(exchange: LiveExchange, context: WorkerContext): void {
  const token = exchange.path.slice(CHALLENGE_PATH.length)
  const plan = context.generation.challenges.get(`http-01 ${token}`)
  const isHere =
    plan?.kind === 'http-01' && (plan.entryPoint === '' || plan.entryPoint === exchange.entryPoint)
  if (isHere) exchange.answer(200, 0, plan.keyAuthorization, 'application/octet-stream')
  else exchange.answer(404, 0, 'no such challenge\n', TEXT)
}

export const internalAnswers: ReadonlyMap<string, Answer> = new Map<string, Answer>([
  ['whoami@internal', whoami],
  ['ping@internal', ping],
  ['ready@internal', ready],
  ['noop@internal', noop],
  ['acme-http@internal', acmeHttp],
])
