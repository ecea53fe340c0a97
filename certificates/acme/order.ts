// certificates/acme/order.ts: from names to a certificate: order, authorizations, challenges, finalisation, download
// (RFC 8555 7.4, 7.5), and the chain that the operator prefers.
//
//   new order -> present every challenge -> tell the authority -> poll -> finalize -> poll -> download
//                        '------------------- clean up, always -------------------'
//
// Owner: one resolver; one call per certificate. Hot: no.

import { type KeyObject, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { certificatePlan } from '../../config/certificate-facts.ts'
import type { CertificatePlan } from '../../config/protocol-plans.ts'
import type { Challenge, Solver } from '../challenges/contract.ts'
import { type HttpResponse, isObject, retryAfterMs } from '../http.ts'
import { pause } from '../pause.ts'
import { certificateRequest } from '../x509.ts'
import { type AcmeClient, type Answer, urlIn } from './client.ts'
import { generateKey, keyPem } from './keys.ts'
import { AcmeError, problemIn } from './problem.ts'

export interface OrderRequest {
  readonly names: readonly string[] // host names, wildcards, addresses; the first is the main one
  readonly keyType: string
  readonly commonName: boolean // whether the request names the main one as subject
  readonly emails: readonly string[] // in the request, beside the names
  readonly preferredChain: string // '' for the authority's own choice
  readonly profile: string // '' for the authority's own choice
  readonly replaces: string // id of the certificate that is renewed (RFC 9773 5); '' for none
  readonly finalizeTimeoutMs: number
  readonly validateTimeoutMs: number
  readonly warn: (message: string) => void
}

const POLL_FIRST_MS = 250
const POLL_MAX_MS = 5000
const TOKEN = /^[\w-]{16,512}$/ // RFC 8555 8: 128 bits at least, base64url
const CHAINS_MAX = 10

export async function obtainCertificate(
  client: AcmeClient,
  request: OrderRequest,
  solver: Solver,
): Promise<CertificatePlan> {
  const order = await newOrder(client, request)
  await authorize(client, request, solver, order)
  const key = await generateKey(request.keyType)
  const url = await finalize(client, request, order, key)
  const certPem = await download(client, request, url)
  const plan = certificatePlan(certPem, keyPem(key))
  const missing = request.names.filter((name) => !plan.names.includes(name))
  if (missing.length > 0)
    throw new AcmeError(`the authority issued a certificate without ${missing.join(', ')}`)
  return plan
}

async function newOrder(client: AcmeClient, request: OrderRequest): Promise<Answer> {
  const directory = await client.directory()
  const { profile, replaces, names } = request
  const payload = { identifiers: names.map(identifierOf), ...(profile && { profile }) }
  const doing = `ordering ${names.join(', ')}`
  if (replaces === '' || directory.renewalInfo === '')
    return client.post(directory.newOrder, payload, doing)
  try {
    return await client.post(directory.newOrder, { ...payload, replaces }, doing)
  } catch (fault) {
    // Another order replaces it already, or the authority no longer knows it: not a reason to go without.
    if (!(fault instanceof AcmeError) || fault.type === 'rateLimited') throw fault
    return client.post(directory.newOrder, payload, doing)
  }
}

function identifierOf(name: string): { type: string; value: string } {
  return { type: isIP(name) === 0 ? 'dns' : 'ip', value: name }
}

// ---- authorizations

interface Pending {
  readonly url: string // of the authorization
  readonly challengeUrl: string
  readonly challenge: Challenge
}

async function authorize(
  client: AcmeClient,
  request: OrderRequest,
  solver: Solver,
  order: Answer,
): Promise<void> {
  const pending = await pendingOf(client, solver, order)
  const challenges = pending.map(({ challenge }) => challenge)
  const open = new Set(pending)
  try {
    await solver.present(challenges, client.options.signal)
    const deadline = client.options.now() + request.validateTimeoutMs
    for (const one of pending) {
      await client.post(one.challengeUrl, {}, `asking for a look at ${one.challenge.name}`)
    }
    for (const one of pending) {
      await untilAuthorized(client, one, deadline)
      open.delete(one)
    }
  } catch (fault) {
    await giveUp(client, open)
    throw fault
  } finally {
    await solver.cleanup(challenges)
  }
}

async function pendingOf(client: AcmeClient, solver: Solver, order: Answer): Promise<Pending[]> {
  const urls = order.body['authorizations']
  if (!Array.isArray(urls)) throw new AcmeError('the order lists no authorizations')
  const found: Pending[] = []
  for (const url of urls) {
    if (typeof url !== 'string') throw new AcmeError('the order lists an authorization without URL')
    const { body } = await client.post(url, null, 'reading an authorization')
    if (body['status'] === 'valid') continue // proven by an earlier order
    found.push(await pendingIn(client, solver, url, body))
  }
  return found
}

async function pendingIn(
  client: AcmeClient,
  solver: Solver,
  url: string,
  body: Readonly<Record<string, unknown>>,
): Promise<Pending> {
  const identifier = isObject(body['identifier']) ? body['identifier'] : {}
  const name = String(identifier['value'] ?? '')
  const offered = Array.isArray(body['challenges']) ? body['challenges'].filter(isObject) : []
  const chosen = offered.find((one) => one['type'] === solver.kind)
  if (chosen === undefined) {
    const types = offered.map((one) => String(one['type'])).join(', ')
    throw new AcmeError(`${name}: the authority offers ${types || 'nothing'}, not ${solver.kind}`)
  }
  const token = String(chosen['token'] ?? '')
  if (!TOKEN.test(token)) throw new AcmeError(`${name}: the authority sent an unusable token`)
  const { thumbprint } = await client.signer()
  const keyAuthorization = `${token}.${thumbprint}`
  const challenge = { kind: solver.kind, name, token, keyAuthorization }
  return { url, challengeUrl: urlIn(chosen, 'url'), challenge }
}

async function untilAuthorized(
  client: AcmeClient,
  pending: Pending,
  deadline: number,
): Promise<void> {
  const { name, kind } = pending.challenge
  const doing = `proving ${name} by ${kind}`
  const body = await poll(client, pending.url, doing, deadline, 'pending')
  if (body['status'] === 'valid') return
  const challenges = Array.isArray(body['challenges']) ? body['challenges'].filter(isObject) : []
  const failed = challenges.find((one) => isObject(one['error']))
  throw problemIn(failed?.['error'], doing)
}

// Pending authorizations count against the limits of an account until they are given back (7.5.2).
async function giveUp(client: AcmeClient, open: ReadonlySet<Pending>): Promise<void> {
  for (const { url } of open) {
    if (client.options.signal.aborted) return
    await client.post(url, { status: 'deactivated' }, 'giving back').catch(() => {})
  }
}

// ---- the certificate

async function finalize(
  client: AcmeClient,
  request: OrderRequest,
  order: Answer,
  key: KeyObject,
): Promise<string> {
  const { names } = request
  const doing = `finalizing ${names.join(', ')}`
  const commonName = request.commonName && isIP(names[0]!) === 0 ? names[0]! : ''
  const csr = certificateRequest(names, commonName, key, request.emails).toString('base64url')
  const deadline = client.options.now() + request.finalizeTimeoutMs
  await poll(client, order.location, doing, deadline, 'pending') // 'ready' follows the last authorization
  await client.post(urlIn(order.body, 'finalize'), { csr }, doing)
  const body = await poll(client, order.location, doing, deadline, 'processing', 'ready')
  if (body['status'] !== 'valid') throw problemIn(body['error'], doing)
  return urlIn(body, 'certificate')
}

// Asks until the status is none of `waiting`.
async function poll(
  client: AcmeClient,
  url: string,
  doing: string,
  deadline: number,
  ...waiting: string[]
): Promise<Readonly<Record<string, unknown>>> {
  const { now, signal } = client.options
  for (let wait = POLL_FIRST_MS; ; wait = Math.min(POLL_MAX_MS, wait * 1.5)) {
    const { body, response } = await client.post(url, null, doing)
    if (!waiting.includes(String(body['status']))) return body
    const left = deadline - now()
    if (left <= 0) throw new AcmeError(`${doing}: still ${String(body['status'])} at the deadline`)
    await pause(Math.min(left, retryAfterMs(response.headers, now()) ?? wait), signal)
  }
}

async function download(client: AcmeClient, request: OrderRequest, url: string): Promise<string> {
  const first = await client.postRaw(url, null, 'downloading the certificate')
  const chain = textOf(first)
  const { preferredChain } = request
  if (preferredChain === '' || isIssuedBy(chain, preferredChain)) return chain
  for (const link of alternatesOf(first, url).slice(0, CHAINS_MAX)) {
    const other = textOf(await client.postRaw(link, null, 'downloading another chain'))
    if (isIssuedBy(other, preferredChain)) return other
  }
  request.warn(`no chain of the authority ends at "${preferredChain}"; its own choice is used`)
  return chain
}

function textOf(response: HttpResponse): string {
  return response.body.toString('latin1')
}

// RFC 8555 7.4.2: Link: <https://example.com/acme/cert/asdf/1>;rel="alternate"
function alternatesOf(response: HttpResponse, base: string): string[] {
  const links = (response.headers['link'] ?? '').matchAll(/<([^>]*)>\s*;\s*rel="?([\w-]+)"?/g)
  return [...links]
    .filter((match) => match[2] === 'alternate')
    .map((match) => URL.parse(match[1]!, base)?.href ?? '')
    .filter((href) => href !== '')
}

// As lego: by the common name of whoever issued the topmost certificate.
function isIssuedBy(chain: string, name: string): boolean {
  const blocks = chain.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  const top = blocks.at(-1)
  if (top === undefined) return false
  return new X509Certificate(top).issuer.split('\n').includes(`CN=${name}`)
}
