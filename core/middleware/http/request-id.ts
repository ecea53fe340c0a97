// core/middleware/http/request-id.ts: a name for each request, which servers, clients and logs can tell it by. Ours; Traefik
// has none.
//
// Hot: yes. 128 random bits per request, 64 names at a time from the worker's generator.

import type { Exchange } from '../../exchange.ts'
import { isFieldValue } from '../../h1/text.ts'
import { KEEP, NEXT, RequestMiddleware } from '../contract.ts'
import type { MiddlewareContext, ResponseVerdict, Verdict } from '../contract.ts'
import type { CryptoServices } from '../crypto.ts'

export interface RequestIdOptions {
  readonly headerName: string
  readonly trustIncoming: boolean // a name that came with the request stays
  readonly echo: boolean // the client is told
}

const NAME_LENGTH = 32 // hexadecimal
const NAMES_AT_ONCE = 64
const INCOMING_MAX = 128 // a longer one is replaced

export class RequestId extends RequestMiddleware {
  readonly kind = 'requestId'
  override readonly hasResponse: boolean
  private readonly options: RequestIdOptions
  private readonly lower: string
  private readonly crypto: CryptoServices
  private names = ''
  private at = 0

  constructor(name: string, options: RequestIdOptions, context: MiddlewareContext) {
    super(name)
    this.options = options
    this.lower = options.headerName.toLowerCase()
    this.crypto = context.crypto
    this.hasResponse = options.echo
  }

  onRequest(exchange: Exchange): Verdict {
    const { headerName, trustIncoming } = this.options
    const values = exchange.request.getAll(this.lower)
    if (trustIncoming && values.length === 1 && isName(values[0]!)) return NEXT
    exchange.request.set(headerName, this.next())
    return NEXT
  }

  override onResponse(exchange: Exchange): ResponseVerdict {
    const name = exchange.request.get(this.lower)
    if (name !== null) exchange.response.set(this.options.headerName, name)
    return KEEP
  }

  private next(): string {
    if (this.at >= this.names.length) {
      this.names = this.crypto.random((NAMES_AT_ONCE * NAME_LENGTH) / 2)
      this.at = 0
    }
    const name = this.names.slice(this.at, this.at + NAME_LENGTH)
    this.at += NAME_LENGTH
    return name
  }

  explain(exchange: Exchange): string {
    const { headerName, trustIncoming } = this.options
    const given = exchange.request.get(this.lower)
    const stays = trustIncoming && given !== null && isName(given)
    return stays ? `Keeps ${headerName}: ${given}.` : `Sets ${headerName} to a new random name.`
  }
}

// What goes into logs and other programs: nothing that could be taken for more than a name.
function isName(value: string): boolean {
  return value.length <= INCOMING_MAX && isFieldValue(value) && /^[\w.:=+/@-]+$/.test(value)
}
