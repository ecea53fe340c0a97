// certificates/dns-providers/api.ts: a request to a service that speaks JSON; its refusals as errors without secrets.
// Hot: no.

import { type HttpResponse, type Transport, isObject, jsonObject } from '../http.ts'

export class ApiError extends Error {
  readonly status: number

  constructor(message: string, status: number) {
    super(message)
    this.status = status
  }
}

export interface ApiCall {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly signal: AbortSignal
}

export class Api {
  private readonly transport: Transport
  private readonly service: string

  constructor(transport: Transport, service: string) {
    this.transport = transport
    this.service = service
  }

  async json(call: ApiCall): Promise<Readonly<Record<string, unknown>>> {
    const response = await this.send(call)
    return jsonObject(response.body) ?? {}
  }

  async send(call: ApiCall): Promise<HttpResponse> {
    const { method, url, headers, body, signal } = call
    const isText = typeof body === 'string'
    const sent = body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }
    const type = body === undefined || isText ? {} : { 'content-type': 'application/json' }
    const all = { accept: 'application/json', ...type, ...headers }
    const response = await this.transport({ method, url, headers: all, ...sent, signal })
    if (response.status >= 200 && response.status < 300) return response
    const path = URL.parse(url)?.pathname ?? ''
    const says = reasonIn(response)
    throw new ApiError(
      `${this.service}: ${method} ${path}: ${response.status}${says}`,
      response.status,
    )
  }
}

// The usual places of a sentence.
function reasonIn(response: HttpResponse): string {
  const body = jsonObject(response.body)
  if (body === null) return ''
  const { message, error, errors } = body
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined
  const places = [
    message,
    error,
    isObject(error) ? error['message'] : '',
    isObject(first) ? first['message'] : '',
  ]
  const found = places.find((one) => typeof one === 'string' && one !== '')
  return typeof found === 'string'
    ? ` ${found.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, 300)}`
    : ''
}

export function objectsIn(value: unknown): Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}

export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` }
}

// '_acme-challenge.a' of '_acme-challenge.a.example.org' in zone 'example.org'; '@' for the zone itself.
export function relativeName(name: string, zone: string): string {
  return name === zone ? '@' : name.slice(0, -zone.length - 1)
}
