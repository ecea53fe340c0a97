// providers.*: where routing configuration comes from. Only the file provider is built; the others are
// accepted, so that a Traefik file starts, and are named in the warning. Hot: no.

import { z } from 'zod'
import {
  block,
  clientTls,
  flag,
  list,
  map,
  named,
  notYet,
  noted,
  off,
  secret,
  text,
  time,
  whole,
} from './blocks.ts'
import { kubernetesProviders } from './providers-kubernetes.ts'

const defaultRule = 'Host(`{{ normalize .Name }}`)'
const precedence = [
  'kubernetesgateway',
  'kubernetescrd',
  'kubernetes',
  'kubernetesingressnginx',
  'swarm',
  'docker',
  'file',
  'redis',
  'knative',
  'consul',
  'consulcatalog',
  'nomad',
  'etcd',
  'ecs',
  'http',
  'zookeeper',
  'rest',
]

const dockerKeys = {
  allowEmptyServices: flag(false),
  constraints: text(),
  defaultRule: text(defaultRule),
  endpoint: text('unix:///var/run/docker.sock'),
  exposedByDefault: flag(true),
  httpClientTimeout: time(0),
  network: text(),
  username: text(),
  password: secret(),
  tls: clientTls(),
  useBindPortIP: flag(false),
  watch: flag(true),
}

const keyValue = (endpoint: string) => ({
  endpoints: list(endpoint),
  rootKey: text('traefik'),
})

const consulCatalog = off({
  cache: flag(false),
  connectAware: flag(false),
  connectByDefault: flag(false),
  constraints: text(),
  defaultRule: text(defaultRule),
  endpoint: block({
    address: text(),
    datacenter: text(),
    endpointWaitTime: time(0),
    httpAuth: block({ username: text(), password: secret() }),
    scheme: text(),
    tls: clientTls(),
    token: secret(),
  }),
  exposedByDefault: flag(true),
  namespaces: list(),
  prefix: text('traefik'),
  refreshInterval: time(15_000),
  requireConsistent: flag(false),
  serviceName: text('traefik'),
  stale: flag(false),
  strictChecks: list('passing', 'warning'),
  watch: flag(false),
})

const nomad = off({
  allowEmptyServices: flag(false),
  constraints: text(),
  defaultRule: text(defaultRule),
  endpoint: block({
    address: text('http://127.0.0.1:4646'),
    endpointWaitTime: time(0),
    region: text(),
    tls: clientTls(),
    token: secret(),
  }),
  exposedByDefault: flag(true),
  namespaces: list(),
  prefix: text('traefik'),
  refreshInterval: time(15_000),
  stale: flag(false),
  throttleDuration: time(0),
  watch: flag(false),
})

const ecs = off({
  accessKeyID: text(),
  autoDiscoverClusters: flag(false),
  clusters: list('default'),
  constraints: text(),
  defaultRule: text(defaultRule),
  ecsAnywhere: flag(false),
  exposedByDefault: flag(true),
  healthyTasksOnly: flag(false),
  refreshSeconds: whole(15),
  region: text(),
  secretAccessKey: secret(),
})

const redis = off({
  ...keyValue('127.0.0.1:6379'),
  db: whole(0),
  username: text(),
  password: secret(),
  sentinel: z
    .object({
      latencyStrategy: flag(false),
      masterName: text(),
      username: text(),
      password: secret(),
      randomStrategy: flag(false),
      replicaStrategy: flag(false),
      useDisconnectedReplicas: flag(false),
    })
    .nullable()
    .default(null),
  tls: clientTls(),
})

const consul = off({
  ...keyValue('127.0.0.1:8500'),
  namespaces: list(),
  token: secret(),
  tls: clientTls(),
})

const etcd = off({
  ...keyValue('127.0.0.1:2379'),
  username: text(),
  password: secret(),
  tls: clientTls(),
})

const zookeeper = off({ ...keyValue('127.0.0.1:2181'), username: text(), password: secret() })

const http = off({
  endpoint: text(),
  headers: map(),
  maxResponseBodySize: z.int().default(-1),
  pollInterval: time(5000),
  pollTimeout: time(5000),
  tls: clientTls(),
})

const file = z
  .object({
    filename: text(),
    directory: text(),
    watch: flag(true),
    debugLogGeneratedTemplate: flag(false),
  })
  .refine((keys) => (keys.filename === '') !== (keys.directory === ''), {
    error: 'needs either filename or directory',
  })
  .nullable()
  .default(null)

const other = 'other providers than file'

export const providers = block({
  providersThrottleDuration: time(2000),
  precedence: noted(list(...precedence), 'which provider wins when priorities are equal'),
  file,
  http: notYet(http, other),
  rest: notYet(off({ insecure: flag(false) }), other),
  docker: notYet(off(dockerKeys), other),
  swarm: notYet(off({ ...dockerKeys, refreshSeconds: time(15_000) }), other),
  ecs: notYet(ecs, other),
  nomad: notYet(nomad, other),
  consulCatalog: notYet(consulCatalog, other),
  consul: notYet(consul, other),
  etcd: notYet(etcd, other),
  redis: notYet(redis, other),
  zooKeeper: notYet(zookeeper, other),
  ...kubernetesProviders,
  plugin: notYet(named(z.unknown()), 'plugins'),
})
