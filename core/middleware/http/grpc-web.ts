// core/middleware/http/grpc-web.ts: lets browsers call gRPC servers (the gRPC-Web protocol).
//
// Hot: yes, for routers that have it. Other requests pass after one look at Content-Type and one at the method.
//
// A browser can't read trailers, so they become the last frame of the body, and a body may be base64 throughout:
//
//   application/grpc-web        frames as they are         + frame 0x80 with the trailers as header lines
//   application/grpc-web-text   the same in base64
//
// The server sees application/grpc with "te: trailers". Browsers ask before they call (CORS): that is answered here.

import { GRPC_WEB_BODY, NONE } from '../../errors.ts'
import {
  BODY_CHUNKED,
  METHOD_OPTIONS,
  METHOD_POST,
  SAW_HOP,
  SAW_TE_TRAILERS,
} from '../../exchange.ts'
import type { Exchange } from '../../exchange.ts'
import type { Head } from '../../headers.ts'
import { Base64Reader, encodeBase64 } from '../../base64-pieces.ts'
import {
  type BodyRewriter,
  type ResponseRewriter,
  addRequestRewriter,
  addResponseRewriter,
  announceRewritten,
} from '../body.ts'
import {
  ANSWERED,
  KEEP,
  NEXT,
  RequestMiddleware,
  type ResponseVerdict,
  type Verdict,
} from '../contract.ts'

export interface GrpcWebOptions {
  readonly allowOrigins: readonly string[] // '*' allows all, without credentials
}

const WEB = 'application/grpc-web'
const TEXT = 'application/grpc-web-text'
const PREFLIGHT_SECONDS = '600'
const EXPOSED = 'grpc-status, grpc-message, grpc-status-details-bin, grpc-encoding'
const TRAILERS_FRAME = 0x80
const nothing = new Uint8Array(0)

export class GrpcWeb extends RequestMiddleware {
  readonly kind = 'grpcWeb'
  override readonly hasResponse = true
  private readonly origins: ReadonlySet<string>
  private readonly all: boolean

  constructor(name: string, options: GrpcWebOptions) {
    super(name)
    this.origins = new Set(options.allowOrigins)
    this.all = this.origins.has('*')
  }

  onRequest(exchange: Exchange): Verdict {
    const head = exchange.request
    if (exchange.methodId === METHOD_OPTIONS && isPreflight(head)) return this.answer(exchange)
    if (exchange.methodId !== METHOD_POST) return NEXT
    const type = head.get('content-type')
    if (type === null || !type.startsWith(WEB)) return NEXT
    const text = type.startsWith(TEXT)
    const notes = (exchange.notes ??= new Map())
    notes.set(this, type)
    head.set('Content-Type', 'application/grpc' + type.slice(text ? TEXT.length : WEB.length))
    head.remove('x-grpc-web')
    exchange.facts |= SAW_TE_TRAILERS | SAW_HOP
    if (!text) return NEXT
    addRequestRewriter(exchange, new TextRequest())
    exchange.bodyKind = BODY_CHUNKED
    exchange.bodyLength = 0
    return NEXT
  }

  override onResponse(exchange: Exchange): ResponseVerdict {
    const asked = exchange.notes?.get(this)
    if (typeof asked !== 'string') return KEEP
    this.allow(exchange)
    const head = exchange.response
    const type = head.get('content-type')
    if (type === null || !type.startsWith('application/grpc')) return KEEP // an answer of ours, or an error page
    head.set('Content-Type', asked)
    if (announceRewritten(exchange))
      addResponseRewriter(exchange, new WebResponse(asked.startsWith(TEXT)))
    return KEEP
  }

  private answer(exchange: Exchange): Verdict {
    const wanted = exchange.request.get('access-control-request-headers') ?? ''
    exchange.answer(204, NONE, '', '')
    if (this.allow(exchange)) {
      const { response } = exchange
      response.add('Access-Control-Allow-Methods', 'POST')
      response.add('Access-Control-Allow-Headers', wanted)
      response.add('Access-Control-Max-Age', PREFLIGHT_SECONDS)
    }
    return ANSWERED
  }

  private allow(exchange: Exchange): boolean {
    const origin = exchange.request.get('origin')
    const head = exchange.response
    if (origin === null || !(this.all || this.origins.has(origin))) return false
    if (this.origins.has(origin)) {
      head.set('Access-Control-Allow-Origin', origin)
      head.set('Access-Control-Allow-Credentials', 'true')
    } else head.set('Access-Control-Allow-Origin', '*')
    head.set('Access-Control-Expose-Headers', EXPOSED)
    head.add('Vary', 'Origin')
    return true
  }

  explain(exchange: Exchange): string {
    const type = exchange.request.get('content-type') ?? ''
    return type.startsWith(WEB)
      ? 'Turns it into a gRPC call, and its answer into gRPC-Web.'
      : 'Lets it pass: it is no call of gRPC-Web.'
  }
}

function isPreflight(head: Head): boolean {
  const wanted = head.get('access-control-request-headers')
  return wanted !== null && /(?:^|,)\s*x-grpc-web\s*(?:,|$)/i.test(wanted)
}

class TextRequest implements BodyRewriter {
  fault = NONE
  readonly keepsTrailers = true
  private readonly reader = new Base64Reader()

  piece(bytes: Uint8Array, from: number, to: number): Uint8Array {
    const out = this.reader.decode(bytes, from, to)
    if (this.reader.bad) this.fault = GRPC_WEB_BODY
    return out
  }

  end(): Uint8Array {
    if (!this.reader.isWhole) this.fault = GRPC_WEB_BODY
    return nothing
  }
}

class WebResponse implements ResponseRewriter {
  readonly fault = NONE
  readonly keepsTrailers = false
  readonly holdsHead = false
  readonly fieldsAreFinal = true
  readonly goesToFile = false
  private readonly text: boolean

  constructor(text: boolean) {
    this.text = text
  }

  piece(bytes: Uint8Array, from: number, to: number): Uint8Array {
    return this.text ? encodeBase64(bytes, from, to) : bytes.slice(from, to)
  }

  flush(): Uint8Array {
    return nothing
  }

  // Without trailers there is nothing to say: the status was in the head.
  end(trailers: Head | null): Uint8Array {
    if (trailers === null) return nothing
    const lines = trailerLines(trailers)
    const frame = new Uint8Array(5 + lines.length)
    frame[0] = TRAILERS_FRAME
    for (let i = 0; i < 4; i++) frame[1 + i] = (lines.length >>> (24 - 8 * i)) & 255
    for (let i = 0; i < lines.length; i++) frame[5 + i] = lines.charCodeAt(i)
    return this.text ? encodeBase64(frame, 0, frame.length) : frame
  }
}

function trailerLines(trailers: Head): string {
  let lines = ''
  for (let line = 0; line < trailers.count; line++) {
    lines += trailers.nameAt(line) + ': ' + trailers.valueAt(line) + '\r\n'
  }
  for (let i = 0; i < trailers.extraCount; i++) {
    lines += trailers.extraNames[i]!.toLowerCase() + ': ' + trailers.extraValues[i]! + '\r\n'
  }
  return lines
}
