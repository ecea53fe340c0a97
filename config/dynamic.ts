// config/dynamic.ts: the whole routing (dynamic) configuration: what providers deliver while we run.
//
// The whole schema is for documentation; a document is read object by object (read-document.ts), so that one
// bad router disables only itself. `sections` says which keys hold objects, and of which kind. Hot: no.

import { z } from 'zod'
import { middlewareSchema, type MiddlewareConfig } from './dynamic/middlewares.ts'
import { routerSchema, type RouterConfig } from './dynamic/routers.ts'
import { serviceSchema, type ServiceConfig } from './dynamic/services.ts'
import {
  tcpMiddlewareSchema,
  tcpRouterSchema,
  tcpSchema,
  tcpServiceSchema,
  tcpTransportSchema,
  udpRouterSchema,
  udpSchema,
  udpServiceSchema,
} from './dynamic/tcp-udp.ts'
import type {
  TcpMiddlewareConfig,
  TcpRouterConfig,
  TcpServiceConfig,
  TcpTransportConfig,
  UdpRouterConfig,
  UdpServiceConfig,
} from './dynamic/tcp-udp.ts'
import { tlsCertificateSchema, tlsOptionsSchema, tlsSchema, tlsStoreSchema } from './dynamic/tls.ts'
import type { TlsCertificateConfig, TlsOptionsConfig, TlsStoreConfig } from './dynamic/tls.ts'
import { transportSchema, type TransportConfig } from './dynamic/transports.ts'
import { block, named } from './static/blocks.ts'

// Every kind of object that a document may hold.
export interface Configs {
  routers: RouterConfig
  services: ServiceConfig
  middlewares: MiddlewareConfig
  transports: TransportConfig
  tcpRouters: TcpRouterConfig
  tcpServices: TcpServiceConfig
  tcpMiddlewares: TcpMiddlewareConfig
  tcpTransports: TcpTransportConfig
  udpRouters: UdpRouterConfig
  udpServices: UdpServiceConfig
  tlsCertificates: TlsCertificateConfig
  tlsOptions: TlsOptionsConfig
  tlsStores: TlsStoreConfig
}

export type ConfigKind = keyof Configs

export interface Section {
  readonly kind: ConfigKind
  readonly schema: z.ZodType
  readonly says: string // how messages call one of them
}

const section = (kind: ConfigKind, schema: z.ZodType, says: string): Section => ({
  kind,
  schema,
  says,
})

// By the first and second key of a document. tls.certificates is a list; all others are maps by name.
export const sections: Readonly<Record<string, Readonly<Record<string, Section>>>> = {
  http: {
    routers: section('routers', routerSchema, 'router'),
    services: section('services', serviceSchema, 'service'),
    middlewares: section('middlewares', middlewareSchema, 'middleware'),
    serversTransports: section('transports', transportSchema, 'serversTransport'),
  },
  tcp: {
    routers: section('tcpRouters', tcpRouterSchema, 'TCP router'),
    services: section('tcpServices', tcpServiceSchema, 'TCP service'),
    middlewares: section('tcpMiddlewares', tcpMiddlewareSchema, 'TCP middleware'),
    serversTransports: section('tcpTransports', tcpTransportSchema, 'TCP serversTransport'),
  },
  udp: {
    routers: section('udpRouters', udpRouterSchema, 'UDP router'),
    services: section('udpServices', udpServiceSchema, 'UDP service'),
  },
  tls: {
    certificates: section('tlsCertificates', tlsCertificateSchema, 'certificate'),
    options: section('tlsOptions', tlsOptionsSchema, 'TLS options'),
    stores: section('tlsStores', tlsStoreSchema, 'TLS store'),
  },
}

export const configKinds: readonly ConfigKind[] = Object.values(sections).flatMap((group) =>
  Object.values(group).map(({ kind }) => kind),
)

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

export type { MiddlewareConfig, MiddlewareOptions } from './dynamic/middlewares.ts'
export type { RouterConfig } from './dynamic/routers.ts'
export type { ServiceConfig } from './dynamic/services.ts'
export type { TransportConfig } from './dynamic/transports.ts'
