// core/middleware/http/forward-auth.ts: asks a server of the user whether a request may pass.
//
// Hot: no; each request costs one to that server, over the kept connections that services use too. Fails closed: only an
// answer of 2xx lets a request pass. Any other goes to the client as it is, and redirects are for the client to follow.

import {
  AUTH_FAILED,
  BODY_TOO_LARGE,
  NONE,
  RESPONSE_BODY_TOO_LARGE,
  UNAUTHORIZED,
} from '../../errors.ts'
import { BODY_LENGTH, type Exchange, hasRequestBody } from '../../exchange.ts'
import { statusPhrase } from '../../h1/status.ts'
import { compileRegex, type SafeRegex } from '../../regex.ts'
import { AuthAnswer, type AnswerOptions } from '../../auth/auth-answer.ts'
import { headersForAuth } from '../../auth/auth-request.ts'
import { BodyKeeper, COLLECT, KEPT_MAX } from '../body-keeper.ts'
import { AGAIN, ANSWERED, KEEP, NEXT, RequestMiddleware, WAIT } from '../contract.ts'
import type { MiddlewareContext, ResponseVerdict, Verdict } from '../contract.ts'
import { refuseWith } from '../refuse.ts'
import type { Cancel, Counter, SideAnswer, WorkerServices } from '../worker.ts'
import { isLocation } from './redirect.ts'

export interface ForwardAuthOptions extends AnswerOptions {
  readonly url: string // scheme, host and port of `address`
  readonly path: string // its path and query
  readonly transport: string // how to connect
  readonly trustForwardHeader: boolean
  readonly authResponseHeadersRegex: string
  readonly authRequestHeaders: readonly string[] // []: all of them
  readonly maxResponseBodySize: number // negative: a bound of ours
  readonly forwardBody: boolean
  readonly maxBodySize: number // negative: a bound of ours
  readonly preserveRequestMethod: boolean
  readonly authSigninURL: string
  readonly timeout: number // ms
}

export class ForwardAuth extends RequestMiddleware {
  readonly kind = 'forwardAuth'
  override readonly hasFinish = true
  override readonly hasResponse: boolean
  private readonly options: ForwardAuthOptions
  private readonly bodyMax: number
  private readonly requestHeaders: ReadonlySet<string> | null
  private readonly answer: AuthAnswer
  private readonly worker: WorkerServices
  private readonly passed: Counter
  private readonly refused: Counter
  private readonly failed: Counter

  constructor(name: string, options: ForwardAuthOptions, context: MiddlewareContext) {
    super(name)
    this.options = options
    this.bodyMax = options.maxBodySize < 0 ? KEPT_MAX : options.maxBodySize
    const wanted = options.authRequestHeaders.map((header) => header.toLowerCase())
    this.requestHeaders = wanted.length === 0 ? null : new Set(wanted)
    const pattern = options.authResponseHeadersRegex
    const regex: SafeRegex | null = pattern === '' ? null : compileRegex(pattern)
    this.answer = new AuthAnswer(options, regex)
    this.hasResponse = options.addAuthCookiesToResponse.length > 0
    this.worker = context.worker
    const counter = (outcome: string): Counter =>
      context.worker.counter('sluice_auth_requests_total', { middleware: name, outcome })
    this.passed = counter('passed')
    this.refused = counter('refused')
    this.failed = counter('failed')
  }

  onRequest(exchange: Exchange): Verdict {
    if (this.options.forwardBody && hasRequestBody(exchange)) {
      const fault = this.collect(exchange)
      if (fault !== NONE) return refuseWith(exchange, fault, 0)
      if (!exchange.keeper!.complete) return AGAIN
    }
    exchange.notes ??= new Map()
    exchange.notes.set(this, this.ask(exchange))
    return WAIT
  }

  override onResponse(exchange: Exchange): ResponseVerdict {
    const cookies = exchange.notes?.get(this)
    if (Array.isArray(cookies)) this.answer.addCookies(exchange.response, cookies as string[])
    return KEEP
  }

  override onFinish(exchange: Exchange): void {
    const note = exchange.notes?.get(this)
    if (note === undefined) return
    exchange.notes!.delete(this)
    if (typeof note === 'function') (note as Cancel)()
  }

  explain(_exchange: Exchange): string {
    const { url, path } = this.options
    return `Asks ${url}${path} whether the request may pass; only an answer of 2xx lets it.`
  }

  // A body that another middleware has collected already is taken from there.
  private collect(exchange: Exchange): number {
    if (exchange.bodyKind === BODY_LENGTH && exchange.bodyLength > this.bodyMax)
      return BODY_TOO_LARGE
    const { keeper } = exchange
    if (keeper === null || !keeper.collects) {
      exchange.keeper = new BodyKeeper(this.bodyMax, COLLECT)
      return NONE
    }
    if (!keeper.complete) keeper.bytesMax = Math.min(keeper.bytesMax, this.bodyMax)
    return keeper.bytes > this.bodyMax || keeper.inFile ? BODY_TOO_LARGE : NONE
  }

  private ask(exchange: Exchange): Cancel {
    const { serial } = exchange
    const { url, path, transport, timeout, maxResponseBodySize } = this.options
    const body = this.options.forwardBody && hasRequestBody(exchange) ? exchange.keeper!.pieces : []
    const request = {
      service: '',
      url,
      transport,
      method: this.options.preserveRequestMethod ? exchange.method : 'GET',
      path,
      authority: '',
      headers: headersForAuth(exchange, this.requestHeaders, this.options.trustForwardHeader),
      body,
      timeoutMs: timeout,
      bodyMax: maxResponseBodySize < 0 ? KEPT_MAX : maxResponseBodySize,
    }
    return this.worker.ask(request, (answer, code) => {
      if (exchange.serial !== serial) return
      exchange.notes!.delete(this)
      const verdict = answer === null ? this.fail(exchange, code) : this.judge(exchange, answer)
      this.worker.wake(exchange, serial, verdict === NEXT ? NEXT : ANSWERED)
    })
  }

  private judge(exchange: Exchange, answer: SideAnswer): Verdict {
    if (answer.status >= 200 && answer.status < 300) {
      this.passed.add(1)
      const cookies = this.answer.pass(exchange, answer)
      if (cookies.length > 0) exchange.notes!.set(this, cookies)
      return NEXT
    }
    this.refused.add(1)
    const { authSigninURL } = this.options
    if (answer.status !== 401 || !isLocation(authSigninURL)) {
      this.answer.give(exchange, answer)
      return ANSWERED
    }
    exchange.answer(302, NONE, statusPhrase(302), 'text/plain; charset=utf-8')
    exchange.response.add('Location', authSigninURL)
    return ANSWERED
  }

  private fail(exchange: Exchange, code: number): Verdict {
    this.failed.add(1)
    return refuseWith(exchange, code === RESPONSE_BODY_TOO_LARGE ? UNAUTHORIZED : AUTH_FAILED, 0)
  }
}
