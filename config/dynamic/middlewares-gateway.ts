// config/dynamic/middlewares-gateway.ts: middlewares that stand for filters of the Gateway API. Hot: no.

import { z } from 'zod'
import { list, map, off, text } from '../static/blocks.ts'

const modifier = () => off({ set: map(), add: map(), remove: list() })

// Both null: the path stays. `pathPrefix` is what `path` replaces; without it, that is the whole path.
const pathChange = () => ({
  path: z.string().nullable().default(null),
  pathPrefix: z.string().nullable().default(null),
})

export const gatewayMiddlewares = {
  requestHeaderModifier: modifier(),
  responseHeaderModifier: modifier(),
  requestRedirect: off({
    scheme: text(),
    hostname: text(),
    port: text(),
    ...pathChange(),
    statusCode: z.int().default(302),
  }),
  URLRewrite: off({ hostname: text(), ...pathChange() }),
}
