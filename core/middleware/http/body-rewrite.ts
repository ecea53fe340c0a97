// core/middleware/http/body-rewrite.ts: replaces text in the bodies of responses and requests.
//
// Hot: yes, for routers that have it.
//
//   request    Accept-Encoding goes: the server is to send text. A body that is to be changed itself waits until it is
//              whole (request-rewrite.ts)
//   response   of a type that is named, in UTF-8 or ASCII, in no coding: collected up to maxBytes, then every
//              replacement in turn. What is longer passes as it came, or is answered 500 (whenTooLong)
//
// Collected, so that a text is found across any two pieces and the length is known.

import { NONE, RESPONSE_BODY_TOO_LARGE } from '../../errors.ts'
import { METHOD_HEAD, SAW_UPGRADE, type Exchange } from '../../exchange.ts'
import {
  type ResponseRewriter,
  addResponseRewriter,
  announceLength,
  announceRewritten,
} from '../body.ts'
import { KEEP, NEXT, RequestMiddleware } from '../contract.ts'
import type { MiddlewareContext, ResponseVerdict, Verdict } from '../contract.ts'
import { describeChanged } from './coded-head.ts'
import { MediaTypes } from './media-types.ts'
import { isPlainText } from './plain-text.ts'
import { RequestRewrite } from './request-rewrite.ts'
import {
  type ReplacementOptions,
  TextReplacements,
  describeRewriting,
} from './text-replacements.ts'

export interface RewriteOptions {
  readonly replacements: readonly ReplacementOptions[]
  readonly contentTypes: readonly string[]
  readonly maxBytes: number
  readonly whenTooLong: 'pass' | 'fail'
}

export interface BodyRewriteOptions extends RewriteOptions {
  readonly requests: RewriteOptions | null // where it is null, `replacements` is not empty
}

const nothing = new Uint8Array(0)

export class BodyRewrite extends RequestMiddleware {
  readonly kind = 'bodyRewrite'
  override readonly hasResponse: boolean
  readonly options: BodyRewriteOptions
  readonly texts: TextReplacements | null // null: responses stay as they are
  private readonly types: MediaTypes
  private readonly requests: RequestRewrite | null

  constructor(name: string, options: BodyRewriteOptions, { worker }: MiddlewareContext) {
    super(name)
    const { replacements, contentTypes, maxBytes, requests } = options
    const metric = 'sluice_body_rewrite_responses_total'
    this.options = options
    this.hasResponse = replacements.length > 0
    this.types = new MediaTypes(contentTypes, [])
    this.texts = this.hasResponse
      ? new TextReplacements(replacements, maxBytes, worker, metric, name)
      : null
    this.requests = requests === null ? null : new RequestRewrite(requests, worker, name)
  }

  onRequest(exchange: Exchange): Verdict {
    if ((exchange.facts & SAW_UPGRADE) !== 0) return NEXT
    if (this.hasResponse) {
      exchange.request.set('Accept-Encoding', 'identity')
      exchange.request.remove('range') // a part can't be rewritten, and its offsets would be of other bytes
      exchange.request.remove('if-range')
    }
    return this.requests === null ? NEXT : this.requests.onRequest(exchange)
  }

  override onResponse(exchange: Exchange): ResponseVerdict {
    const { response, status } = exchange
    if (status < 200 || status === 204 || status === 206 || status === 304) return KEEP
    if (!this.types.takes(response.get('content-type')) || !isPlainText(response)) return KEEP
    if (exchange.methodId === METHOD_HEAD) {
      describeChanged(response)
      return KEEP
    }
    if (!announceRewritten(exchange)) return KEEP
    describeChanged(response)
    addResponseRewriter(exchange, new RewrittenBody(this.options, this.texts!, exchange))
    return KEEP
  }

  explain(exchange: Exchange): string {
    const { contentTypes, maxBytes } = this.options
    const sentences: string[] = []
    if (this.texts !== null)
      sentences.push(describeRewriting(this.texts, 'response', contentTypes, maxBytes))
    if (this.requests !== null) sentences.push(this.requests.explain(exchange))
    return sentences.join(' ')
  }
}

class RewrittenBody implements ResponseRewriter {
  fault = NONE
  readonly keepsTrailers = false // they may speak of the bytes as they were
  holdsHead = true
  readonly fieldsAreFinal = true
  readonly goesToFile = false
  private readonly options: RewriteOptions
  private readonly texts: TextReplacements
  private readonly exchange: Exchange
  private bytes = 0
  private held: Uint8Array[] = []

  constructor(options: RewriteOptions, texts: TextReplacements, exchange: Exchange) {
    this.options = options
    this.texts = texts
    this.exchange = exchange
  }

  piece(bytes: Uint8Array, from: number, to: number): Uint8Array {
    const copy = Uint8Array.prototype.slice.call(bytes, from, to)
    if (!this.holdsHead) return copy
    this.held.push(copy)
    this.bytes += copy.length
    if (this.bytes <= this.options.maxBytes) return nothing
    this.texts.tooLong()
    return this.passOrFail(this.takeHeld())
  }

  flush(): Uint8Array {
    return nothing
  }

  end(): Uint8Array {
    if (!this.holdsHead) return nothing
    const whole = this.takeHeld()
    const out = this.texts.rewrite(whole) ?? this.passOrFail(whole)
    announceLength(this.exchange, out.length)
    return out
  }

  private passOrFail(whole: Uint8Array): Uint8Array {
    if (this.options.whenTooLong === 'pass') return whole
    this.fault = RESPONSE_BODY_TOO_LARGE
    return nothing
  }

  private takeHeld(): Uint8Array {
    const { held } = this
    this.held = []
    this.holdsHead = false
    const whole = new Uint8Array(this.bytes)
    let at = 0
    for (const piece of held) {
      whole.set(piece, at)
      at += piece.length
    }
    return whole
  }
}
