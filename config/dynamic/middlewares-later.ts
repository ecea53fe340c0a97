// config/dynamic/middlewares-later.ts: middlewares of Traefik that are not built yet.
//
// Their options are checked, so that a typing error shows today. A middleware of these kinds is disabled, and
// with it every router that names it: a route must never be served without, say, its authentication.
// Hot: no.

import { z } from 'zod'
import { notYet, off, text } from '../static/blocks.ts'

const disables = 'a router that names it is disabled'
const later = <T extends z.ZodRawShape>(shape: T) => notYet(off(shape), disables)
const integer = (value: number) => z.int().default(value)

// Traefik's providers make these; they are its keys all the same, and no user writes them.
const internalKinds = {
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
  contentType: later({ autoDetect: z.boolean().nullable().default(null) }),
  ...internalKinds,
}
