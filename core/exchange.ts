// core/exchange.ts: one request and its response on their way through a worker, first byte to last.
//
// Owner:  the worker that accepted the request. Pooled per worker; a connection leases one at the first
//         byte of a request, so an idle connection holds none.
// Hot:    yes. Every field has its final kind of value from the start; nothing is added later.
//
// The two halves finish in either order, and the exchange goes back to its pool only when both have:
//
//            downstream done            upstream done
//   OPEN ------------------> HALF ------------------> FREE
//     '-----------------------^ (or the other way round)
//
// Nothing may keep a reference to an exchange after its second half is done: the next request will be
// wearing the same object. `serial` tells a late caller that it has.

import { Head } from './headers.ts'
import { NO_SLOT } from './normalise-host.ts'
import type { BodyRecorder } from './cache/recorder.ts'
import type { BodyRewriter, ResponseRewriter } from './middleware/body.ts'
import type { Stuck } from './balance/sticky.ts'
import type { BodyKeeper } from './middleware/body-keeper.ts'
import type { Middleware } from './middleware/contract.ts'
import type { RetryPolicy } from './middleware/retry-policy.ts'

export const DOWNSTREAM_DONE = 1 // the client has its last byte, or has gone away
export const UPSTREAM_DONE = 2 // the server has sent its last byte, or was never asked
export const BOTH_DONE = DOWNSTREAM_DONE | UPSTREAM_DONE

// How the end of a body is told (RFC 9112, section 6.3).
export const BODY_NONE = 0
export const BODY_LENGTH = 1 // bodyLength bytes
export const BODY_CHUNKED = 2
export const BODY_CLOSE = 3 // to the end of the connection; responses only
export type BodyKind =
  | typeof BODY_NONE
  | typeof BODY_LENGTH
  | typeof BODY_CHUNKED
  | typeof BODY_CLOSE

// Form of the request target (RFC 9112, section 3.2).
export const FORM_ORIGIN = 0
export const FORM_ABSOLUTE = 1
export const FORM_AUTHORITY = 2 // CONNECT only
export const FORM_ASTERISK = 3 // OPTIONS only

// What the parser noted about the request while it walked over it; see core/h1/request.ts.
export const SAW_CLOSE = 1 // Connection: close
export const SAW_KEEP_ALIVE = 2 // Connection: keep-alive
export const SAW_UPGRADE = 4 // Connection: upgrade and an Upgrade header
export const SAW_NOMINATED = 8 // Connection names other headers, which must be removed
export const SAW_EXPECT = 16 // Expect: 100-continue
export const SAW_MANAGED = 32 // a managed (forwarded) header
export const SAW_ALIAS = 64 // a name with "_" or ".", which some servers read as "-"
export const SAW_TE_TRAILERS = 128 // TE: trailers
export const SAW_HOP = 256 // any hop-by-hop header
export const SAW_PATH_ODD = 512 // the path needs normalising: "%", "//", "/.", or "\"
export const SAW_SEMICOLON = 1024 // ";" in the query

export const METHOD_OTHER = 0
export const methodNames = [
  'EXTENSION_METHOD',
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
] as const
export const METHOD_GET = 1
export const METHOD_HEAD = 2
export const METHOD_POST = 3
export const METHOD_PUT = 4
export const METHOD_DELETE = 5
export const METHOD_CONNECT = 6
export const METHOD_OPTIONS = 7
export const METHOD_TRACE = 8
export const METHOD_PATCH = 9

// What the exchange is served by, resolved by the router; null while none matched.
export interface Route {
  readonly name: string
  readonly middlewares: readonly Middleware[] | null
}

// What the handshake of the connection settled; one object per connection.
export interface TlsFacts {
  readonly version: string // 'TLSv1.3'
  readonly cipher: string
  readonly sni: string // lower case; '' for none
  readonly alpn: string // '' for none
  readonly options: string // name of the TLS options
  readonly policy: string // what those asked for, as a hash: two names may stand for the same
  readonly resumed: boolean
  readonly client: ClientCertificate | null // null when the client has shown none
}

// What a client has shown of itself. Unverified where the mode does not ask for more (RequestClientCert,
// RequireAnyClientCert): then it proves no more than that the client has the key.
export interface ClientCertificate {
  readonly verified: boolean // its chain, against the authorities of the TLS options
  readonly subject: DistinguishedName
  readonly issuer: DistinguishedName
  readonly serialNumber: string // decimal
  readonly notBefore: number // milliseconds since the epoch
  readonly notAfter: number
  readonly sans: readonly string[] // names, addresses and URIs, without their kind
  readonly fingerprint: string // SHA-256 of the certificate, hexadecimal
  readonly der: string // the certificate itself, in base64
}

// By the names of RFC 4514 and OpenSSL: CN, O, OU, C, ST, L, DC, serialNumber. Several values keep their order.
export type DistinguishedName = Readonly<Record<string, readonly string[]>>

export class Exchange {
  serial = 0
  done = BOTH_DONE // a free exchange is one with both halves done

  // The request as it arrived. Set by the engine; valid until release.
  readonly request = new Head()
  methodId = METHOD_OTHER
  method = ''
  versionMinor = 1 // HTTP/1.x of the client; 1 when it speaks HTTP/2, whose heads are made into such ones
  http2 = false // the client speaks HTTP/2
  form = FORM_ORIGIN
  targetStart = 0 // the request target in request.text
  targetEnd = 0
  facts = 0 // SAW_* bits
  bodyKind: BodyKind = BODY_NONE
  bodyLength = 0 // declared length when BODY_LENGTH

  // What is matched and sent. Set by core/normalise.ts; changed by middlewares.
  host = '' // canonical: lower case, no port, no trailing dot; '' never matches a Host rule
  hostSlot: number = NO_SLOT // where normalise-host.ts keeps it
  authority = '' // the Host header as it is sent
  path = '' // as it is sent: normalised, escapes kept
  routingPath = '' // decoded except for reserved escapes: what rules look at
  query = '' // without "?", as it is sent
  hasQuery = false // "?" was there, though nothing may follow it
  secure = false // arrived by TLS
  errorPages = false // Accept chooses the form of a refusal; false while nobody knows what the client accepts
  tls: TlsFacts | null = null // null for clear text
  clientAddress = '' // the TCP peer, no port: "192.0.2.1" or "2001:db8::1"
  clientPort = 0
  user = '' // whom a middleware has authenticated; latin1 bytes
  entryPoint = '' // its name

  // The response. Parsed from upstream, or made by answer().
  readonly response = new Head()
  status = 0
  responseKind: BodyKind = BODY_NONE
  responseLength = 0
  // Of the server's response, whatever the client gets of it: the end of the connection was the end of its body, so that
  // nobody can tell whether it is whole. Means nothing before a server has answered; whoever reads a head sets it.
  endsWithConnection = false
  answerBody: string | Uint8Array = '' // of a local answer
  reason = '' // reason phrase as the server sent it; '' for the standard one
  error = 0 // a code of core/errors.ts when something went wrong

  // Position in the pipeline.
  route: Route | null = null
  step = 0 // index of the next middleware; those before it have run
  forwardHost = '' // when set, sent in place of authority
  pathChanged = false // the request line must be rebuilt
  requestRewriter: BodyRewriter | null = null // of a middleware that changes the body as it passes
  responseRewriter: ResponseRewriter | null = null
  retry: RetryPolicy | null = null // of the innermost retry middleware
  keeper: BodyKeeper | null = null // of the request's body; a middleware sets it in onRequest
  collectResponseMax = 0 // the whole body is collected before the response phases, up to so many bytes; 0: it streams
  responseBody: Uint8Array | null = null // what was collected; a response phase may put another in its place
  stuck: Stuck | null = null // cookies of sticky services, for the response

  recorder: BodyRecorder | null = null // keeps a copy of the response's body while it passes
  substituted = false // a response phase has put another response in the place of the server's: answerBody has its body
  replaced = false // the response comes from a Replacement (errors middleware)

  // Accounting; times are milliseconds of the worker's monotonic clock.
  startedAt = 0
  upstreamStartedAt = 0
  upstreamHeadAt = 0
  requestBytes = 0 // body bytes that arrived
  responseBytes = 0 // body bytes that were sent
  retries = 0
  serverUrl = ''
  serviceName = ''
  protocol = 0 // of core/request-protocol.ts; looked at only where requests are counted
  wroteHead = false // the response head has gone downstream

  // What middlewares keep from onRequest to onFinish, by their slot; null until one asks.
  notes: Map<Middleware, unknown> | null = null

  // Gives a local answer; the pipeline sends it. Middlewares return ANSWERED after it.
  answer(status: number, error: number, body: string | Uint8Array, contentType: string): void {
    this.response.clear()
    this.status = status
    this.reason = ''
    this.error = error
    this.answerBody = body // text is ASCII, or encoded by the caller: one byte per character
    this.responseKind = BODY_LENGTH
    this.responseLength = body.length
    if (contentType !== '') this.response.add('Content-Type', contentType)
  }

  reset(): void {
    this.serial++
    this.done = 0
    this.request.clear()
    this.methodId = METHOD_OTHER
    this.method = ''
    this.versionMinor = 1
    this.http2 = false
    this.form = FORM_ORIGIN
    this.targetStart = 0
    this.targetEnd = 0
    this.facts = 0
    this.bodyKind = BODY_NONE
    this.bodyLength = 0
    this.host = ''
    this.hostSlot = NO_SLOT
    this.authority = ''
    this.path = ''
    this.routingPath = ''
    this.query = ''
    this.hasQuery = false
    this.errorPages = false
    this.tls = null
    this.user = ''
    this.response.clear()
    this.status = 0
    this.responseKind = BODY_NONE
    this.responseLength = 0
    this.answerBody = ''
    this.reason = ''
    this.error = 0
    this.route = null
    this.step = 0
    this.forwardHost = ''
    this.pathChanged = false
    this.requestRewriter = null
    this.responseRewriter = null
    this.retry = null
    this.keeper = null
    this.collectResponseMax = 0
    this.responseBody = null
    this.recorder = null
    this.substituted = false
    this.replaced = false
    this.stuck = null
    this.startedAt = 0
    this.upstreamStartedAt = 0
    this.upstreamHeadAt = 0
    this.requestBytes = 0
    this.responseBytes = 0
    this.retries = 0
    this.serverUrl = ''
    this.serviceName = ''
    this.protocol = 0
    this.wroteHead = false
    this.notes = null
  }
}

// Whether bytes of a body follow the head of the request; "Content-Length: 0" announces none.
export function hasRequestBody({ bodyKind, bodyLength }: Exchange): boolean {
  return bodyKind === BODY_CHUNKED || (bodyKind === BODY_LENGTH && bodyLength > 0)
}
