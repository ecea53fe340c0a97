// test/support/scene.ts: one gateway in front of one scripted server, and the few verbs that such tests need.

import { type Gateway, type GatewayOptions, type Keys, routesTo, startGateway } from './gateway.ts'
import { type OriginConnection, type ScriptedOrigin, startScriptedOrigin } from './origin.ts'
import { type RawClient, connectRaw } from './raw-client.ts'

export interface Scene {
  readonly origin: ScriptedOrigin
  readonly gateway: Gateway
  client(): Promise<RawClient>
  // The next connection that the gateway opens from now on.
  nextConnection(): Promise<OriginConnection>
  stop(): Promise<void>
}

export async function startScene(
  transport: Keys,
  options: GatewayOptions = {},
  serve?: (connection: OriginConnection) => unknown,
): Promise<Scene> {
  const origin = await startScriptedOrigin(serve)
  const gateway = await startGateway({ routes: routesTo([origin.url], transport), ...options })
  const clients: RawClient[] = []
  return {
    origin,
    gateway,
    client: async () => {
      const client = await connectRaw(gateway.port)
      clients.push(client)
      return client
    },
    nextConnection: () => origin.connection(origin.connections.length),
    stop: async () => {
      for (const client of clients) client.destroy()
      await gateway.stop()
      await origin.stop()
    },
  }
}

export function requestText(method = 'GET', target = '/', headers = '', body = ''): string {
  const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`
  return `${method} ${target} HTTP/1.1\r\nHost: a.test\r\n${headers}${length}\r\n${body}`
}

export function responseText(body: string, headers = '', status = '200 OK'): string {
  return `HTTP/1.1 ${status}\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`
}

// Answers each request with its own request line, for as long as the connection lives.
export async function echo(connection: OriginConnection): Promise<void> {
  for (;;) {
    const { head } = await connection.readRequest(60_000)
    connection.send(responseText(head.slice(0, head.indexOf('\r\n'))))
  }
}
