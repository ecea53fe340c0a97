// test/conformance/traefik/expected.ts: differences from Traefik that are meant, each with its reason and the page that tells
// users of it. Whatever differs and is not here fails the suite, and so does what is here and no longer differs.

import { ABSENT } from './compare.ts'
import { type Expected, refused, isUnasked, isOwnAnswer, OWN_PARTS } from './explain.ts'
import { ofMiddlewares } from './expected-middlewares.ts'

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
    name: 'hosts with a dot at their end',
    why: 'HostRegexp sees the host that Host sees, without the dot of an absolute name.',
    page: 'limits.md',
    explains: (_, { one, ask }) =>
      one.name === 'hosts-by-regexp' && ask.headers.includes(`Host: a.${one.name}.test.`),
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
  ...ofMiddlewares,
]
