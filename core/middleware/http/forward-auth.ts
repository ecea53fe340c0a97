// core/middleware/http/forward-auth.ts: asks a server of the user whether a request may pass.
//
// Hot: no; each request costs one to that server, over the kept connections that services use too. Fails closed: only an
// answer of 2xx lets a request pass. Any other goes to the client as it is, and redirects are for the client to follow.
//
// With a cache an answer is used again for whoever would ask the very same (core/auth/question-key.ts). Requests that come
// while a question is under way ask for themselves.

import {
  AUTH_FAILED,
  BODY_TOO_LARGE,
  NONE,
  RESPONSE_BODY_TOO_LARGE,
  UNAUTHORIZED,
} from '../../errors.ts'
import { BODY_LENGTH, type Exchange, hasRequestBody } from '../../exchange.ts'
import type { CacheServices } from '../../cache/contract.ts'
import { statusPhrase } from '../../h1/status.ts'
import { compileRegex, type SafeRegex } from '../../regex.ts'
import { AuthAnswer, type AnswerOptions } from '../../auth/auth-answer.ts'
import { headersForAuth } from '../../auth/auth-request.ts'
import {
  type AuthCacheOptions,
  type KeptAnswers,
  isPass,
  keptAnswersOf,
} from '../../auth/kept-answers.ts'
import { type Lines, QuestionKey } from '../../auth/question-key.ts'
import { durationText } from '../../rate/duration-text.ts'
import { BodyKeeper, COLLECT, KEPT_MAX } from '../body-keeper.ts'
import { AGAIN, ANSWERED, KEEP, NEXT, RequestMiddleware, WAIT } from '../contract.ts'
import type { MiddlewareContext, ResponseVerdict, Verdict } from '../contract.ts'
import type { CryptoServices } from '../crypto.ts'
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
  readonly cache: AuthCacheOptions | null // null: each request is asked about
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
  private readonly memory: Memory | null

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
    this.memory = options.cache === null ? null : new Memory(options, options.cache, name, context)
  }

  onRequest(exchange: Exchange): Verdict {
    if (this.options.forwardBody && hasRequestBody(exchange)) {
      const fault = this.collect(exchange)
      if (fault !== NONE) return refuseWith(exchange, fault, 0)
      if (!exchange.keeper!.complete) return AGAIN
    }
    const { trustForwardHeader } = this.options
    const lines = headersForAuth(exchange, this.requestHeaders, trustForwardHeader)
    const key = this.memory === null ? '' : this.memory.keyOf(this.methodFor(exchange), lines)
    const kept = this.memory === null ? null : this.memory.find(key)
    if (kept !== null) return this.judge(exchange, kept)
    exchange.notes ??= new Map()
    exchange.notes.set(this, this.ask(exchange, lines, key))
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
    const asks = `Asks ${url}${path} whether the request may pass; only an answer of 2xx lets it.`
    return this.memory === null ? asks : `${asks} ${this.memory.describe()}`
  }

  // A body that another middleware has collected already is taken from there. One that it found too long for itself, and let
  // go on, is collected further.
  private collect(exchange: Exchange): number {
    if (exchange.bodyKind === BODY_LENGTH && exchange.bodyLength > this.bodyMax)
      return BODY_TOO_LARGE
    exchange.keeper ??= new BodyKeeper(this.bodyMax, COLLECT)
    return exchange.keeper.collectWhole(this.bodyMax) ? NONE : BODY_TOO_LARGE
  }

  private methodFor(exchange: Exchange): string {
    return this.options.preserveRequestMethod ? exchange.method : 'GET'
  }

  private ask(exchange: Exchange, headers: Lines, key: string): Cancel {
    const { serial } = exchange
    const { url, path, transport, timeout, maxResponseBodySize } = this.options
    const body = this.options.forwardBody && hasRequestBody(exchange) ? exchange.keeper!.pieces : []
    const request = {
      service: '',
      url,
      transport,
      method: this.methodFor(exchange),
      path,
      authority: '',
      headers,
      body,
      timeoutMs: timeout,
      bodyMax: maxResponseBodySize < 0 ? KEPT_MAX : maxResponseBodySize,
    }
    const askedAt = this.memory === null ? 0 : this.memory.now()
    return this.worker.ask(request, (answer, code) => {
      if (answer !== null) this.memory?.keep(key, answer, askedAt, this.answer)
      if (exchange.serial !== serial) return
      exchange.notes!.delete(this)
      const verdict = answer === null ? this.fail(exchange, code) : this.conclude(exchange, answer)
      this.worker.wake(exchange, serial, verdict === NEXT ? NEXT : ANSWERED)
    })
  }

  private conclude(exchange: Exchange, answer: SideAnswer): Verdict {
    const outcome = isPass(answer.status) ? this.passed : this.refused
    outcome.add(1)
    return this.judge(exchange, answer)
  }

  private judge(exchange: Exchange, answer: SideAnswer): Verdict {
    if (isPass(answer.status)) {
      const cookies = this.answer.pass(exchange, answer)
      if (cookies.length > 0) exchange.notes!.set(this, cookies)
      return NEXT
    }
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

// The answers that are kept, as one middleware object uses them.
class Memory {
  private readonly options: AuthCacheOptions
  private readonly key: QuestionKey
  private readonly answers: KeptAnswers
  private readonly cached: Counter
  private readonly crypto: CryptoServices
  private readonly cache: CacheServices
  readonly now: () => number

  constructor(owner: object, options: AuthCacheOptions, name: string, context: MiddlewareContext) {
    const { worker } = context
    this.options = options
    this.key = new QuestionKey(options)
    this.answers = keptAnswersOf(owner, options, worker.cache)
    const labels = { middleware: name, outcome: 'cached' }
    this.cached = worker.counter('sluice_auth_requests_total', labels)
    this.crypto = context.crypto
    this.cache = worker.cache
    this.now = context.now
  }

  keyOf(method: string, lines: Lines): string {
    return this.crypto.mac('forwardAuth ' + this.key.of(method, lines))
  }

  find(key: string): SideAnswer | null {
    const found = this.answers.find(key, this.now())
    if (found !== null) this.cached.add(1)
    return found
  }

  keep(key: string, answer: SideAnswer, askedAt: number, used: AuthAnswer): void {
    const times = { askedAt, answeredAt: this.now(), wallMs: this.cache.wallNow() }
    this.answers.keep(key, answer, times, (name) => used.wants(name))
  }

  describe(): string {
    const { ttl, refusedTtl, ignore } = this.options
    const same = ignore.length === 0 ? 'the same' : `the same but for ${ignore.join(', ')}`
    const passes = `That answer counts for ${durationText(ttl)} for requests that tell the server ${same}`
    return refusedTtl > 0 ? `${passes}; 401 and 403 for ${durationText(refusedTtl)}.` : `${passes}.`
  }
}
