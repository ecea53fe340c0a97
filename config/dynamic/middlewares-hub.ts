// config/dynamic/middlewares-hub.ts: middlewares that Traefik has in Hub only, there below `plugin`. Hot: no.

import { z } from 'zod'
import { extension, list, off, text } from '../static/blocks.ts'

const parameter = () => z.object({ name: z.string().min(1), value: text(), fromHeader: text() })

const queryParam = {
  set: z.array(parameter()).default([]),
  append: z.array(parameter()).default([]),
  remove: z.array(z.object({ name: z.string().min(1) })).default([]),
  rename: z.array(z.object({ from: z.string().min(1), to: z.string().min(1) })).default([]),
}

export const hubMiddlewares = {
  queryParam: extension(off(queryParam), 'Hub: plugin.queryParam'),
  forceCase: extension(off({ headers: list() }), 'Hub: plugin.forcecase'),
}
