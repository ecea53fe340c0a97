// core/middleware/worker.ts: what a middleware may ask of the worker that it runs in, and cannot do itself.
//
// The worker implements it (workers/services.ts); tests and `sluice explain` have one that does nothing
// (inertWorker). Hot: no; what is called per request are plain methods of one object.

import type { CacheServices } from '../cache/contract.ts'
import type { Exchange } from '../exchange.ts'
import type { Head } from '../headers.ts'
import type { ExchangeTimes } from '../resilience/deadlines.ts'
import type { LimitStore, StorePlan } from '../rate/store.ts'
import type { Buckets } from '../shared/buckets.ts'
import type { InFlightCounts } from '../shared/in-flight-counts.ts'
import type { NonceTable } from '../shared/nonce-table.ts'
import type { SlotTable } from '../shared/slot-table.ts'
import type { ANSWERED, NEXT } from './contract.ts'

export type Cancel = () => void

export interface Counter {
  add(amount: number): void
}

// A request of our own: to a service of the generation, or to a server by its URL.
export interface SideRequest {
  readonly service: string // qualified name; '' when `url` is asked
  readonly url: string // 'https://auth.example:8443': scheme, host, port; '' when a service is asked
  readonly transport: string // of `url`: name of a transport of the generation, '' for the default one
  readonly method: string
  readonly path: string // with its query
  readonly authority: string // the Host header; '' for that of the server
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: readonly Uint8Array[] // sent with its length; [] for none
  readonly timeoutMs: number // for the whole answer
  readonly bodyMax: number // bytes of the answer's body that are wanted; more is an error
}

export interface SideAnswer {
  readonly status: number
  readonly headers: Head // valid during the call of `done` only
  readonly body: Uint8Array // the caller's own
}

// `code` is 0 with an answer; without one it is a code of core/errors.ts.
export type SideDone = (answer: SideAnswer | null, code: number) => void

// How a request was addressed at some point of its way.
export interface RequestShape {
  readonly forwardHost: string
  readonly path: string
  readonly query: string
  readonly hasQuery: boolean
}

export interface WorkerServices {
  // Milliseconds of a clock that all threads of the process share and that nobody can set; exact to the turn of
  // the event loop. For what lies in shared memory; MiddlewareContext.now is cheaper and this thread's own.
  preciseNow(): number
  // Ends a WAIT or AGAIN: `serial` is exchange.serial as it was then. Does nothing when the exchange has ended or
  // does not wait. ANSWERED: exchange.answer() was called. Never within onRequest.
  wake(exchange: Exchange, serial: number, verdict: typeof NEXT | typeof ANSWERED): void
  after(ms: number, action: () => void): Cancel
  // Ends the exchange, or its try, when one of its times is over, and tells which (a code of core/errors.ts). Looked at
  // ten times a second; until then it costs one small object.
  watch(exchange: Exchange, times: ExchangeTimes, onOver: (code: number) => void): void
  // Milliseconds since the head of the request was there, exact to the turn of the event loop.
  elapsed(exchange: Exchange): number
  // Cold: an object and closures per call. `done` is called once, never within ask, and not after Cancel.
  ask(request: SideRequest, done: SideDone): Cancel
  // Sends a copy of the request to a service and throws the answer away. False: there is no such service, or too
  // many copies are under way. Without pieces the copy has no body.
  copyTo(
    service: string,
    exchange: Exchange,
    shape: RequestShape,
    body: readonly Uint8Array[],
  ): boolean
  // A metric of this worker; the same family and labels give the same one.
  counter(family: string, labels: Readonly<Record<string, string>>): Counter
  // The counts that several hosts share; the same plan gives the same store.
  limitStore(plan: StorePlan): LimitStore
  readonly hasFiles: boolean // bodies that are too long for memory may go to the disk (BodyKeeper.files)
  readonly shared: SharedTables
  readonly cache: CacheServices // of httpCache
}

// What all workers of the process share by name, without locks. The supervisor may read.
export interface SharedTables {
  readonly states: SlotTable // see core/shared/slot-table.ts
  readonly buckets: Buckets // of rate limits and quotas
  readonly inFlight: InFlightCounts
  readonly nonces: NonceTable // of digestAuth
}
