// hub.*: the blocks of Traefik Hub's static configuration, accepted and not built yet. Hot: no.

import { z } from 'zod'
import { block, clientTls, flag, list, named, notYet, secret, text, time, whole } from './blocks.ts'

const bodyBytesDefault = 1024 * 1024

const admission = block({
  listenAddr: text(),
  secretName: text(),
  restartOnCertificateChange: flag(false),
})

const redis = block({
  endpoints: list(),
  username: text(),
  password: secret(),
  database: text(),
  cluster: z.unknown().optional(),
  sentinel: block({ masterSet: text(), username: text(), password: secret() }),
  timeout: time(0),
  tls: clientTls(),
})

const traceContext = block({
  parentId: text(),
  traceId: text(),
  traceParent: text(),
  traceState: text(),
})

const gate = () => block({ enabled: flag(false), maxRequestBodySize: whole(bodyBytesDefault) })

export const hub = notYet(
  block({
    token: secret(),
    offline: flag(false),
    platformURL: text(),
    namespaces: list(),
    apiManagement: block({
      enabled: flag(false),
      admission,
      openApi: block({ validateRequestMethodAndPath: flag(false) }),
    }),
    aiGateway: gate(),
    mcpGateway: gate(),
    redis,
    sendLogs: flag(false),
    tracing: block({ additionalTraceHeaders: block({ enabled: flag(false), traceContext }) }),
    pluginRegistry: block({ sources: named(z.unknown()) }),
    providers: named(z.unknown()),
    uplinkEntryPoints: named(z.unknown()),
    hardened: flag(false),
  }),
  'API management, AI gateway, MCP gateway',
)
