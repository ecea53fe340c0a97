// certificates/acme/client.ts: the conversation with an authority (RFC 8555): directory, nonces, account, and signed
// requests. What an order needs on top is in order.ts.
//
// Owner:  one resolver (certificates/manager). Hot: no.
//
// A nonce is good for one request. Authorities throw them away when they like (section 6.5: badNonce, with a fresh
// one in the same answer), so such a request is signed anew, up to NONCE_RETRIES times.

import type { KeyObject } from 'node:crypto'
import { type HttpResponse, type HttpTrust, type Transport, isObject, jsonObject } from '../http.ts'
import { type ExternalAccount, type Signer, bindExternalAccount } from './jws.ts'
import { signEnvelope, signerOf } from './jws.ts'
import { AcmeError, problemOf } from './problem.ts'

const NONCE_RETRIES = 12
const NONCES_MAX = 32

export interface AcmeClientOptions {
  readonly directoryUrl: string
  readonly accountKey: KeyObject
  readonly accountUrl: string // '' when there is no account yet
  readonly trust: HttpTrust
  readonly timeoutMs: number
  readonly headerTimeoutMs: number
  readonly transport: Transport
  readonly now: () => number
  readonly signal: AbortSignal
}

export interface Directory {
  readonly newNonce: string
  readonly newAccount: string
  readonly newOrder: string
  readonly renewalInfo: string // '' when the authority has none
  readonly profiles: readonly string[]
  readonly externalAccountRequired: boolean
}

export interface Answer {
  readonly response: HttpResponse
  readonly body: Readonly<Record<string, unknown>>
  readonly location: string
}

export class AcmeClient {
  accountUrl: string
  readonly options: AcmeClientOptions
  private readonly nonces: string[] = []
  private known: Directory | null = null
  private signing: Promise<Signer> | null = null

  constructor(options: AcmeClientOptions) {
    this.options = options
    this.accountUrl = options.accountUrl
  }

  signer(): Promise<Signer> {
    this.signing ??= signerOf(this.options.accountKey)
    return this.signing
  }

  async directory(): Promise<Directory> {
    if (this.known !== null) return this.known
    const response = await this.get(this.options.directoryUrl)
    const body = response.status === 200 ? jsonObject(response.body) : null
    if (body === null) throw problemOf(response, 'reading the directory', this.options.now())
    this.known = directoryOf(body)
    return this.known
  }

  // Without a signature: the directory, and renewal information.
  get(url: string): Promise<HttpResponse> {
    return this.send({ method: 'GET', url })
  }

  // Finds the account of the key, or makes it.
  async register(
    emails: readonly string[],
    external: ExternalAccount | null,
  ): Promise<Readonly<Record<string, unknown>>> {
    const directory = await this.directory()
    if (external === null && directory.externalAccountRequired)
      throw new AcmeError('registering: this authority wants an external account (eab)')
    const binding = external && {
      externalAccountBinding: await bindExternalAccount(
        await this.signer(),
        external,
        directory.newAccount,
      ),
    }
    const contact = emails.map((email) => `mailto:${email}`)
    const payload = { termsOfServiceAgreed: true, contact, ...binding }
    this.accountUrl = ''
    const { body, location } = await this.post(directory.newAccount, payload, 'registering')
    if (location === '') throw new AcmeError('registering: the answer names no account')
    this.accountUrl = location
    return body
  }

  // A signed request that is answered by an object; `payload` null asks for a resource (POST-as-GET).
  async post(url: string, payload: unknown, doing: string): Promise<Answer> {
    const response = await this.postRaw(url, payload, doing)
    const body = jsonObject(response.body)
    if (body === null) throw new AcmeError(`${doing}: the answer is not an object in JSON`)
    return { response, body, location: this.absolute(response.headers['location'] ?? '', url) }
  }

  async postRaw(url: string, payload: unknown, doing: string): Promise<HttpResponse> {
    for (let attempt = 0; ; attempt++) {
      const response = await this.sendSigned(url, payload)
      this.keepNonce(response)
      if (response.status >= 200 && response.status < 300) return response
      const problem = problemOf(response, doing, this.options.now())
      if (problem.type !== 'badNonce' || attempt >= NONCE_RETRIES) throw problem
    }
  }

  private async sendSigned(url: string, payload: unknown): Promise<HttpResponse> {
    const signer = await this.signer()
    const nonce = this.nonces.pop() ?? (await this.freshNonce())
    const { accountUrl } = this
    const body = await signEnvelope(signer, { url, nonce, accountUrl, payload })
    const headers = { 'content-type': 'application/jose+json' }
    return this.send({ method: 'POST', url, headers, body })
  }

  private async freshNonce(): Promise<string> {
    const { newNonce } = await this.directory()
    const response = await this.send({ method: 'HEAD', url: newNonce })
    const nonce = response.headers['replay-nonce']
    if (nonce === undefined) throw problemOf(response, 'asking for a nonce', this.options.now())
    return nonce
  }

  private keepNonce(response: HttpResponse): void {
    const nonce = response.headers['replay-nonce']
    if (nonce === undefined || !/^[\w-]+$/.test(nonce)) return
    this.nonces.push(nonce)
    if (this.nonces.length > NONCES_MAX) this.nonces.shift()
  }

  private send(request: {
    method: string
    url: string
    headers?: Record<string, string>
    body?: string
  }): Promise<HttpResponse> {
    const { transport, trust, timeoutMs, headerTimeoutMs, signal } = this.options
    const headers = { 'user-agent': 'sluice', ...request.headers }
    return transport({ ...request, headers, trust, timeoutMs, headerTimeoutMs, signal })
  }

  private absolute(location: string, base: string): string {
    return location === '' ? '' : (URL.parse(location, base)?.href ?? '')
  }
}

function directoryOf(body: Readonly<Record<string, unknown>>): Directory {
  const meta = isObject(body['meta']) ? body['meta'] : {}
  return {
    newNonce: urlIn(body, 'newNonce'),
    newAccount: urlIn(body, 'newAccount'),
    newOrder: urlIn(body, 'newOrder'),
    renewalInfo: typeof body['renewalInfo'] === 'string' ? body['renewalInfo'] : '',
    profiles: isObject(meta['profiles']) ? Object.keys(meta['profiles']) : [],
    externalAccountRequired: meta['externalAccountRequired'] === true,
  }
}

// What the authority calls by URL must be one: anything else is an answer of another program.
export function urlIn(body: Readonly<Record<string, unknown>>, name: string): string {
  const value = body[name]
  if (typeof value === 'string' && URL.canParse(value)) return value
  throw new AcmeError(`the answer of the authority has no URL "${name}"`)
}
