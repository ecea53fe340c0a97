// test/support/cache-scene.ts: a gateway with httpCache in front of a server whose answers a test writes, path by path.

import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Gateway, type Keys, startGateway } from './gateway.ts'
import { metricSum } from './metrics.ts'

export type Answer = (
  response: http.ServerResponse,
  request: http.IncomingMessage,
  count: number, // of requests for this path, this one included
) => void

export interface Asked {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
  readonly cache: string // X-Cache-Status
}

export interface CacheScene {
  readonly gateway: Gateway
  readonly url: string // of the server
  readonly requests: http.IncomingMessage[] // that the server has got
  answer(path: string, answer: Answer): void
  count(path: string, method?: string): number
  // On a connection of its own, which may be any worker's.
  ask(path: string, headers?: http.OutgoingHttpHeaders, method?: string): Promise<Asked>
  metric(name: string, ...labels: string[]): Promise<number>
  reload(routers: Keys): void // with these routers too
  stop(): Promise<void>
}

export interface CacheSceneOptions {
  readonly workers?: number
  readonly cache?: Keys // options of httpCache
  readonly middlewares?: Keys // further ones
  readonly chain?: readonly string[] // of router "all"; ['cache'] unless given
  readonly routers?: Keys // further ones
  readonly static?: Keys
  readonly engine?: 'node' | 'uws'
  readonly entryPoints?: Keys // further ones
}

export const fresh = { 'Cache-Control': 'max-age=60' }

export async function startCacheScene(options: CacheSceneOptions = {}): Promise<CacheScene> {
  const answers = new Map<string, Answer>()
  const requests: http.IncomingMessage[] = []
  const counts = new Map<string, number>()
  const server = http.createServer((request, response) => {
    const path = request.url!.split('?')[0]!
    requests.push(request)
    const count = (counts.get(path) ?? 0) + 1
    counts.set(path, count)
    request.resume()
    const answer = answers.get(path)
    if (answer !== undefined) answer(response, request, count)
    else response.writeHead(200, fresh).end(`${path} ${count}`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const gateway = await startGateway({
    workers: options.workers ?? 1,
    engine: options.engine ?? 'node',
    entryPoints: options.entryPoints ?? {},
    ...(options.static === undefined ? {} : { static: options.static }),
    routes: routesOf(options, url),
  })
  return {
    gateway,
    url,
    requests,
    answer: (path, answer) => answers.set(path, answer),
    count: (path, method) =>
      requests.filter(
        (request) =>
          request.url!.split('?')[0] === path &&
          (method === undefined || request.method === method),
      ).length,
    ask: (path, headers, method) => ask(gateway.port, path, headers, method),
    metric: async (name, ...labels) =>
      metricSum((await gateway.admin('/metrics')).body, name, ...labels),
    reload: (routers) =>
      gateway.writeRoutes(
        routesOf({ ...options, routers: { ...options.routers, ...routers } }, url),
      ),
    stop: async () => {
      await gateway.stop()
      server.closeAllConnections()
      server.close()
    },
  }
}

export function routesOf(options: CacheSceneOptions, url: string): Keys {
  return {
    http: {
      routers: {
        all: {
          rule: 'PathPrefix(`/`)',
          entryPoints: ['web'],
          service: 'origin',
          middlewares: options.chain ?? ['cache'],
        },
        ...options.routers,
      },
      middlewares: { cache: { httpCache: options.cache ?? {} }, ...options.middlewares },
      services: { origin: { loadBalancer: { servers: [{ url }] } } },
    },
  }
}

export function ask(
  port: number,
  path: string,
  headers: http.OutgoingHttpHeaders = {},
  method = 'GET',
): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', path, headers, method, agent: false }
    const request = http.request(options, (response) => {
      let body = ''
      response.setEncoding('latin1')
      response.on('data', (text: string) => (body += text))
      response.on('error', reject)
      response.on('end', () => {
        const cache = String(response.headers['x-cache-status'] ?? '')
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body, cache })
      })
    })
    request.on('error', reject)
    request.end()
  })
}
