// certificates/http.ts: one bounded HTTP request of the supervisor: to certificate authorities, DNS services,
// responders of OCSP, stores.
//
// No redirects (a token must not follow one), no keep-alive, a limit for bytes and for time. The error of a request
// that failed names the host and never the path or a header: either may hold a secret. Hot: no.

import { Buffer } from 'node:buffer'
import http from 'node:http'
import https from 'node:https'
import { timerMs } from '../core/timer-ms.ts'

export interface HttpTrust {
  readonly ca: readonly string[] | null // PEM; null for the roots that Node brings
  readonly serverName: string // '' for the host of the URL
}

export interface HttpRequest {
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly trust?: HttpTrust
  readonly timeoutMs?: number // for everything
  readonly headerTimeoutMs?: number // until the head of the response
  readonly bytesMax?: number
  readonly signal?: AbortSignal | undefined
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>> // lower case; repeated ones joined by ', '
  readonly body: Buffer
}

export type Transport = (request: HttpRequest) => Promise<HttpResponse>

export class HttpError extends Error {}

const TIMEOUT_MS = 30_000
const BYTES_MAX = 1024 * 1024

export function requestHttp(request: HttpRequest): Promise<HttpResponse> {
  const url = URL.parse(request.url)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    return Promise.reject(new HttpError('the URL is not one of http or https'))
  return new Promise((resolve, reject) => new Call(request, url, resolve, reject))
}

class Call {
  private readonly bytesMax: number
  private readonly outgoing: http.ClientRequest
  private readonly timers: NodeJS.Timeout[] = []
  private readonly url: URL
  private readonly request: HttpRequest
  private readonly resolve: (response: HttpResponse) => void
  private readonly reject: (fault: HttpError) => void
  private readonly onAbort = () => this.fail('it was called off')

  constructor(
    request: HttpRequest,
    url: URL,
    resolve: (response: HttpResponse) => void,
    reject: (fault: HttpError) => void,
  ) {
    this.request = request
    this.url = url
    this.resolve = resolve
    this.reject = reject
    this.bytesMax = request.bytesMax ?? BYTES_MAX
    const body = request.body === undefined ? null : Buffer.from(request.body)
    this.outgoing = this.open(body)
    this.outgoing.once('response', (response) => this.read(response))
    this.outgoing.once('error', (fault) => this.fail(faultText(fault)))
    this.limit(request.timeoutMs ?? TIMEOUT_MS, 'no answer in time')
    if (request.headerTimeoutMs !== undefined)
      this.limit(request.headerTimeoutMs, 'no head of an answer in time')
    request.signal?.addEventListener('abort', this.onAbort, { once: true })
    if (request.signal?.aborted === true) this.onAbort()
    this.outgoing.end(body ?? undefined)
  }

  private open(body: Buffer | null): http.ClientRequest {
    const { method, headers, trust } = this.request
    const length = body === null ? {} : { 'content-length': String(body.length) }
    const options = { method, headers: { ...headers, ...length }, agent: false as const }
    if (this.url.protocol === 'http:') return http.request(this.url, options)
    const own = trust?.ca ?? null
    const ca = own === null ? {} : { ca: [...own] }
    const name =
      trust === undefined || trust.serverName === '' ? {} : { servername: trust.serverName }
    return https.request(this.url, { ...options, ...ca, ...name })
  }

  private limit(ms: number, says: string): void {
    this.timers.push(setTimeout(() => this.fail(says), timerMs(ms)))
  }

  private read(response: http.IncomingMessage): void {
    if (this.timers.length > 1) clearTimeout(this.timers.pop())
    const chunks: Buffer[] = []
    let length = 0
    response.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length > this.bytesMax)
        return this.fail(`the answer is longer than ${this.bytesMax} bytes`)
      chunks.push(chunk)
    })
    response.once('error', (fault) => this.fail(faultText(fault)))
    response.once('aborted', () => this.fail('the answer was cut off'))
    response.once('end', () => {
      this.end()
      const headers = headersOf(response)
      this.resolve({ status: response.statusCode ?? 0, headers, body: Buffer.concat(chunks) })
    })
  }

  private fail(says: string): void {
    this.end()
    this.reject(new HttpError(`${this.url.host}: ${says}`))
    this.outgoing.on('error', () => {}) // of the destroyed socket
    this.outgoing.destroy()
  }

  private end(): void {
    for (const timer of this.timers) clearTimeout(timer)
    this.request.signal?.removeEventListener('abort', this.onAbort)
  }
}

function headersOf(response: http.IncomingMessage): Record<string, string> {
  const entries = Object.entries(response.headers)
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  )
}

function faultText(fault: NodeJS.ErrnoException): string {
  return fault.code === undefined ? fault.message : `${fault.code} (${fault.message})`
}

// Of a body that should be JSON with an object; null when it is not.
export function jsonObject(body: Uint8Array): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// How long the server wants us to wait, in milliseconds; null when it doesn't say. A number of seconds or a date.
export function retryAfterMs(
  headers: Readonly<Record<string, string>>,
  now: number,
): number | null {
  const text = headers['retry-after']
  if (text === undefined) return null
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000
  const at = Date.parse(text)
  return Number.isNaN(at) ? null : Math.max(0, at - now)
}
