// test/conformance/traefik/expected-middlewares.ts: the differences of expected.ts that are of one middleware.

import { ABSENT } from './compare.ts'
import { type Expected, codeOf, refused, withoutCoding } from './explain.ts'

export const ofMiddlewares: readonly Expected[] = [
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
    name: 'types after 1xx',
    why: 'Behind a 1xx Traefik forgets that it does not guess types; Sluice guesses where contentType asks for it.',
    page: 'middlewares/content-type.md',
    explains: ({ part, sluice }, { sluice: seen }) =>
      part === 'header content-type' && sluice === ABSENT && seen.interim.length > 0,
  },
  {
    name: 'X-Replaced-Path of the client',
    why: 'A server would take what a client says there for what the gateway says.',
    page: 'middlewares/replace-path.md',
    explains: ({ part, traefik, sluice }) =>
      part === 'request 1 header x-replaced-path' && traefik === `/client | ${sluice}`,
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
