// workers/upstream/phases.ts: what an upstream connection is doing (drawn in h1.ts) and what its bytes are.

export const DIALING = 0
export const IDLE = 1
export const BUSY = 2
export const CLOSED = 3
export type State = typeof DIALING | typeof IDLE | typeof BUSY | typeof CLOSED

// What the bytes that come next are, while BUSY.
export const IN_HEAD = 0
export const IN_LENGTH = 1 // a counted rest of body
export const IN_CHUNKS = 2
export const TO_CLOSE = 3 // body to the end of the connection
export const IN_TUNNEL = 4
export type Phase =
  | typeof IN_HEAD
  | typeof IN_LENGTH
  | typeof IN_CHUNKS
  | typeof TO_CLOSE
  | typeof IN_TUNNEL
