// config/dynamic/middlewares-own.ts: small middlewares that Traefik does not have. Hot: no.

import { z } from 'zod'
import { extension, flag, list, off, text, time } from '../static/blocks.ts'
import { ipStrategy } from './limits.ts'

export const ownMiddlewares = {
  requestSize: extension(
    off({ maxBytes: z.int().min(0) }),
    'refuses requests with a longer body, without keeping it',
  ),
  requestId: extension(
    off({ headerName: text('X-Request-Id'), trustIncoming: flag(false), echo: flag(true) }),
    'a name for each request',
  ),
  maintenance: extension(
    off({
      message: text('We will be back soon.'),
      retryAfter: time(0),
      allowedRange: list(),
      ipStrategy: ipStrategy(),
    }),
    'a page in place of a service that is being worked on',
  ),
}
