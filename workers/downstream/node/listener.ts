// workers/downstream/node/listener.ts: accepts the connections of one entry point for one worker.
//
// Every worker listens on every entry point; the kernel spreads connections (SO_REUSEPORT). The handle's
// own callback is taken over, so that no net.Socket is made per connection (see socket.ts for the figures).
// Where all connections speak HTTP in clear text, as the generation says, they are HTTP connections at once; elsewhere
// opening.ts looks at their first bytes.
//
// Out of file descriptors, libuv closes what it can't take instead of spinning, and tells nobody. So connections are
// refused, and counted, before it comes to that (workers/descriptors.ts).

import net from 'node:net'
import { REQUESTS } from '../../../core/shared/series.ts'
import { SHED_CONNECTIONS } from '../../../core/errors.ts'
import type { EntryPoint } from '../../entry-point.ts'
import { type Handle, Socket } from '../../socket.ts'
import { Connection } from './connection.ts'
import { openConnection } from './opening.ts'

const SHORT_QUEUE_MS = 30 // for connections that were waiting already
const LAST_ACCEPT_MS = 70
const BACKLOG = 4096 // the kernel cuts it to net.core.somaxconn

const SHED_ANSWER =
  'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n'

interface ListeningHandle {
  onconnection: (fault: number, handle: Handle) => void
  listen(backlog: number): number
}

export class Listener {
  private readonly server = net.createServer()
  private readonly point: EntryPoint
  private readonly faultBlock: number
  private lastAccepted: (() => void) | null = null // set while closing

  constructor(point: EntryPoint) {
    this.point = point
    const labels = { entrypoint: point.name }
    this.faultBlock = point.context.series.give({ family: 'sluice_accept_errors_total', labels })
  }

  listen(): Promise<void> {
    const { host, port } = this.point.plan
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.server.once('error', reject)
    const options = { port, reusePort: true, backlog: BACKLOG, exclusive: true }
    this.server.listen(host === '' ? options : { ...options, host }, () => {
      this.server.removeListener('error', reject)
      const { _handle } = this.server as unknown as { _handle: ListeningHandle }
      _handle.onconnection = (fault, handle) => this.accept(fault, handle)
      resolve()
    })
    return promise
  }

  private accept(fault: number, handle: Handle): void {
    this.lastAccepted?.()
    const { point } = this
    const { context } = point
    if (fault !== 0 || handle === undefined) {
      context.series.add(this.faultBlock, REQUESTS, 1)
      return
    }
    context.adoptIfNew()
    const entrance = context.generation.entrances[point.index] ?? null
    if (context.overload.refusesConnections && !point.plan.neverRefuses) {
      context.countError(SHED_CONNECTIONS)
      return refuse(new Socket(handle, null), entrance === null)
    }
    if (!context.hasRoomFor((handle as Handle & { readonly fd: number }).fd)) {
      context.series.add(this.faultBlock, REQUESTS, 1)
      return refuse(new Socket(handle, null), entrance === null)
    }
    if (entrance !== null) return openConnection(new Socket(handle, null), point, entrance)
    const connection = new Connection(new Socket(handle, null), point, null, context.sweeper.now)
    if (point.connectionOpened(connection)) return
    context.countError(SHED_CONNECTIONS)
    refuse(connection.socket, true)
  }

  // Stops to accept. What is open ends by itself (EntryPoint.connections, EntryPoint.draining).
  //
  // The kernel resets what waits to be accepted when a listener closes, though another process listens on the
  // same port (net.ipv4.tcp_migrate_req=1 moves it there instead). So the queue is made as short as it can be:
  // a client that finds it full tries again by itself and meets the other process. Then the listener closes
  // in the moment after it has accepted, or, when nobody comes, a little later. Measured over 24 upgrades
  // under load, 75,000 requests on loopback: 15 resets before, 0 to 1 after.
  close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const { _handle } = this.server as unknown as { _handle: ListeningHandle | null }
    const end = (): void => {
      if (!this.server.listening) return
      this.server.close()
      resolve()
    }
    _handle?.listen(0)
    setTimeout(() => (this.lastAccepted = end), SHORT_QUEUE_MS)
    setTimeout(end, SHORT_QUEUE_MS + LAST_ACCEPT_MS)
    return promise
  }
}

// An answer in clear text, where the client is sure to speak HTTP.
function refuse(socket: Socket, inClear: boolean): void {
  if (inClear) socket.writeText(SHED_ANSWER)
  socket.end()
  socket.close()
}
