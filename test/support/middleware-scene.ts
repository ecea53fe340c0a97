// test/support/middleware-scene.ts: a gateway with one router per middleware, in front of a server that answers with
// the request as it got it.
//
// A request for /NAME/... goes through the middleware NAME, or through the list that `routes` gives for it.

import { type Gateway, type GatewayOptions, type Keys, startGateway } from './gateway.ts'
import { type ScriptedOrigin, type ScriptedRequest, startScriptedOrigin } from './origin.ts'
import { type RawClient, type Response, connectRaw } from './raw-client.ts'
import { responseText } from './scene.ts'

export interface MiddlewareScene {
  readonly gateway: Gateway
  readonly origin: ScriptedOrigin
  // Lines of headers, without their line ends. On a connection of its own.
  ask(method: string, target: string, headers?: readonly string[], body?: string): Promise<Response>
  connect(): Promise<RawClient>
  routing(middlewares: Keys, routes?: Readonly<Record<string, readonly string[]>>): Keys
  stop(): Promise<void>
}

// The whole response that the server gives.
export type Reply = (request: ScriptedRequest) => string

const echoes: Reply = ({ head, body }) => responseText(head + body)

export async function startMiddlewareScene(
  middlewares: Keys,
  options: GatewayOptions & {
    readonly lists?: Readonly<Record<string, readonly string[]>>
    readonly reply?: Reply
  } = {},
): Promise<MiddlewareScene> {
  const { lists = {}, reply = echoes, ...rest } = options
  const origin = await startScriptedOrigin(async (connection) => {
    for (;;) connection.send(reply(await connection.readRequest(60_000)))
  })
  const routing: MiddlewareScene['routing'] = (given, routes = {}) =>
    routesOf(origin.url, given, routes)
  const gateway = await startGateway({ routes: routing(middlewares, lists), ...rest })
  const clients: RawClient[] = []
  const connect = async (): Promise<RawClient> => {
    const client = await connectRaw(gateway.port)
    clients.push(client)
    return client
  }
  return {
    gateway,
    origin,
    connect,
    routing,
    ask: async (method, target, headers = [], body = '') => {
      const client = await connect()
      client.send(textOf(method, target, headers, body))
      return client.readResponse(method === 'HEAD')
    },
    stop: async () => {
      for (const client of clients) client.destroy()
      await gateway.stop()
      await origin.stop()
    },
  }
}

function textOf(method: string, target: string, headers: readonly string[], body: string): string {
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
  const host = headers.some((line) => /^host:/i.test(line)) ? [] : ['Host: a.test']
  return [`${method} ${target} HTTP/1.1`, ...host, ...headers, ...length, '', body].join('\r\n')
}

function routesOf(
  url: string,
  middlewares: Keys,
  lists: Readonly<Record<string, readonly string[]>>,
): Keys {
  const names = new Set([...Object.keys(middlewares), ...Object.keys(lists)])
  const routers = [...names].map((name) => [
    name,
    {
      rule: `PathPrefix(\`/${name}\`)`,
      entryPoints: ['web'],
      middlewares: lists[name] ?? [name],
      service: 'echo',
    },
  ])
  return {
    http: {
      routers: Object.fromEntries(routers),
      middlewares,
      services: { echo: { loadBalancer: { servers: [{ url }] } } },
    },
  }
}
