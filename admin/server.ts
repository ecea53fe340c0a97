// admin/server.ts: the supervisor's HTTP server on a private unix socket.
//
// Workers pass requests for api@internal, dashboard@internal, prometheus@internal and rest@internal on to it,
// so whatever may reach those services is decided by routers and their middlewares, never here. Owner: the
// supervisor. Hot: no; nothing here is on the path of a request that a server answers.

import { lstat, chmod, unlink } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { answerApi } from './api.ts'
import { purgeCaches } from './caches.ts'
import { refusalOf, steerRollout } from './commands.ts'
import { answerDashboard } from './dashboard.ts'
import { errorReply, type Reply } from './reply.ts'
import type { AdminState } from './state.ts'

const CONNECTIONS_MAX = 512 // workers keep some; people and scrapers are few
const ROLLOUTS = '/api/http/rollouts/'
const REQUEST_TIMEOUT_MS = 30_000

export class AdminServer {
  private readonly state: AdminState
  private readonly base: string // of the API's paths: '' or '/gateway'
  private readonly server: Server

  constructor(state: AdminState) {
    this.state = state
    this.base = (state.staticConfig.api?.basePath ?? '/').replace(/\/+$/, '')
    this.server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
      void this.serve(request, response)
    })
    this.server.maxConnections = CONNECTIONS_MAX
  }

  // A socket that a process left behind when it died is replaced; anything else at the path is left alone.
  async listen(socketPath: string): Promise<void> {
    const there = await lstat(socketPath).catch(() => null)
    if (there?.isSocket()) await unlink(socketPath)
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject)
      this.server.listen(socketPath, () => {
        this.server.off('error', reject)
        resolve()
      })
    })
    await chmod(socketPath, 0o600)
  }

  close(): Promise<void> {
    this.server.closeIdleConnections()
    return new Promise((resolve) => {
      this.server.close(() => resolve())
      setTimeout(() => this.server.closeAllConnections(), 1000).unref()
    })
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume() // no answer depends on a body
    response.on('error', () => response.destroy()) // the worker has gone
    const reply = await this.replyTo(request).catch(() =>
      errorReply(500, 'the admin server failed; this is a defect, please report it'),
    )
    const length = String(Buffer.byteLength(reply.body))
    response.writeHead(reply.status, {
      ...reply.headers,
      'Content-Length': length,
      'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-store',
    })
    response.end(request.method === 'HEAD' ? undefined : reply.body)
  }

  private async replyTo(request: IncomingMessage): Promise<Reply> {
    const target = request.url ?? '/'
    const mark = target.indexOf('?')
    const path = mark < 0 ? target : target.slice(0, mark)
    const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1))
    const own = this.withoutBase(path)
    if (own === '/api/providers/rest') return restReply(request.method)
    if (own === '/api/http/cache' && request.method === 'DELETE')
      return refusalOf(this.state, request.headers) ?? purgeCaches(this.state, query)
    if (request.method === 'POST' && own?.startsWith(ROLLOUTS) === true)
      return (
        refusalOf(this.state, request.headers) ??
        steerRollout(this.state, own.slice(ROLLOUTS.length))
      )
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return errorReply(405, 'this API is read-only', { Allow: 'GET, HEAD' })
    }
    if (path === '/metrics') return this.metrics()
    if (own !== null && own.startsWith('/api/')) return answerApi(this.state, own.slice(4), query)
    return answerDashboard(own, this.base) ?? errorReply(404, 'there is no such resource')
  }

  // The path below api.basePath; null when it lies elsewhere.
  private withoutBase(path: string): string | null {
    if (path === this.base) return '/'
    return path.startsWith(this.base + '/') ? path.slice(this.base.length) : null
  }

  private async metrics(): Promise<Reply> {
    const { metrics } = this.state
    if (metrics === null) return errorReply(404, 'metrics are not enabled')
    const headers = { 'Content-Type': metrics.contentType }
    return { status: 200, headers, body: await metrics.render() }
  }
}

function restReply(method: string | undefined): Reply {
  if (method === 'PUT') return errorReply(501, 'the REST provider is not built yet')
  return errorReply(405, 'only PUT', { Allow: 'PUT' })
}
