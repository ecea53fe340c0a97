// test/certificates/fake-service.ts: a local HTTP server in the place of a DNS service: answers by a handler of the
// test, and keeps what it was asked. Requests for any host of the world are led to it.

import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { dnsProviderFactory } from '../../certificates/dns-providers/by-name.ts'
import type { DnsProvider, TxtRecord } from '../../certificates/dns-providers/contract.ts'
import { Environment } from '../../certificates/dns-providers/environment.ts'
import { type Transport, requestHttp } from '../../certificates/http.ts'

export interface Asked {
  readonly method: string
  readonly host: string // that the request was meant for
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
}

export interface Reply {
  readonly status?: number
  readonly json?: unknown
  readonly text?: string
}

export class FakeService {
  readonly asked: Asked[] = []
  private readonly server: http.Server

  constructor(handler: (asked: Asked) => Reply) {
    this.server = http.createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const url = new URL(request.url ?? '', 'http://x')
        const asked: Asked = {
          method: request.method ?? '',
          host: String(request.headers['x-meant-for'] ?? ''),
          path: url.pathname,
          query: url.searchParams,
          headers: request.headers,
          text: Buffer.concat(chunks).toString(),
        }
        this.asked.push(asked)
        const { status = 200, json, text } = handler(asked)
        response.statusCode = status
        response.end(json === undefined ? (text ?? '') : JSON.stringify(json))
      })
    })
  }

  async listen(): Promise<this> {
    await new Promise<void>((done) => this.server.listen(0, '127.0.0.1', () => done()))
    return this
  }

  close(): void {
    this.server.close()
  }

  readonly transport: Transport = (request) => {
    const url = new URL(request.url)
    const { host: meant } = url
    const { port } = this.server.address() as AddressInfo
    const given = Object.entries(request.headers ?? {})
    const headers = Object.fromEntries(given.filter(([name]) => name !== 'host'))
    const here = `http://127.0.0.1:${port}${url.pathname}${url.search}`
    return requestHttp({ ...request, url: here, headers: { ...headers, 'x-meant-for': meant } })
  }
}

// ---- a provider with its service

export const nobody = new AbortController().signal
export const NAME = '_acme-challenge.a.example.org'

export function record(value: string): TxtRecord {
  return { name: NAME, value, domain: 'a.example.org', token: 'tok', keyAuthorization: 'tok.key' }
}

export interface Scene {
  readonly provider: DnsProvider
  readonly service: FakeService
}

export async function scene(
  name: string,
  variables: Record<string, string>,
  handler: (asked: Asked) => Reply,
): Promise<Scene> {
  const service = await new FakeService(handler).listen()
  onTestFinished(() => service.close())
  const environment = new Environment(variables, name)
  const factory = await dnsProviderFactory(name)
  const tools = { environment, transport: service.transport, now: Date.now, pause: async () => {} }
  return { provider: factory(tools), service }
}

export function lines(service: FakeService): string[] {
  return service.asked.map(({ method, host, path }) => `${method} ${host}${path}`)
}
