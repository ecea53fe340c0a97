// core/middleware/http/digest-auth.ts: serves only who proves a known password without sending it (RFC 2617, MD5, qop=auth).
//
// Hot: no; each check costs three hashes of MD5, a microsecond each, on the event loop. Fails closed. A request that was
// seen on its way can't be sent again: each count of a nonce is good for one request.

import { type DigestFields, readDigestHeader } from '../../auth/digest.ts'
import { readDigest } from '../../auth/htpasswd.ts'
import { GOOD, Nonces, OLD } from '../../auth/nonces.ts'
import { UNAUTHORIZED } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { bytesOfText } from '../../percent.ts'
import { ANSWERED, NEXT, RequestMiddleware } from '../contract.ts'
import type { MiddlewareContext, Verdict } from '../contract.ts'
import type { CryptoServices } from '../crypto.ts'
import { foldedName, removeFolded } from '../own-headers.ts'
import { refuseWith } from '../refuse.ts'
import type { Counter, WorkerServices } from '../worker.ts'
import { quotedText } from './basic-auth.ts'

export interface DigestAuthOptions {
  readonly users: readonly string[] // of usersFile too; lines of htdigest
  readonly realm: string
  readonly headerField: string
  readonly removeHeader: boolean
}

const NOBODY = 'ffffffffffffffffffffffffffffffff' // the secret of who is unknown; no answer fits it

export class DigestAuth extends RequestMiddleware {
  readonly kind = 'digestAuth'
  private readonly secrets: ReadonlyMap<string, string> // by user
  private readonly realm: string // as bytes
  private readonly nonces: Nonces
  private readonly headerField: string
  private readonly foldedField: ReadonlySet<string>
  private readonly removeHeader: boolean
  private readonly crypto: CryptoServices
  private readonly worker: WorkerServices
  private readonly passed: Counter
  private readonly refused: Counter

  constructor(name: string, options: DigestAuthOptions, context: MiddlewareContext) {
    super(name)
    this.realm = bytesOfText(options.realm)
    this.secrets = secretsOf(options.users, this.realm)
    this.nonces = new Nonces(context.worker.shared.nonces, context.crypto, this.realm)
    this.headerField = options.headerField
    this.foldedField = new Set(options.headerField === '' ? [] : [foldedName(options.headerField)])
    this.removeHeader = options.removeHeader
    this.crypto = context.crypto
    this.worker = context.worker
    const counter = (outcome: string): Counter =>
      context.worker.counter('sluice_auth_requests_total', { middleware: name, outcome })
    this.passed = counter('passed')
    this.refused = counter('refused')
  }

  onRequest(exchange: Exchange): Verdict {
    if (this.headerField !== '') removeFolded(exchange.request, this.foldedField)
    const fields = fieldsOf(exchange)
    if (fields === null || !this.isRight(exchange, fields)) return this.refuse(exchange, false)
    const state = this.nonces.use(fields.nonce, fields.nc, this.worker.preciseNow())
    if (state !== GOOD) return this.refuse(exchange, state === OLD)
    this.passed.add(1)
    exchange.user = fields.username
    if (this.headerField !== '') exchange.request.add(this.headerField, fields.username)
    if (this.removeHeader) exchange.request.remove('authorization')
    return NEXT
  }

  explain(exchange: Exchange): string {
    const { size } = this.secrets
    const asks = `Asks for the digest of one of ${size} user${size === 1 ? '' : 's'}`
    const brings = fieldsOf(exchange) === null ? 'none' : 'one, good for a single request'
    return `${asks}; the request brings ${brings}.`
  }

  // The same work for who is unknown.
  private isRight(exchange: Exchange, fields: DigestFields): boolean {
    const { username, realm, nonce, uri, response, cnonce, nc } = fields
    const secret = this.secrets.get(username)
    const request = this.crypto.md5(`${exchange.method}:${uri}`)
    const proof = this.crypto.md5(`${secret ?? NOBODY}:${nonce}:${nc}:${cnonce}:auth:${request}`)
    const fits = this.crypto.equal(proof, response)
    return fits && secret !== undefined && realm === this.realm && isAddressed(exchange, uri)
  }

  private refuse(exchange: Exchange, isStale: boolean): Verdict {
    this.refused.add(1)
    refuseWith(exchange, UNAUTHORIZED, 0)
    const nonce = this.nonces.make(this.worker.preciseNow())
    const stale = isStale ? ', stale=true' : ''
    exchange.response.add(
      'WWW-Authenticate',
      `Digest realm=${quotedText(this.realm, true)}, nonce="${nonce}", qop="auth", algorithm=MD5${stale}`,
    )
    return ANSWERED
  }
}

function fieldsOf(exchange: Exchange): DigestFields | null {
  const lines = exchange.request.getAll('authorization')
  return lines.length === 1 ? readDigestHeader(lines[0]!) : null
}

// The digest is of one request target: of this request, as the client has sent it.
function isAddressed(exchange: Exchange, uri: string): boolean {
  const { request, targetStart, targetEnd } = exchange
  return request.text.slice(targetStart, targetEnd) === uri
}

// Lines of other realms belong to others. Of a user who is given twice the last line counts.
function secretsOf(lines: readonly string[], realm: string): Map<string, string> {
  const secrets = new Map<string, string>()
  for (const line of lines) {
    const entry = readDigest(line)
    if (typeof entry !== 'string' && entry.realm === realm) secrets.set(entry.user, entry.secret)
  }
  return secrets
}
