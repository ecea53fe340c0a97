// core/middleware/contract.ts: what a middleware is to the pipeline.
//
// Hot: yes. One object per middleware and router, made when a generation is adopted (so limits and
// breakers are per router, as in Traefik). Its methods are called with the exchange and keep no closure;
// what must last from request to finish is kept in fields keyed by the exchange, or in exchange.notes.

import type { Exchange } from '../exchange.ts'
import type { Codecs } from './codecs.ts'
import type { CryptoServices } from './crypto.ts'
import type { WorkerServices } from './worker.ts'

export const NEXT = 0 // go on to the next middleware
export const WAIT = 1 // stop here; whoever wakes the exchange (worker.ts) runs the pipeline again, after this one
export const ANSWERED = 2 // exchange.answer() was called; the server is not asked
export const AGAIN = 3 // as WAIT, but then this one is called once more: its body is collected, say
export type Verdict = typeof NEXT | typeof WAIT | typeof ANSWERED | typeof AGAIN

// What a response phase may ask for instead of going on.
export const KEEP = 0
export const REPLACE = 1 // discard this response and send exchange through `replacement` (errors middleware)
export const RETRY = 2 // discard this response and ask the same service again, by exchange.retry (retry middleware)
export type ResponseVerdict = typeof KEEP | typeof REPLACE | typeof RETRY

export interface Replacement {
  readonly service: string // qualified name
  readonly path: string
  readonly query: string
  readonly status: number // what the client shall see; 0 = that of the replacement
  // Lower-case names of the request headers that the service may see; null: all. The exchange keeps them
  // all, because the response phases that are still to come may ask for them.
  readonly requestHeaders: readonly string[] | null
}

export interface Middleware {
  readonly name: string // 'strip@file'
  readonly kind: string // 'stripPrefix'
  // Which phases exist; a phase that does not is never called.
  readonly hasResponse: boolean
  readonly hasFinish: boolean
  onRequest(exchange: Exchange): Verdict
  // Before the response head is sent; in reverse order, for the middlewares that the request reached,
  // the one that answered included.
  onResponse(exchange: Exchange): ResponseVerdict
  // Once per exchange that reached onRequest of this middleware, whatever became of it.
  onFinish(exchange: Exchange): void
  // After onResponse returned REPLACE.
  replacement(exchange: Exchange): Replacement | null
  // One sentence for `sluice explain`: what onRequest did or would do with this exchange.
  explain(exchange: Exchange): string
}

// A router or service by its qualified name, 'router shop@file': the two may have the same one.
export type Scope = `router ${string}` | `service ${string}`

// What a middleware is given when it is built. Core itself has no clock and no sockets.
export interface MiddlewareContext {
  readonly router: string // 'shop@file', as counters name it; of a service's own its name
  readonly scope: Scope // where it stands, and nothing else does: limits are counted by it, breakers and caches are found by it
  readonly worker: WorkerServices
  readonly codecs: Codecs // one set per worker
  readonly crypto: CryptoServices
  now(): number // milliseconds, monotonic, this thread's own, at the most a tick old
}

// Most middlewares need one phase; they extend this and override what they use.
export abstract class RequestMiddleware implements Middleware {
  abstract readonly kind: string
  readonly name: string
  readonly hasResponse: boolean = false
  readonly hasFinish: boolean = false

  constructor(name: string) {
    this.name = name
  }

  abstract onRequest(exchange: Exchange): Verdict

  onResponse(_exchange: Exchange): ResponseVerdict {
    return KEEP
  }

  onFinish(_exchange: Exchange): void {}

  replacement(_exchange: Exchange): Replacement | null {
    return null
  }

  abstract explain(exchange: Exchange): string
}
