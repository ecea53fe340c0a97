// config/dynamic/routers.ts: http.routers.<name>, with Traefik's keys and defaults. Hot: no.

import { z } from 'zod'
import { meta } from '../schema.ts'
import { classNames } from '../../core/overload/stages.ts'
import {
  block,
  extension,
  list,
  noted,
  notYet,
  off,
  routerTlsKeys,
  text,
} from '../static/blocks.ts'

export const routerTls = () =>
  noted(off(routerTlsKeys()), 'a router with tls answers no clear-text request')

const ruleSyntax = meta(z.enum(['', 'v2', 'v3']).default(''), {
  status: 'partly',
  note: 'only v3; a router with v2 is disabled, since its rule could mean something else',
})

export const routerSchema = z.object({
  entryPoints: list(),
  middlewares: list(),
  service: text(),
  rule: text(),
  parentRefs: list(),
  ruleSyntax,
  priority: z.number().default(0),
  priorityClass: extension(
    z.enum(classNames).nullable().default(null),
    'who is served first under overload; normal, and critical for services of the gateway itself',
  ),
  tls: routerTls(),
  observability: block({
    accessLogs: z.boolean().nullable().default(null),
    metrics: z.boolean().nullable().default(null),
    tracing: notYet(z.boolean().nullable().default(null), 'tracing'),
    traceVerbosity: notYet(z.enum(['minimal', 'detailed']).nullable().default(null), 'tracing'),
  }),
})

export type RouterConfig = z.output<typeof routerSchema>
