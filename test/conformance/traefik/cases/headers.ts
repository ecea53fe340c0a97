// test/conformance/traefik/cases/headers.ts: the middlewares headers, ipAllowList and grpcWeb.

import { responseText } from '../../../support/scene.ts'
import { type Case, ask, get, trustedGet } from '../pair.ts'

const wordy = () =>
  responseText(
    'hello',
    'Server: theirs\r\nX-Own: one\r\nX-Own: two\r\nX-Gone: yes\r\nVary: Accept\r\n' +
      'Access-Control-Allow-Origin: https://theirs.test\r\nX-Frame-Options: SAMEORIGIN\r\n',
  )

function preflight(origin: string, ...headers: string[]) {
  const question = 'Access-Control-Request-Method: PUT'
  return ask('OPTIONS', '/a', [`Origin: ${origin}`, question, ...headers])
}

const corsAsks = [
  preflight('https://app.test'),
  preflight('https://app.test', 'Access-Control-Request-Headers: x-a, x-b'),
  preflight('https://other.test'),
  preflight('https://sub.app.test'),
  ask('OPTIONS', '/a', ['Origin: https://app.test']),
  ask('OPTIONS', '/a', ['Access-Control-Request-Method: PUT']),
  ask('OPTIONS', '/a'),
  get('/a', 'Origin: https://app.test'),
  get('/a', 'Origin: https://other.test'),
  get('/a', 'Origin: HTTPS://APP.test'),
  get('/a', 'Origin: null'),
  get('/a'),
]

const chain = ['X-Forwarded-For: 192.0.2.1, 198.51.100.7', 'X-Forwarded-For: 203.0.113.9']

function allowed(name: string, ipAllowList: object, asks = allowAsks): Case {
  return { name, middlewares: { [name]: { ipAllowList } }, asks }
}

const allowAsks = [
  get('/'),
  ask('GET', '/', [], { from: '127.0.0.9' }),
  ask('GET', '/', [], { from: '127.1.0.1' }),
  get('/', ...chain),
  trustedGet('/', ...chain),
  trustedGet('/', 'X-Forwarded-For: 192.0.2.1'),
  trustedGet('/', 'X-Forwarded-For: nonsense'),
  trustedGet('/', 'X-Forwarded-For: '),
  trustedGet('/', 'X-Forwarded-For: 2001:db8::1'),
  trustedGet('/', 'X-Forwarded-For: 198.51.100.7, 127.0.0.1'),
]

export const headerCases: readonly Case[] = [
  {
    name: 'custom',
    middlewares: {
      custom: {
        headers: {
          customRequestHeaders: { 'X-Set': 'ours', 'X-Debug': '', 'X-Two': 'one' },
          customResponseHeaders: { Server: '', 'X-Own': 'ours', 'X-New': 'new', 'X-Gone': '' },
        },
      },
    },
    reply: wordy,
    asks: [
      get('/'),
      get('/', 'X-Set: theirs', 'X-Debug: 1', 'X-Debug: 2', 'X-Two: a', 'X-Two: b'),
      get('/', 'x-set: theirs', 'x-debug: 1'),
      ask('HEAD', '/'),
    ],
  },
  {
    name: 'custom-host',
    middlewares: {
      'custom-host': { headers: { customRequestHeaders: { Host: 'inside.test' } } },
    },
    asks: [get('/'), get('/', 'Host: custom-host.test:8080')],
  },
  {
    name: 'security',
    middlewares: {
      security: {
        headers: {
          frameDeny: true,
          contentTypeNosniff: true,
          browserXssFilter: true,
          contentSecurityPolicy: "default-src 'self'",
          contentSecurityPolicyReportOnly: "script-src 'none'",
          publicKey: 'pin-sha256="x"; max-age=1',
          referrerPolicy: 'same-origin',
          permissionsPolicy: 'camera=()',
          stsSeconds: 3600,
          stsIncludeSubdomains: true,
          stsPreload: true,
        },
      },
    },
    reply: wordy,
    asks: [get('/'), trustedGet('/', 'X-Forwarded-Proto: https'), ask('HEAD', '/')],
  },
  {
    name: 'security-values',
    middlewares: {
      'security-values': {
        headers: {
          customFrameOptionsValue: 'SAMEORIGIN',
          frameDeny: true,
          customBrowserXSSValue: '0',
          browserXssFilter: true,
          stsSeconds: 60,
          forceSTSHeader: true,
        },
      },
    },
    asks: [get('/')],
  },
  {
    name: 'sts-proxy',
    middlewares: {
      'sts-proxy': { headers: { stsSeconds: 60, sslProxyHeaders: { 'X-Tls': 'on' } } },
    },
    asks: [get('/'), get('/', 'X-Tls: on'), get('/', 'X-Tls: off')],
  },
  {
    name: 'hosts',
    middlewares: {
      hosts: {
        headers: { allowedHosts: ['hosts.test', 'via.test'], hostsProxyHeaders: ['X-Host'] },
      },
    },
    asks: [
      get('/'),
      get('/', 'Host: HOSTS.test'),
      get('/', 'X-Host: via.test'),
      get('/', 'X-Host: wrong.test'),
      get('/', 'Host: hosts.test:8080'),
    ],
  },
  {
    name: 'hosts-refused',
    middlewares: { 'hosts-refused': { headers: { allowedHosts: ['other.test'] } } },
    asks: [get('/'), ask('POST', '/', [], { body: 'x' })],
  },
  {
    name: 'hosts-development',
    middlewares: {
      'hosts-development': {
        headers: {
          allowedHosts: ['other.test'],
          isDevelopment: true,
          stsSeconds: 1,
          frameDeny: true,
        },
      },
    },
    asks: [get('/')],
  },
  {
    name: 'cors',
    middlewares: {
      cors: {
        headers: {
          accessControlAllowOriginList: ['https://app.test'],
          accessControlAllowMethods: ['GET', 'PUT'],
          accessControlAllowHeaders: ['X-A', 'X-B'],
          accessControlExposeHeaders: ['X-Own'],
          accessControlAllowCredentials: true,
          accessControlMaxAge: 600,
          addVaryHeader: true,
        },
      },
    },
    reply: wordy,
    asks: corsAsks,
  },
  {
    name: 'cors-any',
    middlewares: {
      'cors-any': {
        headers: { accessControlAllowOriginList: ['*'], accessControlAllowMethods: ['*'] },
      },
    },
    asks: corsAsks,
  },
  {
    name: 'cors-regex',
    middlewares: {
      'cors-regex': {
        headers: {
          accessControlAllowOriginListRegex: ['^https://(.*\\.)?app\\.test$'],
          accessControlAllowMethods: ['GET'],
          addVaryHeader: true,
          customResponseHeaders: { 'X-New': 'new' },
        },
      },
    },
    reply: wordy,
    asks: corsAsks,
  },
  {
    name: 'cors-wild',
    middlewares: {
      'cors-wild': {
        headers: {
          accessControlAllowOriginList: ['https://app.test'],
          accessControlAllowMethods: ['*'],
          accessControlAllowHeaders: ['*'],
          accessControlExposeHeaders: ['*'],
          accessControlAllowCredentials: true,
          accessControlMaxAge: 0,
        },
      },
    },
    asks: corsAsks,
  },
  {
    name: 'cors-any-credentials',
    middlewares: {
      'cors-any-credentials': {
        headers: { accessControlAllowOriginList: ['*'], accessControlAllowCredentials: true },
      },
    },
    asks: corsAsks,
  },
  allowed('allow', { sourceRange: ['127.0.0.0/24'] }),
  allowed('allow-one', { sourceRange: ['127.0.0.9'], rejectStatusCode: 404 }),
  allowed('allow-depth-1', { sourceRange: ['192.0.2.1', '203.0.113.9'], ipStrategy: { depth: 1 } }),
  allowed('allow-depth-3', { sourceRange: ['192.0.2.1'], ipStrategy: { depth: 3 } }),
  allowed('allow-excluded', {
    sourceRange: ['198.51.100.0/24'],
    ipStrategy: { excludedIPs: ['203.0.113.0/24', '127.0.0.1'] },
  }),
  allowed('allow-v6', {
    sourceRange: ['2001:db8::/64'],
    ipStrategy: { depth: 1, ipv6Subnet: 64 },
  }),
  {
    name: 'grpc-web',
    middlewares: { 'grpc-web': { grpcWeb: { allowOrigins: ['https://app.test'] } } },
    asks: [
      ask('OPTIONS', '/s/M', [
        'Origin: https://app.test',
        'Access-Control-Request-Method: POST',
        'Access-Control-Request-Headers: content-type,x-grpc-web,x-user-agent',
      ]),
      ask('OPTIONS', '/s/M', [
        'Origin: https://other.test',
        'Access-Control-Request-Method: POST',
        'Access-Control-Request-Headers: x-grpc-web',
      ]),
      get('/plain', 'Origin: https://app.test'),
      get('/plain'),
    ],
  },
]
