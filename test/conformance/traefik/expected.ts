// test/conformance/traefik/expected.ts: differences from Traefik that are meant, each with its reason and the page that tells
// users of it. Whatever differs and is not here fails the suite, and so does what is here and no longer differs.

import { ABSENT, type Difference } from './compare.ts'
import type { Ask, Case, Seen } from './pair.ts'

export interface Both {
  readonly one: Case
  readonly ask: Ask
  readonly traefik: Seen
  readonly sluice: Seen
}

export interface Expected {
  readonly name: string
  readonly why: string
  readonly page: string // of docs/
  readonly explains: (found: Difference, both: Both) => boolean
}

// The code that an answer of Sluice's own ends with, or its page shows; '' for others.
function codeOf({ answer }: Seen): string {
  return (
    /\(([A-Z0-9_]+)\)\n$|>([A-Z0-9_]{6,})</
      .exec(answer?.body ?? '')
      ?.slice(1)
      .find(Boolean) ?? ''
  )
}

const refused =
  (codes: readonly string[]) =>
  (_: Difference, { sluice }: Both) =>
    codes.includes(codeOf(sluice))

// No server was asked: the answer is the gateway's.
const isUnasked = ({ sluice }: Both) => sluice.served.every(({ origin }) => origin === 'auth')

const withoutCoding = (vary: string) =>
  vary
    .split(' | ')
    .filter((name) => name !== 'Accept-Encoding' && name !== ABSENT)
    .join()

const OWN_PARTS = new Set([
  'body',
  'header content-type',
  'header content-length',
  'header vary',
  'header x-content-type-options',
  'header connection',
  'header content-security-policy',
  'header date',
])

// Both refuse with the same status, or have no router; a HEAD shows no code.
function isOwnAnswer({ ask, traefik, sluice }: Both): boolean {
  if (traefik.answer?.status !== sluice.answer?.status || sluice.answer === null) return false
  if (sluice.answer.status < 400) return false
  return (
    codeOf(sluice) !== '' ||
    (ask.method === 'HEAD' && sluice.served.length === 0) ||
    sluice.answer.body === '404 page not found\n'
  )
}

export const expected: readonly Expected[] = [
  {
    name: 'words of refusals',
    why: 'Sluice names the error, in the form that Accept asks for; what Traefik says depends on who says it.',
    page: 'errors.md',
    explains: (found, both) => OWN_PARTS.has(found.part) && isOwnAnswer(both),
  },
  {
    name: 'strict requests',
    why: 'A request that could be read in two ways is refused, by the side that a client sees first.',
    page: 'limits.md',
    explains: refused([
      'HOST_INVALID',
      'HOST_DOUBLE',
      'LENGTH_DOUBLE',
      'LENGTH_INVALID',
      'LENGTH_WITH_CHUNKED',
      'HEADER_FOLD',
      'HEADER_NAME',
      'HEADER_VALUE',
      'TRANSFER_ENCODING',
      'REQUEST_TARGET',
      'REQUEST_FRAGMENT',
      'REQUEST_METHOD',
      'PATH_ENCODING',
      'CHUNK_SIZE',
      'EXPECTATION',
      'CONNECT_REFUSED',
    ]),
  },
  {
    name: 'heads that are too large',
    why: '64 KiB and 128 lines, since servers behind accept less than the 1 MiB of Traefik.',
    page: 'limits.md',
    explains: refused(['HEADERS_TOO_LARGE', 'HEADERS_TOO_MANY', 'TARGET_TOO_LONG']),
  },
  {
    name: 'Accept-Encoding of a client that sends none',
    why: 'Traefik asks servers for gzip in its place and unpacks it; Sluice asks for what the client asks for.',
    page: 'limits.md',
    explains: ({ part, traefik, sluice }) =>
      part.endsWith('header accept-encoding') &&
      traefik.endsWith('gzip') &&
      (sluice === ABSENT || sluice === ''),
  },
  {
    name: 'User-Agent of a client that sends none',
    why: 'Traefik tells the server of forwardAuth that it is Go; Sluice tells what the client tells.',
    page: 'limits.md',
    explains: ({ part, traefik, sluice }) =>
      part.endsWith('header user-agent') &&
      traefik.startsWith('Go-http-client') &&
      sluice === ABSENT,
  },
  {
    name: 'redirects of the gateway',
    why: 'They have a sentence in their body, and its type; Traefik leaves out the one or the other.',
    page: 'limits.md',
    explains: ({ part, traefik }, both) =>
      isUnasked(both) &&
      both.sluice.answer!.status < 400 &&
      ((part === 'header content-type' && traefik === ABSENT) ||
        (part === 'body' && traefik === '') ||
        (part === 'header content-length' && traefik === '0')),
  },
  {
    name: 'malformed responses',
    why: 'What a server says and is no HTTP is a 502 with its code: 500 would be the gateway itself, and 600 is no status.',
    page: 'limits.md',
    explains: refused(['UPSTREAM_MALFORMED']),
  },
  {
    name: 'hosts that are not allowed',
    why: 'A host that is not in allowedHosts is a mistake of the client (400), none of the gateway (500).',
    page: 'middlewares/headers.md',
    explains: refused(['REFUSED_HOST']),
  },
  {
    name: 'bodies too long for forwardAuth',
    why: '413 says what it is; Traefik says 401.',
    page: 'limits.md',
    explains: ({ part }, { one, sluice }) =>
      one.name === 'auth-body-max' &&
      codeOf(sluice) === 'BODY_TOO_LARGE' &&
      !part.startsWith('request '),
  },
  {
    name: 'hosts in upper case',
    why: 'Hosts have no case: whoever writes one in capitals has no limit of his own.',
    page: 'middlewares/rate-limit.md',
    explains: (_, { one, sluice }) => one.name === 'rate-host' && codeOf(sluice) === 'RATE_LIMITED',
  },
  {
    name: 'hosts with a dot at their end',
    why: 'HostRegexp sees the host that Host sees, without the dot of an absolute name.',
    page: 'limits.md',
    explains: (_, { one, ask }) =>
      one.name === 'hosts-by-regexp' && ask.headers.includes(`Host: a.${one.name}.test.`),
  },
  {
    name: 'types after 1xx',
    why: 'Behind a 1xx Traefik forgets that it does not guess types; Sluice guesses where contentType asks for it.',
    page: 'middlewares/content-type.md',
    explains: ({ part, sluice }, { sluice: seen }) =>
      part === 'header content-type' && sluice === ABSENT && seen.interim.length > 0,
  },
  {
    name: 'names of statuses',
    why: 'RFC 9110 calls 413 Content Too Large; what a server calls its status is passed on, and one without a name has none.',
    page: 'limits.md',
    explains: ({ part, traefik, sluice }, { sluice: seen }) =>
      part === 'reason' &&
      (sluice === 'Content Too Large'
        ? traefik === 'Request Entity Too Large'
        : traefik.startsWith('status code 5') ||
          (seen.served.length > 0 && seen.answer!.status < 600)),
  },
  {
    name: 'Expect: 100-continue with a body that is here',
    why: 'Nobody waits for a 100 when the body has come with the head (RFC 9110, section 10.1.1).',
    page: 'limits.md',
    explains: ({ part, traefik, sluice }) =>
      part === 'interim' && traefik === '100' && sluice === '',
  },
  {
    name: 'OPTIONS *',
    why: 'Traefik answers it itself; Sluice routes it by its host, as any other request.',
    page: 'limits.md',
    explains: (_, { ask }) => ask.method === 'OPTIONS' && ask.target === '*',
  },
  {
    name: 'Content-Length: 0',
    why: 'A request without a body and without a length is sent on as it came.',
    page: 'limits.md',
    explains: ({ part, traefik, sluice }) =>
      /^request \d header content-length$/.test(part) && traefik === '0' && sluice === ABSENT,
  },
  {
    name: 'Forwarded',
    why: 'What an untrusted client says of its way is dropped, in the header of RFC 7239 too.',
    page: 'limits.md',
    explains: ({ part, sluice }, { ask }) =>
      part === 'request 1 header forwarded' && sluice === ABSENT && ask.entry === 'web',
  },
  {
    name: 'TE and Trailer',
    why: 'That trailers are understood, or will come, holds from end to end.',
    page: 'limits.md',
    explains: ({ part, traefik, sluice }) =>
      traefik === ABSENT &&
      ((part === 'request 1 header te' && sluice === 'trailers') ||
        (part === 'request 1 header trailer' && sluice === 'X-T')),
  },
  {
    name: 'an empty X-Forwarded-For',
    why: 'An empty line stays one; the list of both lines is the same.',
    page: 'limits.md',
    explains: ({ part, traefik, sluice }) =>
      part.endsWith('header x-forwarded-for') && traefik === `, ${sluice.replace(' | ', '')}`,
  },
  {
    name: 'X-Replaced-Path of the client',
    why: 'A server would take what a client says there for what the gateway says.',
    page: 'middlewares/replace-path.md',
    explains: ({ part, traefik, sluice }) =>
      part === 'request 1 header x-replaced-path' && traefik === `/client | ${sluice}`,
  },
  {
    name: 'escapes in paths',
    why: 'What is matched is what is sent: escapes stay as they came, and characters that need none in our eyes get none.',
    page: 'limits.md',
    explains: ({ part }, { one, ask }) =>
      part === 'request 1 line' &&
      ((one.name === 'strip-prefix' && ask.target === '/shop%2Fa') ||
        one.name === 'replace-path-odd' ||
        (one.name === 'any-path' && ask.target.startsWith('/a"'))),
  },
  {
    name: 'error pages: who asks',
    why: 'The service of error pages learns where a request came from, as every server does.',
    page: 'middlewares/errors.md',
    explains: ({ part, traefik }, { one }) =>
      one.name.startsWith('errors') &&
      traefik === ABSENT &&
      /^request [23] header x-(?:forwarded|real)-/.test(part),
  },
  {
    name: 'error pages: HEAD',
    why: 'The page of a HEAD is asked for with HEAD: nobody sees its body.',
    page: 'middlewares/errors.md',
    explains: ({ part, traefik, sluice }, { one, ask }) =>
      one.name.startsWith('errors') &&
      ask.method === 'HEAD' &&
      part === 'request 2 line' &&
      traefik.replace(/^GET/, 'HEAD') === sluice,
  },
  {
    name: 'forwardAuth: X-Forwarded-Server',
    why: 'The host name of the gateway is no part of the question whether a request may pass.',
    page: 'middlewares/forward-auth.md',
    explains: ({ part, sluice }, { one }) =>
      one.name.startsWith('auth') &&
      /^request \d header x-forwarded-server$/.test(part) &&
      sluice === ABSENT,
  },
  {
    name: 'forwardAuth: X-Forwarded-Port',
    why: 'It is told always; Traefik tells it with trustForwardHeader, or where no authRequestHeaders are named.',
    page: 'middlewares/forward-auth.md',
    explains: ({ part, traefik }, { one }) =>
      one.name === 'auth-headers' &&
      /^request \d header x-forwarded-port$/.test(part) &&
      traefik === ABSENT,
  },
  {
    name: 'forwardAuth: X-Real-Ip',
    why: 'Traefik tells it unless trustForwardHeader is false; Sluice always, since it is what the gateway saw.',
    page: 'middlewares/forward-auth.md',
    explains: ({ part, traefik }, { one }) =>
      one.name === 'auth-distrusting' &&
      /^request \d header x-real-ip$/.test(part) &&
      traefik === ABSENT,
  },
  {
    name: 'forwardAuth: the port that is made anew',
    why: 'It is that of the scheme, which both make anew; Traefik keeps the port of a trusted proxy unless trustForwardHeader is set.',
    page: 'middlewares/forward-auth.md',
    explains: ({ part, traefik, sluice }, { one, ask }) =>
      one.name.startsWith('auth') &&
      ask.entry === 'trusted' &&
      part === 'request 1 header x-forwarded-port' &&
      traefik === '443' &&
      sluice === '80',
  },
  {
    name: 'servers that are gone',
    why: 'Without a retry middleware too, another server is asked when one can not be reached.',
    page: 'resilience.md',
    explains: (_, { one, traefik, sluice }) =>
      one.name === 'half-dead' && traefik.answer?.status === 502 && sluice.answer?.status === 200,
  },
  {
    name: 'servers that hang up',
    why: 'What is sent once more when a server ends the connection without a word is decided by budget and method.',
    page: 'resilience.md',
    explains: ({ part }, { ask, one, sluice }) =>
      part.startsWith('request') &&
      (ask.reply ?? one.reply)?.name === 'hangUp' &&
      sluice.answer!.status >= 500,
  },
  {
    name: 'retryExpression',
    why: 'Requests without a body are repeated too; those that are not idempotent are not, once a server may have acted.',
    page: 'limits.md',
    explains: ({ part }, { one, ask }) =>
      one.name === 'buffered-again' &&
      part.startsWith('request') &&
      ['GET', 'POST'].includes(ask.method),
  },
  {
    name: 'buffered response bodies',
    why: 'A response that is here whole has its length.',
    page: 'middlewares/buffering.md',
    explains: ({ part }, { one }) =>
      one.name === 'buffered-plain' &&
      (part === 'header content-length' || part === 'header transfer-encoding'),
  },
  {
    name: 'compress: Vary',
    why: 'Vary stands where the choice was made by Accept-Encoding, whatever came of it, and nowhere else.',
    page: 'middlewares/compress.md',
    explains: ({ part, traefik, sluice }, { one }) =>
      one.name.startsWith('compress') &&
      part === 'header vary' &&
      withoutCoding(traefik) === withoutCoding(sluice),
  },
  {
    name: 'compress: ETag',
    why: 'Other bytes have no strong ETag of the first ones (RFC 9110, section 8.8.1).',
    page: 'middlewares/compress.md',
    explains: ({ part, traefik, sluice }) => part === 'header etag' && sluice === `W/${traefik}`,
  },
  {
    name: 'compress: what is asked for',
    why: '"*", codings in capitals, a default without Accept-Encoding: asked for as RFC 9110 and the options say.',
    page: 'middlewares/compress.md',
    explains: ({ part, traefik }, { one, ask, sluice }) =>
      one.name.startsWith('compress') &&
      /content-(?:length|encoding)$/.test(part) &&
      sluice.answer!.headers.has('content-encoding') &&
      (part.endsWith('length') || traefik === ABSENT) &&
      (ask.isBare || ask.method === 'HEAD' || /\*|GZIP/.test(ask.headers.join())),
  },
  {
    name: 'compress: what is left alone',
    why: 'Types that are compressed already, and no-transform of a server.',
    page: 'middlewares/compress.md',
    explains: ({ part, traefik, sluice }, both) =>
      both.one.name === 'compress' &&
      ((part === 'header content-encoding' && traefik === 'gzip' && sluice === ABSENT) ||
        (part === 'header content-length' && traefik === ABSENT)) &&
      /image\/png|no-transform/.test(both.sluice.answer!.lines.join()),
  },
  {
    name: 'contentType: nosniff',
    why: 'A server that forbids guessing is believed.',
    page: 'middlewares/content-type.md',
    explains: ({ part, sluice }, both) =>
      both.one.name === 'typed' &&
      part === 'header content-type' &&
      sluice === ABSENT &&
      both.sluice.answer!.headers.has('x-content-type-options'),
  },
  {
    name: 'grpcWeb: preflights',
    why: 'Answered with 204 and with what a page needs; names of headers have no case.',
    page: 'middlewares/grpc-web.md',
    explains: (_, { one, ask }) => one.name === 'grpc-web' && ask.method === 'OPTIONS',
  },
  {
    name: 'Retry-After',
    why: 'Whoever is refused for a while is told for how long.',
    page: 'middlewares/circuit-breaker.md',
    explains: ({ part, traefik }, { one }) =>
      part === 'header retry-after' && traefik === ABSENT && /^breaker|^no-server/.test(one.name),
  },
  {
    name: 'credentials for any origin',
    why: 'An origin that nobody named is not given credentials: any page could call in the name of whoever is logged in.',
    page: 'middlewares/headers.md',
    explains: ({ part, sluice }, { one }) =>
      one.name === 'cors-any-credentials' &&
      part === 'header access-control-allow-origin' &&
      sluice === '*',
  },
]
