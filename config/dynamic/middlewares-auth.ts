// config/dynamic/middlewares-auth.ts: middlewares that ask who somebody is. Hot: no.

import { z } from 'zod'
import { meta } from '../schema.ts'
import { extension, flag, off, text, time } from '../static/blocks.ts'

const usersAndRealm = {
  users: meta(z.array(z.string()), { secret: true }).default([]),
  usersFile: text(),
  realm: text('traefik'),
  removeHeader: flag(false),
  headerField: text(),
}

export const authMiddlewares = {
  basicAuth: off({
    ...usersAndRealm,
    cacheTtl: extension(time(0), 'a right password is not computed again for so long'),
  }),
  digestAuth: off(usersAndRealm),
}
