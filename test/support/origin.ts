// test/support/origin.ts: servers for the gateway to talk to: a scripted one that sends exact bytes, and a
// plain one on node:http for tests that don't care about bytes.

import http from 'node:http'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { RawClient } from './raw-client.ts'
import { Wait } from './wait.ts'

export interface ScriptedRequest {
  readonly head: string // with the blank line
  readonly body: string
  readonly trailers: string
}

// One connection that the gateway has opened. RawClient's methods are of use on this side too.
export class OriginConnection extends RawClient {
  readonly index: number

  constructor(socket: net.Socket, index: number) {
    super(socket)
    this.index = index
  }

  // The next request with its whole body; both are consumed.
  async readRequest(withinMs?: number): Promise<ScriptedRequest> {
    return this.readBody(await this.readRequestHead(withinMs), withinMs)
  }

  async readBody(head: string, withinMs?: number): Promise<ScriptedRequest> {
    if (/^transfer-encoding: *chunked\r$/im.test(head)) return this.readChunkedRequest(head)
    const length = Number(/^content-length: *(\d+)\r$/im.exec(head)?.[1] ?? 0)
    await this.until(`${length} bytes of body`, () => this.received.length >= length, withinMs)
    return { head, body: this.take(length), trailers: '' }
  }

  async readRequestHead(withinMs?: number): Promise<string> {
    await this.untilText('\r\n\r\n', withinMs)
    return this.take(this.received.indexOf('\r\n\r\n') + 4)
  }

  private async readChunkedRequest(head: string): Promise<ScriptedRequest> {
    let body = ''
    for (;;) {
      await this.untilText('\r\n')
      const size = Number.parseInt(this.take(this.received.indexOf('\r\n') + 2), 16)
      if (size === 0) break
      await this.until('a chunk', () => this.received.length >= size + 2)
      body += this.take(size + 2).slice(0, size)
    }
    let trailers = ''
    for (;;) {
      await this.untilText('\r\n')
      const line = this.take(this.received.indexOf('\r\n') + 2)
      if (line === '\r\n') return { head, body, trailers }
      trailers += line
    }
  }
}

export interface ScriptedOrigin {
  readonly port: number
  readonly url: string
  readonly connections: readonly OriginConnection[]
  // Connection number `index`, once the gateway has opened it.
  connection(index: number): Promise<OriginConnection>
  stop(): Promise<void>
}

// `serve`, when given, is run for each connection; a test without it takes connections by connection(i).
export async function startScriptedOrigin(
  serve?: (connection: OriginConnection) => unknown,
): Promise<ScriptedOrigin> {
  const connections: OriginConnection[] = []
  const wait = new Wait()
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const connection = new OriginConnection(socket, connections.length)
    connections.push(connection)
    wait.look()
    // A script whose connection goes away under it is no failure of the test.
    if (serve !== undefined) Promise.resolve(serve(connection)).catch(() => connection.destroy())
  })
  const port = await listen(server)
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    connections,
    connection: async (index) => {
      await wait.until(
        () => connections.length > index,
        () => `origin connection ${index}; there are ${connections.length}`,
      )
      return connections[index]!
    },
    stop: () => {
      for (const connection of connections) connection.destroy()
      return closeServer(server)
    },
  }
}

export interface HttpOrigin {
  readonly port: number
  readonly url: string
  readonly server: http.Server
  stop(): Promise<void>
}

export async function startHttpOrigin(listener: http.RequestListener): Promise<HttpOrigin> {
  const server = http.createServer({ keepAliveTimeout: 60_000 }, listener)
  const port = await listen(server)
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    server,
    stop: () => {
      server.closeAllConnections()
      return closeServer(server)
    },
  }
}

function listen(server: net.Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

function closeServer(server: net.Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
