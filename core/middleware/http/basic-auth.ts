// core/middleware/http/basic-auth.ts: serves only who brings the name and password of a known user (RFC 7617).
//
// Hot: no; each check costs a hash, and those of bcrypt and MD5 are computed in a job thread while the exchange waits.
// Fails closed: no credentials, several of them, malformed ones and a check that could not be made are all refused.

import { SHA1 } from '../../auth/htpasswd.ts'
import { type Users, usersOf } from '../../auth/users.ts'
import { AUTH_BUSY, AUTH_FAILED, UNAUTHORIZED } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { bytesOfText } from '../../percent.ts'
import { ANSWERED, NEXT, RequestMiddleware, WAIT } from '../contract.ts'
import type { MiddlewareContext, Verdict } from '../contract.ts'
import type { CryptoServices } from '../crypto.ts'
import { foldedName, removeFolded } from '../own-headers.ts'
import { refuseWith } from '../refuse.ts'
import type { Cancel, Counter, WorkerServices } from '../worker.ts'

export interface BasicAuthOptions {
  readonly users: readonly string[] // of usersFile too; lines of htpasswd
  readonly realm: string
  readonly headerField: string
  readonly removeHeader: boolean
  readonly cacheTtl: number // ms; 0: nothing is remembered
}

const CREDENTIALS_MAX = 4096 // characters of base64; a longer header is none of a person
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

export class BasicAuth extends RequestMiddleware {
  readonly kind = 'basicAuth'
  override readonly hasFinish = true
  private readonly users: Users
  private readonly challenge: string
  private readonly headerField: string
  private readonly foldedField: ReadonlySet<string>
  private readonly removeHeader: boolean
  private readonly cacheTtl: number
  private readonly crypto: CryptoServices
  private readonly worker: WorkerServices
  private readonly now: () => number
  private readonly passed: Counter
  private readonly refused: Counter
  private readonly failed: Counter

  constructor(name: string, options: BasicAuthOptions, context: MiddlewareContext) {
    super(name)
    this.users = usersOf(options, options.users)
    this.challenge = `Basic realm=${quotedText(options.realm)}`
    this.headerField = options.headerField
    this.foldedField = new Set(options.headerField === '' ? [] : [foldedName(options.headerField)])
    this.removeHeader = options.removeHeader
    this.cacheTtl = options.cacheTtl
    this.crypto = context.crypto
    this.worker = context.worker
    this.now = context.now
    const counter = (outcome: string): Counter =>
      context.worker.counter('sluice_auth_requests_total', { middleware: name, outcome })
    this.passed = counter('passed')
    this.refused = counter('refused')
    this.failed = counter('failed')
  }

  onRequest(exchange: Exchange): Verdict {
    if (this.headerField !== '') removeFolded(exchange.request, this.foldedField)
    const credentials = credentialsOf(exchange)
    const colon = credentials.indexOf(':')
    const { stranger } = this.users
    if (colon < 0 || stranger === null) return this.refuse(exchange)
    const user = credentials.slice(0, colon)
    const password = credentials.slice(colon + 1)
    const known = this.users.find(user)
    const entry = known ?? stranger
    const key = this.cacheTtl > 0 ? this.crypto.mac(credentials) : ''
    if (key !== '' && this.users.isRemembered(key, this.now())) return this.admit(exchange, user)
    if (entry.scheme !== SHA1)
      return this.ask(exchange, user, password, entry.hash, known !== null, key)
    const isRight = this.crypto.equal(this.crypto.sha1(password), entry.hash)
    return isRight && known !== null ? this.admit(exchange, user) : this.refuse(exchange)
  }

  override onFinish(exchange: Exchange): void {
    const cancel = exchange.notes?.get(this) as Cancel | undefined
    if (cancel === undefined) return
    exchange.notes!.delete(this)
    cancel()
  }

  explain(exchange: Exchange): string {
    const { size } = this.users
    const asks = `Asks for the password of one of ${size} user${size === 1 ? '' : 's'}`
    const credentials = credentialsOf(exchange)
    const colon = credentials.indexOf(':')
    if (colon < 0) return `${asks}; the request brings none.`
    const isKnown = this.users.find(credentials.slice(0, colon)) !== null
    return `${asks}; the request brings one of ${isKnown ? 'a known' : 'an unknown'} user.`
  }

  private ask(
    exchange: Exchange,
    user: string,
    password: string,
    hash: string,
    isKnown: boolean,
    key: string,
  ): Verdict {
    const { serial } = exchange
    const cancel = this.crypto.checkPassword(hash, password, (isRight, failed) => {
      if (exchange.serial !== serial) return
      exchange.notes!.delete(this)
      if (isRight && isKnown && key !== '') this.users.remember(key, this.now() + this.cacheTtl)
      let verdict: Verdict
      if (failed) verdict = this.fail(exchange, AUTH_FAILED)
      else verdict = isRight && isKnown ? this.admit(exchange, user) : this.refuse(exchange)
      this.worker.wake(exchange, serial, verdict === NEXT ? NEXT : ANSWERED)
    })
    if (cancel === null) return this.fail(exchange, AUTH_BUSY)
    exchange.notes ??= new Map()
    exchange.notes.set(this, cancel)
    return WAIT
  }

  private admit(exchange: Exchange, user: string): Verdict {
    this.passed.add(1)
    exchange.user = user
    if (this.headerField !== '') exchange.request.add(this.headerField, user)
    if (this.removeHeader) exchange.request.remove('authorization')
    return NEXT
  }

  private refuse(exchange: Exchange): Verdict {
    this.refused.add(1)
    refuseWith(exchange, UNAUTHORIZED, 0)
    exchange.response.add('WWW-Authenticate', this.challenge)
    return ANSWERED
  }

  private fail(exchange: Exchange, code: number): Verdict {
    this.failed.add(1)
    refuseWith(exchange, code, 0)
    exchange.response.add('Retry-After', '1')
    return ANSWERED
  }
}

// 'user:password' as latin1 bytes; '' when the request brings none. Of two headers the server might believe the other.
function credentialsOf(exchange: Exchange): string {
  const lines = exchange.request.getAll('authorization')
  const given = lines.length === 1 ? lines[0]! : ''
  if (given.length > CREDENTIALS_MAX || given.slice(0, 6).toLowerCase() !== 'basic ') return ''
  const encoded = given.slice(6).trim()
  return base64.test(encoded) ? atob(encoded) : ''
}

// A quoted-string of RFC 9110, section 5.6.4.
export function quotedText(text: string, isBytes = false): string {
  return '"' + (isBytes ? text : bytesOfText(text)).replace(/["\\]/g, '\\$&') + '"'
}
