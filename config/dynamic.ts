// config/dynamic.ts: the whole routing (dynamic) configuration: what providers deliver while we run.
//
// The whole schema is for documentation; a document is read object by object (read-document.ts), so that one
// bad router disables only itself. Hot: no.

import { z } from 'zod'
import { middlewareSchema } from './dynamic/middlewares.ts'
import { routerSchema } from './dynamic/routers.ts'
import { serviceSchema } from './dynamic/services.ts'
import { tcpSchema, udpSchema } from './dynamic/tcp-udp.ts'
import { tlsSchema } from './dynamic/tls.ts'
import { transportSchema } from './dynamic/transports.ts'
import { block, named } from './static/blocks.ts'

export const httpSections = {
  routers: routerSchema,
  services: serviceSchema,
  middlewares: middlewareSchema,
  serversTransports: transportSchema,
}

export const dynamicSchema = z.object({
  http: block({
    routers: named(routerSchema),
    services: named(serviceSchema),
    middlewares: named(middlewareSchema),
    serversTransports: named(transportSchema),
  }),
  tcp: tcpSchema,
  udp: udpSchema,
  tls: tlsSchema,
})

// Everything but http, checked as one: nothing in it is served yet, so nothing can be half right.
export const otherSections = { tcp: tcpSchema, udp: udpSchema, tls: tlsSchema }

export type { MiddlewareConfig, MiddlewareOptions } from './dynamic/middlewares.ts'
export type { RouterConfig } from './dynamic/routers.ts'
export type { ServiceConfig } from './dynamic/services.ts'
export type { TransportConfig } from './dynamic/transports.ts'
