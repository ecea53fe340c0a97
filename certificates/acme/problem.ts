// certificates/acme/problem.ts: what went wrong on the way to a certificate, as a value that decides what comes
// next: when to try again, and what to tell the operator. Hot: no.

import { type HttpResponse, isObject, jsonObject, retryAfterMs } from '../http.ts'

const DETAIL_MAX = 500 // characters of a server's sentence that reach the log

export class AcmeError extends Error {
  readonly type: string // 'rateLimited', 'badNonce' ...; '' for what is no problem document
  readonly retryAfterMs: number // 0 when the server says nothing of it

  constructor(message: string, type = '', retryAfter = 0) {
    super(message)
    this.name = 'AcmeError'
    this.type = type
    this.retryAfterMs = retryAfter
  }
}

const PREFIX = 'urn:ietf:params:acme:error:'

// Of an answer that is not what was asked for (RFC 7807, RFC 8555 6.7).
export function problemOf(response: HttpResponse, doing: string, now: number): AcmeError {
  const wait = retryAfterMs(response.headers, now) ?? 0
  const document = jsonObject(response.body)
  if (document === null)
    return new AcmeError(`${doing}: the authority answered ${response.status}`, '', wait)
  const { type, text } = describe(document)
  return new AcmeError(`${doing}: ${response.status} ${text}`, type, wait)
}

// Of a problem within an order, an authorization or a challenge.
export function problemIn(document: unknown, doing: string): AcmeError {
  if (!isObject(document)) return new AcmeError(`${doing}: the authority gives no reason`)
  const { type, text } = describe(document)
  return new AcmeError(`${doing}: ${text}`, type)
}

function describe(document: Readonly<Record<string, unknown>>): { type: string; text: string } {
  const full = textOf(document['type'])
  const type = full.startsWith(PREFIX) ? full.slice(PREFIX.length) : full
  const parts = [sentence(type, document['detail'])]
  const below = document['subproblems']
  if (Array.isArray(below)) {
    for (const one of below.slice(0, 10)) {
      if (!isObject(one)) continue
      const identifier = isObject(one['identifier']) ? textOf(one['identifier']['value']) : ''
      parts.push(
        `${identifier}: ${sentence(textOf(one['type']).replace(PREFIX, ''), one['detail'])}`,
      )
    }
  }
  return { type, text: parts.join('; ').slice(0, DETAIL_MAX) }
}

function sentence(type: string, detail: unknown): string {
  return [type, textOf(detail)].filter((part) => part !== '').join(': ')
}

// Control bytes of a peer stay out of messages.
function textOf(value: unknown): string {
  return typeof value === 'string' ? value.replace(/[\u0000-\u001f\u007f]+/g, ' ') : ''
}
