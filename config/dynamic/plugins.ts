// config/dynamic/plugins.ts: `plugin.<key>`: what Hub users write, and the kind that does the same here.
//
// A key stands for a kind; where Hub's options differ from ours, the key has a schema of its own and optionsOf
// translates. Other plugins are programs that Traefik would fetch and run: they are refused. Hot: no.

import { z } from 'zod'
import { meta } from '../schema.ts'
import { limits } from './limits.ts'
import { hubMiddlewares } from './middlewares-hub.ts'

export interface PluginKind {
  readonly kind: string // one of the built ones
  readonly schema: z.ZodType
  readonly optionsOf: (written: unknown) => unknown // of the schema's output: the options of the kind
}

const same = <T extends z.ZodType>(kind: string, schema: T): PluginKind => ({
  kind,
  schema: meta(schema, { extension: false, note: '' }),
  optionsOf: (written) => written,
})

export const pluginKinds = {
  httpCache: same('httpCache', hubMiddlewares.httpCache),
  queryParam: same('queryParam', hubMiddlewares.queryParam),
  distributedRateLimit: same('distributedRateLimit', limits.distributedRateLimit),
  forcecase: same('forceCase', hubMiddlewares.forceCase),
} as const satisfies Record<string, PluginKind>

export type PluginKey = keyof typeof pluginKinds

const schemas = Object.fromEntries(
  Object.entries(pluginKinds).map(([key, { schema }]) => [key, schema]),
)

// Kept, so that the compiler can name it; its settings are secret.
const unknownPlugin = meta(z.unknown(), {
  secret: true,
  status: 'not yet',
  note: 'plugins are programs, and not run; a router that names it is disabled',
})

export const pluginSchema = z.object(schemas).catchall(unknownPlugin).nullable().default(null)
