// config/dynamic/middlewares-auth.ts: middlewares that ask who somebody is. Hot: no.

import { z } from 'zod'
import { meta } from '../schema.ts'
import { extension, flag, list, noted, off, secret, text, time } from '../static/blocks.ts'

const usersAndRealm = {
  users: meta(z.array(z.string()), { secret: true }).default([]),
  usersFile: text(),
  realm: text('traefik'),
  removeHeader: flag(false),
  headerField: text(),
}

const forwardAuth = off({
  address: text(),
  tls: off({
    ca: text(),
    cert: text(),
    key: secret(),
    insecureSkipVerify: flag(false),
    caOptional: noted(
      z.boolean().nullable().default(null),
      'deprecated in Traefik and without effect there too',
    ),
  }),
  trustForwardHeader: flag(false),
  authResponseHeaders: list(),
  authResponseHeadersRegex: text(),
  authRequestHeaders: list(),
  maxResponseBodySize: z.int().default(-1),
  addAuthCookiesToResponse: list(),
  headerField: text(),
  forwardBody: flag(false),
  maxBodySize: z.int().default(-1),
  preserveLocationHeader: flag(false),
  preserveRequestMethod: flag(false),
  authSigninURL: text(),
  timeout: extension(time(30_000), 'for the whole answer'),
  cache: extension(
    off({
      ttl: time(0),
      refusedTtl: time(0),
      entriesMax: z.int().default(10_000),
      ignore: list(),
      cookies: list(),
    }),
    'answers count for a while, for whoever would ask the very same',
  ),
})

export const authMiddlewares = {
  basicAuth: off({
    ...usersAndRealm,
    cacheTtl: extension(time(0), 'a right password is not computed again for so long'),
  }),
  digestAuth: off(usersAndRealm),
  forwardAuth,
}
