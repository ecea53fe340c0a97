// providers.kubernetes* and knative: accepted, not built yet. Hot: no.

import { z } from 'zod'
import { block, flag, list, notYet, off, secret, text, time, whole } from './blocks.ts'

const cluster = {
  endpoint: text(),
  token: secret(),
  certAuthFilePath: text(),
  throttleDuration: time(0),
}

const watched = { namespaces: list(), labelSelector: text() }
const reference = () => block({ name: text(), namespace: text() })

const crd = off({
  ...cluster,
  ...watched,
  allowCrossNamespace: flag(false),
  allowEmptyServices: flag(false),
  allowExternalNameServices: flag(false),
  crossProviderNamespaces: list(),
  disableClusterScopeResources: flag(false),
  ingressClass: text(),
  nativeLBByDefault: flag(false),
})

const ingress = off({
  ...cluster,
  ...watched,
  allowEmptyServices: flag(false),
  allowExternalNameServices: flag(false),
  crossProviderNamespaces: list(),
  disableClusterScopeResources: flag(false),
  disableIngressClassLookup: flag(false),
  ingressClass: text(),
  ingressEndpoint: block({ hostname: text(), ip: text(), publishedService: text() }),
  nativeLBByDefault: flag(false),
  reportNodeInternalIPs: flag(false),
  strictPrefixMatching: flag(false),
})

const gateway = off({
  ...cluster,
  ...watched,
  burst: whole(100),
  qps: z.number().default(50),
  crossProviderNamespaces: list(),
  experimentalChannel: flag(false),
  nativeLBByDefault: flag(false),
  statusAddress: block({ hostname: text(), ip: text(), service: reference() }),
})

const ingressNginx = off({
  ...cluster,
  allowCrossNamespaceResources: flag(false),
  allowSnippetAnnotations: flag(false),
  clientBodyBufferSize: whole(16_384),
  controllerClass: text('k8s.io/ingress-nginx'),
  customHTTPErrors: list(),
  defaultBackendService: text(),
  disableSvcExternalName: flag(false),
  globalAllowedResponseHeaders: list(),
  globalAuthURL: text(),
  httpEntryPoint: text(),
  httpsEntryPoint: text(),
  ingressClass: text('nginx'),
  ingressClassByName: flag(false),
  ipAllowListStrategy: block({ depth: whole(0), excludedIPs: list(), ipv6Subnet: whole(0) }),
  proxyBodySize: whole(1_048_576),
  proxyBuffering: flag(false),
  proxyBufferSize: whole(8192),
  proxyBuffersNumber: whole(4),
  proxyConnectTimeout: whole(60),
  proxyNextUpstream: text('error timeout'),
  proxyNextUpstreamTimeout: whole(0),
  proxyNextUpstreamTries: whole(3),
  proxyReadTimeout: whole(60),
  proxyRequestBuffering: flag(false),
  proxySendTimeout: whole(60),
  publishService: text(),
  publishStatusAddress: list(),
  strictValidatePathType: flag(true),
  upstreamKeepaliveTimeout: whole(60),
  watchIngressWithoutClass: flag(false),
  watchNamespace: text(),
  watchNamespaceSelector: text(),
})

const knative = off({
  ...cluster,
  ...watched,
  privateEntryPoints: list(),
  privateService: reference(),
  publicEntryPoints: list(),
  publicService: reference(),
})

const later = 'Kubernetes'

export const kubernetesProviders = {
  kubernetesCRD: notYet(crd, later),
  kubernetesIngress: notYet(ingress, later),
  kubernetesIngressNGINX: notYet(ingressNginx, later),
  kubernetesGateway: notYet(gateway, later),
  knative: notYet(knative, later),
}
