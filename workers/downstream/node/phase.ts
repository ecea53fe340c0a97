// workers/downstream/node/phase.ts: what a client connection is doing; drawn in connection.ts.

export const IDLE = 0 // no request; the only phase without an exchange besides LINGER and CLOSED
export const HEAD = 1 // part of a head has arrived
export const BODY = 2 // the head is complete, the body is not
export const BUSY = 3 // the request is complete, the response is not
export const TUNNEL = 4 // bytes pass both ways unread
export const LINGER = 5 // the last response is out; what still comes is thrown away
export const CLOSED = 6
export type Phase =
  | typeof IDLE
  | typeof HEAD
  | typeof BODY
  | typeof BUSY
  | typeof TUNNEL
  | typeof LINGER
  | typeof CLOSED
