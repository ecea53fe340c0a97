// workers/downstream/node/listener.ts: accepts the connections of one entry point for one worker.
//
// Every worker listens on every entry point; the kernel spreads connections (SO_REUSEPORT). The handle's
// own callback is taken over, so that no net.Socket is made per connection (see socket.ts for the figures).
//
// Out of file descriptors, libuv closes what it can't take instead of spinning, and goes on when there is
// room again; we only count it.

import net from 'node:net'
import { REQUESTS } from '../../../core/shared/series.ts'
import { SHED_CONNECTIONS } from '../../../core/errors.ts'
import type { EntryPoint } from '../../entry-point.ts'
import type { Handle } from '../../socket.ts'
import { Connection } from './connection.ts'

const BACKLOG = 4096 // the kernel cuts it to net.core.somaxconn

const SHED_ANSWER =
  'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n'

interface ListeningHandle {
  onconnection: (fault: number, handle: Handle) => void
}

export class Listener {
  private readonly server = net.createServer()
  private readonly point: EntryPoint
  private readonly faultBlock: number

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
    if (fault !== 0 || handle === undefined) {
      this.point.context.series.add(this.faultBlock, REQUESTS, 1)
      return
    }
    const connection = new Connection(handle, this.point, this.point.context.sweeper.now)
    if (this.point.connectionOpened(connection)) return
    this.point.context.countError(SHED_CONNECTIONS)
    connection.socket.writeText(SHED_ANSWER)
    connection.socket.end()
    connection.socket.close()
  }

  // Stops to accept. What is open ends by itself (EntryPoint.connections, context.draining).
  close(): void {
    this.server.close()
  }
}
