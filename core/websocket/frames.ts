// core/websocket/frames.ts: the words of RFC 6455 that the reader and the writer of frames share.
//
// Pure: no sockets, no clock, no randomness of its own. Hot: yes, opcodes are compared per frame.

export const CONTINUATION = 0
export const TEXT = 1
export const BINARY = 2
export const CLOSE = 8
export const PING = 9
export const PONG = 10
export type DataOpcode = typeof CONTINUATION | typeof TEXT | typeof BINARY
export type ControlOpcode = typeof CLOSE | typeof PING | typeof PONG
export type Opcode = DataOpcode | ControlOpcode

export const CONTROL_BYTES_MAX = 125 // RFC 6455, section 5.5

// Close codes (section 7.4.1, and the IANA registry for the last three).
export const NORMAL = 1000
export const GOING_AWAY = 1001
export const PROTOCOL_ERROR = 1002
export const NO_STATUS = 1005 // never on the wire: the close frame had no code
export const ABNORMAL = 1006 // never on the wire: there was no close frame
export const INVALID_DATA = 1007
export const TOO_BIG = 1009
export const TRY_AGAIN_LATER = 1013
export const BAD_GATEWAY = 1014

// Whether a peer may send the code. 1004 to 1006 and 1015 are reserved, 1016 to 2999 not given out yet.
export function isCloseCode(code: number): boolean {
  if (code < 1000 || code > 4999) return false
  if (code >= 3000) return true
  return code <= BAD_GATEWAY && code !== 1004 && code !== NO_STATUS && code !== ABNORMAL
}
