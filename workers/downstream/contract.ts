// workers/downstream/contract.ts: what an engine gives the pipeline, and what it takes from it.
//
// An engine accepts connections for entry points, turns what arrives into exchanges and sends back what the
// pipeline hands it. It knows nothing of routes, middlewares or servers. test/engine/ runs one suite of
// tests against every engine.
//
//   engine -> pipeline   begin, requestBody, requestEnd, downstreamWritable, downstreamGone
//   pipeline -> engine   the methods of Downstream, always for the exchange that is current on it
//
// Bytes that are passed along are valid only during the call unless `owned` is true: then they stay as they
// are until the receiver says that it can go on (downstreamWritable, resumeBody).

import type { Buffer } from 'node:buffer'
import type { ForwardedCache } from '../../core/forwarded.ts'
import type { Head } from '../../core/headers.ts'
import type { LiveExchange } from '../live-exchange.ts'
import type { LiveTls } from '../tls/live-tls.ts'

export interface Downstream {
  readonly forwarded: ForwardedCache // of the client's connection
  // Sends 100 Continue, because the body is wanted and no server will say so.
  sendContinue(exchange: LiveExchange): void
  // Sends exchange.response as an informational answer (103 and other 1xx; never 101).
  sendInformational(exchange: LiveExchange): void
  // Takes exchange.response as the final head. It may wait for the first bytes of the body to go with them.
  sendHead(exchange: LiveExchange): void
  // False: no more until pipeline.downstreamWritable(exchange).
  sendBody(exchange: LiveExchange, bytes: Buffer, from: number, to: number, owned: boolean): boolean
  // What was taken so far goes out now; called once per event that brought something.
  flush(exchange: LiveExchange): void
  // The response is complete. Afterwards the exchange is no longer current here, except for a rest of the
  // request body that the engine throws away or closes on.
  sendEnd(exchange: LiveExchange, trailers: Head | null): void
  // The response can't be completed: the client must be able to tell (RFC 9112, section 8).
  abort(exchange: LiveExchange): void
  // The receiver of the request body is full, or can take more.
  pauseBody(exchange: LiveExchange): void
  resumeBody(exchange: LiveExchange): void
  // 101 was sent by sendHead: from here on bytes pass both ways unread. Bytes that the client sent after
  // its request are delivered by pipeline.tunnelBytes before this returns or later, never earlier.
  beginTunnel(exchange: LiveExchange): void
  tunnelSend(exchange: LiveExchange, bytes: Buffer, from: number, to: number): boolean
  tunnelEnd(exchange: LiveExchange): void // the server will send no more
  tunnelClosed(exchange: LiveExchange): void // both sides have ended
}

// Of an engine that has certificates in hands of its own, which the context tells of changes.
export interface CertificateKeeper {
  prepare(next: LiveTls): void // throws: then there is no change, and the generation is refused
  adopt(now: LiveTls): void
}

// What the engine is told about its entry point; see config/static.
export interface EntryPointTimes {
  readonly headerTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly readTimeoutMs: number // whole request with its body; 0 = none
  readonly bodyStallTimeoutMs: number
  readonly bodyRateMin: number // bytes per second; 0 = none
  readonly bodyRateGraceMs: number
  readonly writeStallTimeoutMs: number
  readonly writeTimeoutMs: number // whole response; 0 = none
  readonly keepAliveMaxRequests: number // 0 = no limit
  readonly keepAliveMaxTimeMs: number
}

export interface EntryPointBounds {
  readonly headBytesMax: number
  readonly headerCountMax: number
  readonly connectionsMax: number // per worker
  readonly bufferedBytesMax: number // per connection
  readonly bodyAheadBytes: number // of a request's body, before a server is asked
}
