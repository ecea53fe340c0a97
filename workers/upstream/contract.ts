// workers/upstream/contract.ts: what the pipeline asks of whatever carries an exchange to its server.
//
// Two implement it: a connection of HTTP/1.1 (h1.ts) and a stream of an HTTP/2 session (h2-stream.ts). The
// answers come back by the pipeline's upstream* functions. Bytes that are passed along are valid only during
// the call unless `owned` is true.
//
// Hot: yes. Where servers speak HTTP/1.1 alone, every call site sees one class and stays as fast as before.

import type { Buffer } from 'node:buffer'
import type { Head } from '../../core/headers.ts'
import type { LiveExchange } from '../live-exchange.ts'

export interface UpstreamConnection {
  // A piece of the request's body. False: no more until pipeline.upstreamWritable.
  sendBody(exchange: LiveExchange, bytes: Buffer, from: number, to: number, owned: boolean): boolean
  // The request is complete.
  sendEnd(exchange: LiveExchange, trailers: Head | null): void
  // What was taken so far goes out now; called once per event that brought something.
  flush(): void
  // The client can take more of the response.
  resume(exchange: LiveExchange): void
  // The head of the response was enough: the exchange leaves, its body is thrown away.
  discardBody(exchange: LiveExchange): void
  // The exchange leaves in the middle: neither side may take what it has for whole.
  cancel(exchange: LiveExchange): void
  // After a switch of protocols. False: no more until pipeline.upstreamWritable.
  tunnelSend(bytes: Buffer, from: number, to: number): boolean
  tunnelEnd(): void // the client will send no more
}
