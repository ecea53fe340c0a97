// workers/tcp/serve.ts: the entry to TCP: a connection whose router is known gets its middlewares and its relay.
//
// Hot: no, once per connection.

import type { Buffer } from 'node:buffer'
import { NONE, SHED_CONNECTIONS } from '../../core/errors.ts'
import type { EntryPoint } from '../entry-point.ts'
import type { Socket } from '../socket.ts'
import type { TcpConnectionFacts } from './facts.ts'
import { TcpRelay } from './relay.ts'
import type { LiveTcpRouter } from './router.ts'

// The socket is the relay's from here on. It must not be counted as a connection of the entry point (whoever
// opened it takes itself out before). `first` is what was read and is to be passed on: all of it for clear text
// and passthrough, nothing for a socket whose TLS we terminate.
export function serveTcp(
  socket: Socket,
  first: Buffer,
  router: LiveTcpRouter,
  point: EntryPoint,
  facts: TcpConnectionFacts,
): void {
  const { context } = point
  const refusal = router.enter(facts.clientAddress)
  if (refusal !== NONE) {
    context.countError(refusal)
    return socket.close()
  }
  const relay = new TcpRelay(socket, first, router, point, facts)
  if (!point.connectionOpened(relay)) {
    context.countError(SHED_CONNECTIONS)
    router.leave(facts.clientAddress)
    return socket.close()
  }
  relay.start()
}
