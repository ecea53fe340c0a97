// core/middleware/http/body-rewrite.ts: replaces text in the bodies of responses.
//
// Hot: yes, for routers that have it.
//
//   request    Accept-Encoding goes: the server is to send text
//   response   of a type that is named, in UTF-8 or ASCII, in no coding: collected up to maxBytes, then every
//              replacement in turn. What is longer passes as it came, or is answered 500 (whenTooLong)
//
// Collected, so that a text is found across any two pieces and the length is known. Texts only: an expression that is
// tried at every place of a megabyte would hold up the worker.

import { NONE, RESPONSE_BODY_TOO_LARGE } from '../../errors.ts'
import { BODY_CLOSE, METHOD_HEAD, SAW_UPGRADE, type Exchange } from '../../exchange.ts'
import type { Head } from '../../headers.ts'
import {
  type ResponseRewriter,
  addResponseRewriter,
  announceLength,
  announceRewritten,
} from '../body.ts'
import { KEEP, NEXT, RequestMiddleware } from '../contract.ts'
import type { MiddlewareContext, ResponseVerdict, Verdict } from '../contract.ts'
import type { Counter } from '../worker.ts'
import { describeChanged, forbidsTransform } from './coded-head.ts'
import { MediaTypes } from './media-types.ts'

export interface BodyRewriteOptions {
  readonly replacements: readonly {
    readonly literal: string // not ''
    readonly replacement: string
  }[]
  readonly contentTypes: readonly string[]
  readonly maxBytes: number
  readonly whenTooLong: 'pass' | 'fail'
}

const GROWTH_MAX = 4 // times maxBytes: what replacements may make of a body
const CHARSET = /;\s*charset\s*=\s*"?([^\s";]*)/i
const nothing = new Uint8Array(0)

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

export class BodyRewrite extends RequestMiddleware {
  readonly kind = 'bodyRewrite'
  override readonly hasResponse = true
  readonly options: BodyRewriteOptions
  private readonly types: MediaTypes
  private readonly outcomes: Readonly<Record<'rewritten' | 'too_long' | 'not_text', Counter>>

  constructor(name: string, options: BodyRewriteOptions, context: MiddlewareContext) {
    super(name)
    this.options = options
    this.types = new MediaTypes(options.contentTypes, [])
    const counter = (outcome: string): Counter =>
      context.worker.counter('sluice_body_rewrite_responses_total', { middleware: name, outcome })
    this.outcomes = {
      rewritten: counter('rewritten'),
      too_long: counter('too_long'),
      not_text: counter('not_text'),
    }
  }

  onRequest(exchange: Exchange): Verdict {
    if ((exchange.facts & SAW_UPGRADE) !== 0) return NEXT
    exchange.request.set('Accept-Encoding', 'identity')
    exchange.request.remove('range') // a part can't be rewritten, and its offsets would be of other bytes
    exchange.request.remove('if-range')
    return NEXT
  }

  override onResponse(exchange: Exchange): ResponseVerdict {
    const { response } = exchange
    if (!this.types.takes(typeOf(response)) || !isPlainText(exchange)) return KEEP
    if (exchange.methodId === METHOD_HEAD) {
      describeChanged(response)
      return KEEP
    }
    const fieldsAreFinal = exchange.responseKind !== BODY_CLOSE
    if (!announceRewritten(exchange)) return KEEP
    describeChanged(response)
    addResponseRewriter(exchange, new RewrittenBody(this, exchange, fieldsAreFinal))
    return KEEP
  }

  // null: it is no text, or would become too long; the body stays as it is.
  rewrite(bytes: Uint8Array): Uint8Array | null {
    let text = decoded(bytes)
    if (text === null) {
      this.outcomes.not_text.add(1)
      return null
    }
    const { replacements, maxBytes } = this.options
    for (const { literal, replacement } of replacements) {
      const count = countOf(text, literal)
      if (count === 0) continue
      // Before it is made: a letter that becomes a page a million times is a bomb.
      if (text.length + count * (replacement.length - literal.length) > maxBytes * GROWTH_MAX) {
        this.tooLong()
        return null
      }
      text = text.replaceAll(literal, () => replacement)
    }
    this.outcomes.rewritten.add(1)
    return encoder.encode(text)
  }

  tooLong(): void {
    this.outcomes.too_long.add(1)
  }

  explain(_exchange: Exchange): string {
    const { replacements, contentTypes, maxBytes } = this.options
    return `Makes ${replacements.length} replacements in response bodies of ${contentTypes.join(', ')} up to ${maxBytes} bytes.`
  }
}

function decoded(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes)
  } catch {
    return null // not UTF-8, whatever the head says
  }
}

function countOf(text: string, literal: string): number {
  let count = 0
  for (let at = text.indexOf(literal); at >= 0; at = text.indexOf(literal, at + literal.length))
    count++
  return count
}

const typeOf = (head: Head): string | null => head.get('content-type')

function isPlainText({ status, response }: Exchange): boolean {
  if (status < 200 || status === 204 || status === 206 || status === 304) return false
  if (response.has('content-encoding') || forbidsTransform(response)) return false
  const charset = CHARSET.exec(typeOf(response) ?? '')?.[1]?.toLowerCase() ?? 'utf-8'
  return charset === 'utf-8' || charset === 'utf8' || charset === 'us-ascii'
}

class RewrittenBody implements ResponseRewriter {
  fault = NONE
  readonly keepsTrailers = false // they may speak of the bytes as they were
  holdsHead = true
  readonly fieldsAreFinal: boolean
  readonly goesToFile = false
  private readonly owner: BodyRewrite
  private readonly exchange: Exchange
  private bytes = 0
  private held: Uint8Array[] = []

  constructor(owner: BodyRewrite, exchange: Exchange, fieldsAreFinal: boolean) {
    this.owner = owner
    this.exchange = exchange
    this.fieldsAreFinal = fieldsAreFinal
  }

  piece(bytes: Uint8Array, from: number, to: number): Uint8Array {
    const copy = Uint8Array.prototype.slice.call(bytes, from, to)
    if (!this.holdsHead) return copy
    this.held.push(copy)
    this.bytes += copy.length
    const { maxBytes, whenTooLong } = this.owner.options
    if (this.bytes <= maxBytes) return nothing
    this.owner.tooLong()
    if (whenTooLong === 'pass') return this.takeHeld()
    this.fault = RESPONSE_BODY_TOO_LARGE
    this.held = []
    return nothing
  }

  flush(): Uint8Array {
    return nothing
  }

  end(): Uint8Array {
    if (!this.holdsHead) return nothing
    const whole = this.takeHeld()
    const out = this.owner.rewrite(whole) ?? whole
    announceLength(this.exchange, out.length)
    return out
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
