// core/middleware/http/request-rewrite.ts: the half of bodyRewrite that replaces text in the bodies of requests.
//
// Hot: yes, for routers that have it. The body is kept (body-keeper.ts) until it is whole, and its middlewares and server
// are asked after that: so its new length is known when the head goes out. What is too long is answered 413, or goes on as
// it comes.

import { BODY_TOO_LARGE } from '../../errors.ts'
import { BODY_LENGTH, type Exchange, hasRequestBody } from '../../exchange.ts'
import { BodyKeeper, COLLECT } from '../body-keeper.ts'
import { AGAIN, NEXT } from '../contract.ts'
import type { Verdict } from '../contract.ts'
import { refuseWith } from '../refuse.ts'
import type { WorkerServices } from '../worker.ts'
import type { RewriteOptions } from './body-rewrite.ts'
import { dropDigests } from './coded-head.ts'
import { MediaTypes } from './media-types.ts'
import { isPlainText } from './plain-text.ts'
import { TextReplacements, describeRewriting } from './text-replacements.ts'

export class RequestRewrite {
  private readonly options: RewriteOptions
  private readonly types: MediaTypes
  private readonly texts: TextReplacements

  constructor(options: RewriteOptions, worker: WorkerServices, middleware: string) {
    const metric = 'sluice_body_rewrite_requests_total'
    this.options = options
    this.types = new MediaTypes(options.contentTypes, [])
    this.texts = new TextReplacements(
      options.replacements,
      options.maxBytes,
      worker,
      metric,
      middleware,
    )
  }

  onRequest(exchange: Exchange): Verdict {
    const { request, keeper, bodyKind, bodyLength } = exchange
    const { maxBytes } = this.options
    if (!hasRequestBody(exchange) || !this.takes(exchange)) return NEXT
    if (bodyKind === BODY_LENGTH && bodyLength > maxBytes) return this.tooLong(exchange)
    if (keeper === null) return this.collect(exchange)
    if (keeper.overflowed || keeper.inFile || keeper.bytes > maxBytes) return this.tooLong(exchange)
    if (!keeper.complete) return this.collect(exchange)
    const whole = keeper.whole()
    const out = this.texts.rewrite(whole)
    if (out === null) return this.passOrFail(exchange)
    if (out === whole) return NEXT
    keeper.replace(out)
    exchange.bodyKind = BODY_LENGTH
    exchange.bodyLength = out.length
    dropDigests(request)
    return NEXT
  }

  private takes({ request }: Exchange): boolean {
    return this.types.takes(request.get('content-type')) && isPlainText(request)
  }

  // Who kept it beside while it passed (retry, mirror) has it all the same, up to their bound, and so has who found it too
  // long for itself (buffering).
  private collect(exchange: Exchange): Verdict {
    const { maxBytes } = this.options
    const keeper = (exchange.keeper ??= new BodyKeeper(maxBytes, COLLECT))
    keeper.collectWhole(Math.max(keeper.bytesMax, maxBytes))
    keeper.spills = true // what is too long comes here again, and is told from there
    return AGAIN
  }

  private tooLong(exchange: Exchange): Verdict {
    this.texts.tooLong()
    return this.passOrFail(exchange)
  }

  private passOrFail(exchange: Exchange): Verdict {
    return this.options.whenTooLong === 'pass' ? NEXT : refuseWith(exchange, BODY_TOO_LARGE, 0)
  }

  explain(exchange: Exchange): string {
    const { contentTypes, maxBytes } = this.options
    if (hasRequestBody(exchange) && !this.takes(exchange))
      return 'Lets the body of the request pass: it is none of those that are changed.'
    return describeRewriting(this.texts, 'request', contentTypes, maxBytes)
  }
}
