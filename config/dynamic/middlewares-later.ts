// config/dynamic/middlewares-later.ts: middlewares of Traefik that are not built yet.
//
// Their options are checked, so that a typing error shows today. A middleware of these kinds is disabled, and
// with it every router that names it: a route must never be served without, say, its authentication.
// Hot: no.

import { z } from 'zod'
import { flag, list, map, notYet, off, secret, text } from '../static/blocks.ts'

const disables = 'a router that names it is disabled'
const later = <T extends z.ZodRawShape>(shape: T) => notYet(off(shape), disables)
const integer = (value: number) => z.int().default(value)

const forwardAuth = later({
  address: text(),
  tls: off({
    ca: text(),
    cert: text(),
    key: secret(),
    insecureSkipVerify: flag(false),
    caOptional: z.boolean().nullable().default(null),
  }),
  trustForwardHeader: flag(false),
  authResponseHeaders: list(),
  authResponseHeadersRegex: text(),
  authRequestHeaders: list(),
  maxResponseBodySize: integer(-1),
  addAuthCookiesToResponse: list(),
  headerField: text(),
  forwardBody: flag(false),
  maxBodySize: integer(-1),
  preserveLocationHeader: flag(false),
  preserveRequestMethod: flag(false),
  authSigninURL: text(),
})

// Traefik's providers make these; they are its keys all the same, and no user writes them.
const internalKinds = {
  requestHeaderModifier: later({ set: map(), add: map(), remove: list() }),
  responseHeaderModifier: later({ set: map(), add: map(), remove: list() }),
  requestRedirect: later({
    scheme: text(),
    hostname: text(),
    port: text(),
    path: text(),
    pathPrefix: text(),
    statusCode: integer(302),
  }),
  URLRewrite: later({ hostname: text(), path: text(), pathPrefix: text() }),
}

export const laterMiddlewares = {
  forwardAuth,
  contentType: later({ autoDetect: z.boolean().nullable().default(null) }),
  ...internalKinds,
}
