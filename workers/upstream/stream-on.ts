// workers/upstream/stream-on.ts: a net.Socket around the handle of a connection that was dialled.
//
// node:http2 and node:tls take nothing else. Cold: once per connection.

import { Socket as NetSocket } from 'node:net'
import type { Socket } from '../socket.ts'

// `socket` is of no use afterwards. Reading begins at once, so whoever takes the bytes has to be laid upon the
// stream in the same turn.
export function streamOn(socket: Socket): NetSocket {
  return new NetSocket({ handle: socket.release(), readable: true, writable: true } as never)
}
