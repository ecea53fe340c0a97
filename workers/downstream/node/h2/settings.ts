// workers/downstream/node/h2/settings.ts: the SETTINGS of an HTTP/2 connection, ours and the client's.
//
// Not hot: once or twice per connection. RFC 9113, section 6.5; RFC 8441 for CONNECT.

import {
  FLOW_CONTROL_ERROR,
  NO_ERROR,
  PROTOCOL_ERROR,
  WINDOW_MAX,
} from '../../../../core/h2/frames.ts'

const HEADER_TABLE_SIZE = 1
const ENABLE_PUSH = 2
const MAX_CONCURRENT_STREAMS = 3
const INITIAL_WINDOW_SIZE = 4
const MAX_FRAME_SIZE = 5
const MAX_HEADER_LIST_SIZE = 6
const ENABLE_CONNECT_PROTOCOL = 8

// A client over 20 ms can send 100 Mbit/s into one stream. The whole connection may send four times that, as
// long as servers take it (connection.ts: inboxBytes).
export const STREAM_WINDOW = 256 * 1024
export const CONNECTION_WINDOW = 1024 * 1024

export interface OurSettings {
  readonly streamsMax: number
  readonly tableBytesMax: number // of the decoder
  readonly headBytesMax: number
}

export function settingsPayload(ours: OurSettings): Buffer {
  const pairs = [
    [HEADER_TABLE_SIZE, ours.tableBytesMax],
    [MAX_CONCURRENT_STREAMS, ours.streamsMax],
    [INITIAL_WINDOW_SIZE, STREAM_WINDOW],
    [MAX_HEADER_LIST_SIZE, ours.headBytesMax],
    [ENABLE_CONNECT_PROTOCOL, 1],
  ] as const
  const payload = Buffer.alloc(pairs.length * 6)
  pairs.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, i * 6)
    payload.writeUInt32BE(value, i * 6 + 2)
  })
  return payload
}

// What of the client's settings concerns us; -1 while it has not said.
export class PeerSettings {
  tableBytes = -1
  window = -1

  // Returns NO_ERROR or the error of the connection.
  read(payload: Buffer, from: number, to: number): number {
    this.tableBytes = -1
    this.window = -1
    for (let at = from; at < to; at += 6) {
      const error = this.take(payload.readUInt16BE(at), payload.readUInt32BE(at + 2))
      if (error !== NO_ERROR) return error
    }
    return NO_ERROR
  }

  private take(id: number, value: number): number {
    switch (id) {
      case HEADER_TABLE_SIZE:
        this.tableBytes = value
        return NO_ERROR
      case ENABLE_PUSH:
      case ENABLE_CONNECT_PROTOCOL:
        return value <= 1 ? NO_ERROR : PROTOCOL_ERROR
      case INITIAL_WINDOW_SIZE:
        this.window = value
        return value <= WINDOW_MAX ? NO_ERROR : FLOW_CONTROL_ERROR
      case MAX_FRAME_SIZE:
        return value >= 16_384 && value < 1 << 24 ? NO_ERROR : PROTOCOL_ERROR
      default:
        return NO_ERROR
    }
  }
}
