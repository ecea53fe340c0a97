// workers/downstream/node/h2/serve.ts: the ways into HTTP/2.
//
// Not hot: once per connection.
//
//   takeOverAsHttp2   an HTTP/1 connection whose first bytes were the preface of HTTP/2 (prior knowledge)
//   serveH2           a socket that has said by ALPN that it will speak HTTP/2

import type { Buffer } from 'node:buffer'
import type { TlsFacts } from '../../../../core/exchange.ts'
import type { EntryPoint } from '../../../entry-point.ts'
import type { Socket } from '../../../socket.ts'
import type { Swept } from '../../../sweeper.ts'
import { H2Connection } from './connection.ts'

interface Predecessor extends Swept {
  readonly socket: Socket
  readonly point: EntryPoint
}

// The place in the count of connections goes over with the socket, and so does the tick.
export function takeOverAsHttp2(from: Predecessor, bytes: Buffer, at: number, end: number): void {
  const { socket, point } = from
  const connection = new H2Connection(socket, point, null, point.context.sweeper.now)
  point.connectionChanged(from, connection)
  connection.read(bytes, at, end)
}

// The socket is connected and its handshake done. False: there is no room for one more, and it was closed.
export function serveH2(socket: Socket, point: EntryPoint, tls: TlsFacts | null): boolean {
  const connection = new H2Connection(socket, point, tls, point.context.sweeper.now)
  if (!point.connectionOpened(connection)) {
    socket.close()
    return false
  }
  socket.noDelay()
  socket.resume()
  return true
}
