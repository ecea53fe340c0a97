import { expect, test } from 'vitest'
import { ConfigError, formatProblem } from './located.ts'
import { loadStatic, type LoadedStatic } from './sources.ts'
import { addressesClash, parseAddress } from './static/address.ts'

function load(text: string, name = 'traefik.yml'): LoadedStatic {
  const files = new Map([[`/srv/${name}`, text]])
  const readFile = (path: string) => files.get(path) ?? null
  return loadStatic({ argv: [`--configFile=${name}`], env: {}, cwd: '/srv', readFile, cores: 2 })
}

function refusals(text: string, name = 'traefik.yml'): string[] {
  try {
    return load(text, name).problems.map(formatProblem)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(formatProblem)
    throw error
  }
}

const yaml = `
global:
  checkNewVersion: false
  sendAnonymousUsage: false

entryPoints:
  web:
    address: :80
    http:
      redirections:
        entryPoint:
          to: websecure
          scheme: https
  websecure:
    address: ":443/tcp"
    asDefault: true
    forwardedHeaders:
      trustedIPs:
        - 10.0.0.0/8
        - "2001:db8::/32"
    http:
      middlewares: [secure@file]
      maxHeaderBytes: 131072
      tls:
        certResolver: le
        domains:
          - main: example.com
            sans: ["*.example.com"]
    transport:
      respondingTimeouts: {readTimeout: 5m, idleTimeout: 90}
      lifeCycle:
        graceTimeOut: 15s

providers:
  providersThrottleDuration: 5s
  file:
    directory: /etc/traefik/conf.d
    watch: true
  docker:
    exposedByDefault: false

certificatesResolvers:
  le:
    acme:
      email: ops@example.com
      storage: /acme.json
      httpChallenge: {entryPoint: web}

api:
  dashboard: true
ping: {}
log: {level: info, filePath: /var/log/t.log}
accessLog:
  format: json
  filters: {statusCodes: ["400-499", "500"], minDuration: 10ms}
  fields:
    names: {ClientUsername: drop}
    headers: {defaultMode: keep, names: {Authorization: redact}}
metrics:
  prometheus: {buckets: [0.1, 0.5, 1]}
`

const toml = `
[global]
  checkNewVersion = false
  sendAnonymousUsage = false

[entryPoints]
  [entryPoints.web]
    address = ":80"
    [entryPoints.web.http.redirections.entryPoint]
      to = "websecure"
      scheme = "https"
  [entryPoints.websecure]
    address = ":443/tcp"
    asDefault = true
    [entryPoints.websecure.forwardedHeaders]
      trustedIPs = ["10.0.0.0/8", "2001:db8::/32"]
    [entryPoints.websecure.http]
      middlewares = ["secure@file"]
      maxHeaderBytes = 131072
      [entryPoints.websecure.http.tls]
        certResolver = "le"
        [[entryPoints.websecure.http.tls.domains]]
          main = "example.com"
          sans = ["*.example.com"]
    [entryPoints.websecure.transport]
      [entryPoints.websecure.transport.respondingTimeouts]
        readTimeout = "5m"
        idleTimeout = 90
      [entryPoints.websecure.transport.lifeCycle]
        graceTimeOut = "15s"

[providers]
  providersThrottleDuration = "5s"
  [providers.file]
    directory = "/etc/traefik/conf.d"
    watch = true
  [providers.docker]
    exposedByDefault = false

[certificatesResolvers.le.acme]
  email = "ops@example.com"
  storage = "/acme.json"
  [certificatesResolvers.le.acme.httpChallenge]
    entryPoint = "web"

[api]
  dashboard = true
[ping]
[log]
  level = "info"
  filePath = "/var/log/t.log"
[accessLog]
  format = "json"
  [accessLog.filters]
    statusCodes = ["400-499", "500"]
    minDuration = "10ms"
  [accessLog.fields.names]
    ClientUsername = "drop"
  [accessLog.fields.headers]
    defaultMode = "keep"
    [accessLog.fields.headers.names]
      Authorization = "redact"
[metrics.prometheus]
  buckets = [0.1, 0.5, 1.0]
`

test("A static file of Traefik's own starts, and its values arrive", () => {
  const { config, notYet } = load(yaml)
  const secure = config.entryPoints['websecure']!
  expect(secure.listen).toEqual({ host: '', port: 443, protocol: 'tcp' })
  expect(secure.transport.respondingTimeouts).toMatchObject({
    readTimeout: 300_000,
    idleTimeout: 90_000,
    headerTimeout: 10_000,
  })
  expect(secure.transport.limits.headBytesMax).toBe(131_072)
  expect(secure.transport.lifeCycle.graceTimeOut).toBe(15_000)
  expect(config.entryPoints['web']?.http.redirections.entryPoint).toEqual({
    to: 'websecure',
    scheme: 'https',
    permanent: true,
    priority: 2 ** 63,
  })
  expect(config.entryPoints['traefik']?.address).toBe(':8080')
  expect(config.log.level).toBe('INFO')
  expect(config.accessLog?.fields.headers.names).toEqual({ Authorization: 'redact' })
  expect(config.metrics?.prometheus?.entryPoint).toBe('traefik')
  expect(config.providers.file?.directory).toBe('/etc/traefik/conf.d')
  expect(notYet).toEqual(['providers.docker'])
})

test('The same configuration in TOML means the same', () => {
  expect(load(toml, 'traefik.toml').config).toEqual(load(yaml).config)
})

test("Defaults are Traefik's, except those that are written down as differences", () => {
  const entryPoint = load('entryPoints: {web: {address: ":1"}}').config.entryPoints['web']!
  expect(entryPoint).toMatchObject({
    engine: 'node',
    asDefault: false,
    http: {
      sanitizePath: true,
      underscoreHeadersStrategy: 'keep',
      allowConnect: false,
      via: false,
    },
    observability: { accessLogs: true, metrics: true, tracing: true, traceVerbosity: 'minimal' },
    udp: { timeout: 3000 },
  })
  expect(entryPoint.transport).toEqual({
    respondingTimeouts: {
      readTimeout: 0,
      writeTimeout: 0,
      idleTimeout: 180_000,
      headerTimeout: 10_000,
      bodyStallTimeout: 30_000,
      bodyRateMin: 0,
      bodyRateGrace: 10_000,
      writeStallTimeout: 60_000,
    },
    lifeCycle: { requestAcceptGraceTimeout: 0, graceTimeOut: 10_000 },
    keepAliveMaxRequests: 0,
    keepAliveMaxTime: 0,
    limits: {
      headBytesMax: 65_536,
      headerCountMax: 128,
      connectionsMax: 16_384,
      bufferedBytesMax: 1_048_576,
      bodyAheadBytes: 16_384,
    },
  })
  const { serversTransport } = load('entryPoints: {web: {address: ":1"}}').config
  expect(serversTransport).toMatchObject({
    maxIdleConnsPerHost: 200,
    forwardingTimeouts: {
      dialTimeout: 30_000,
      responseHeaderTimeout: 0,
      idleConnTimeout: 90_000,
    },
    coalesce: null,
    lifetime: 0,
    stallTimeout: 60_000,
    dnsRefresh: 30_000,
  })
})

test("Sluice's own limits take precedence over http.maxHeaderBytes", () => {
  const text =
    'entryPoints: {web: {address: ":1", http: {maxHeaderBytes: 2048}, transport: {limits: {headBytesMax: 32KiB}}}}'
  expect(load(text).config.entryPoints['web']?.transport.limits.headBytesMax).toBe(32_768)
})

test('coalesce is off until it is written, and has safe defaults', () => {
  for (const value of ['true', '{}']) {
    const { config } = load(`serversTransport: {coalesce: ${value}}`)
    expect(config.serversTransport.coalesce).toEqual({ connections: 2, depth: 64, slowAfter: 250 })
  }
})

test('Without an entry point there is http on :80, as in Traefik', () => {
  expect(Object.keys(load('{}').config.entryPoints)).toEqual(['http'])
  expect(load('{}').config.entryPoints['http']?.listen.port).toBe(80)
  const own = load('entryPoints: {traefik: {address: ":9000"}}').config.entryPoints
  expect(Object.keys(own)).toEqual(['traefik', 'http'])
})

test.each([
  ['api: {insecure: true}', true],
  ['api: {}', false],
  ['ping: {}', true],
  ['ping: {manualRouting: true}', false],
  ['ping: {entryPoint: web}', false],
  ['metrics: {prometheus: {}}', true],
  ['metrics: {prometheus: {manualRouting: true}}', false],
  ['metrics: {prometheus: {entryPoint: web}}', false],
  ['providers: {rest: {insecure: true}}', true],
])('%s needs the entry point traefik on :8080: %s', (text, needed) => {
  const { entryPoints } = load(`entryPoints: {web: {address: ":1"}}\n${text}`).config
  expect(entryPoints['traefik']?.listen.port).toBe(needed ? 8080 : undefined)
})

test.each([
  [
    'entryPoints:\n  web:\n    adress: ":80"',
    ['3:5: unknown key "adress" in entryPoints.web (did you mean "address"?)'],
  ],
  ['entrypoint: {}', ['1:1: unknown key "entrypoint" (did you mean "entryPoints"?)']],
  [
    'entryPoints:\n  web: {address: "80"}',
    [
      '2:9: entryPoints.web.address: is not an address such as :80, 127.0.0.1:8080, [::1]:443/tcp or :53/udp',
    ],
  ],
  [
    'entryPoints:\n  a: {address: ":80"}\n  b: {address: "127.0.0.1:80"}',
    ['3:7: entryPoints.b.address: 127.0.0.1:80 is already taken by entry point "a"'],
  ],
  [
    'entryPoints:\n  a: {address: ":8080"}\nping: {}',
    ['1:1: entryPoints.traefik.address: :8080 is already taken by entry point "a"'],
  ],
  [
    'entryPoints:\n  web: {address: ":1", http: {redirections: {entryPoint: {to: wbe}}}}\n  web2: {address: ":2"}',
    [
      '2:59: entryPoints.web.http.redirections.entryPoint.to: there is no entry point "wbe" (did you mean "web"?)',
    ],
  ],
  [
    'entryPoints:\n  web: {address: ":1", http: {redirections: {entryPoint: {to: web}}}}',
    ['2:59: entryPoints.web.http.redirections.entryPoint.to: redirects to itself'],
  ],
  [
    'entryPoints:\n  web: {address: ":1", http: {redirections: {entryPoint: {to: ":99999"}}}}',
    ['2:59: entryPoints.web.http.redirections.entryPoint.to: is not a port'],
  ],
  [
    'entryPoints:\n  admin: {address: ":1"}\nping:\n  entryPoint: admni',
    ['4:3: ping.entryPoint: there is no entry point "admni" (did you mean "admin"?)'],
  ],
  [
    'entryPoints:\n  web: {address: ":1", engine: uwz}',
    ['2:24: entryPoints.web.engine: expected one of node, uws, got "uwz" (did you mean "uws"?)'],
  ],
  [
    'entryPoints:\n  web: {address: ":1", forwardedHeaders: {trustedIPs: [10.0.0.0/33]}}',
    [
      '2:56: entryPoints.web.forwardedHeaders.trustedIPs[0]: is neither an IP address nor a network such as 10.0.0.0/8',
    ],
  ],
  [
    'entryPoints:\n  web: {address: ":1", transport: {respondingTimeouts: {idleTimeout: soon}}}',
    [
      '2:57: entryPoints.web.transport.respondingTimeouts.idleTimeout: expected a duration such as 10s, got "soon"',
    ],
  ],
  [
    'entryPoints:\n  web: {address: ":1", transport: {limits: {headerCountMax: 0}}}',
    ['2:45: entryPoints.web.transport.limits.headerCountMax: must be at least 1'],
  ],
  [
    'entryPoints:\n  web: {address: ":1", http: {maxHeaderBytes: 1}}',
    ['2:31: entryPoints.web.http.maxHeaderBytes: must be between 1024 and 16777216 bytes'],
  ],
  [
    'core: {defaultRuleSyntax: v2}',
    [' accepted, but without effect in this version: core.defaultRuleSyntax (v2)'],
  ],
  ['providers: {file: {}}', ['1:13: providers.file: needs either filename or directory']],
  [
    'providers: {file: {filename: a, directory: b}}',
    ['1:13: providers.file: needs either filename or directory'],
  ],
  [
    'metrics: {prometheus: {buckets: [1, 0.5]}}',
    ['1:24: metrics.prometheus.buckets: must ascend, from above 0'],
  ],
  [
    'accessLog: {filters: {statusCodes: [teapot]}}',
    ['1:37: accessLog.filters.statusCodes[0]: is not a status code such as 404 or 500-599'],
  ],
  ['ping:', ['1:1: ping has no value and is ignored; {} enables it']],
  ['- a', ['1:1: the document: expected a map, got a list']],
  ['workers: 100000', ['1:1: workers: must be at most 256']],
])('%j is reported with its place', (text, wanted) => {
  expect(refusals(text)).toEqual(wanted.map((line) => `/srv/traefik.yml:${line}`))
})

test('A wrong secret is reported without its value', () => {
  const [message] = refusals('hub: {token: [hunter2]}')
  expect(message).toBe('/srv/traefik.yml:1:7: hub.token: expected a string, got something else')
})

test.each([
  [':80', { host: '', port: 80, protocol: 'tcp' }],
  ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080, protocol: 'tcp' }],
  ['[::1]:443/tcp', { host: '::1', port: 443, protocol: 'tcp' }],
  ['localhost:53/UDP', { host: 'localhost', port: 53, protocol: 'udp' }],
  [':0', { host: '', port: 0, protocol: 'tcp' }],
  ['80', null],
  [':65536', null],
  [':80/quic', null],
  ['::1:80', null],
  ['[127.0.0.1]:80', null],
  ['300.0.0.1:80', null],
  [':http', null],
  ['', null],
])('The address %j is %j', (text, wanted) => {
  expect(parseAddress(text)).toEqual(wanted)
})

test.each([
  [':80', ':80', true],
  [':80', '127.0.0.1:80', true],
  ['0.0.0.0:80', '[::]:80', true],
  ['127.0.0.1:80', '127.0.0.2:80', false],
  [':80', ':81', false],
  [':53/tcp', ':53/udp', false],
  [':0', ':0', false],
])('%s and %s clash: %s', (one, other, wanted) => {
  expect(addressesClash(parseAddress(one)!, parseAddress(other)!)).toBe(wanted)
})
