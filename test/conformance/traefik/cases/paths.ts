// test/conformance/traefik/cases/paths.ts: middlewares that change the path, and chains of them.

import { type Case, ask, get, trustedGet } from '../pair.ts'

const odd = [
  get('/a%2Fb/c'),
  get('/%41/b'),
  get('/a%20b'),
  get('/a+b;c=d,e'),
  get("/a'b(c)!*@:&=$"),
  get('/%C3%A9'),
  get('/x?q=%2F&r=a+b'),
  get('/x?'),
]

export const pathCases: readonly Case[] = [
  {
    name: 'add-prefix',
    middlewares: { 'add-prefix': { addPrefix: { prefix: '/api' } } },
    asks: [get('/'), get('/x?q=1'), get('/x/'), ...odd],
  },
  {
    name: 'add-prefix-slash',
    middlewares: { 'add-prefix-slash': { addPrefix: { prefix: '/api/' } } },
    asks: [get('/'), get('/x')],
  },
  {
    name: 'strip-prefix',
    middlewares: { 'strip-prefix': { stripPrefix: { prefixes: ['/shop', '/st'] } } },
    asks: [
      get('/shop'),
      get('/shop/'),
      get('/shop/a?b=c'),
      get('/shop//a'),
      get('/shopping'),
      get('/status'),
      get('/other'),
      get('/SHOP/a'),
      get('/shop%2Fa'),
      get('/sh%6Fp/a'),
      get('/shop/a%2Fb'),
      get('/shop/a', 'X-Forwarded-Prefix: /mine'),
      trustedGet('/shop/a', 'X-Forwarded-Prefix: /mine'),
      trustedGet('/other', 'X-Forwarded-Prefix: /mine'),
    ],
  },
  {
    name: 'strip-twice',
    middlewares: {
      'strip-one': { stripPrefix: { prefixes: ['/one'] } },
      'strip-two': { stripPrefix: { prefixes: ['/two'] } },
    },
    asks: [get('/one/two/three'), get('/two/one'), get('/one')],
  },
  {
    name: 'strip-regex',
    middlewares: {
      'strip-regex': { stripPrefixRegex: { regex: ['/v[0-9]+', '/foo/[a-z]+/'] } },
    },
    asks: [
      get('/v1/a'),
      get('/v12'),
      get('/a/v1'),
      get('/foo/abc/rest'),
      get('/foo/abc'),
      get('/v1/a%2Fb?x'),
      get('/v1/v2/c'),
    ],
  },
  {
    name: 'replace-path',
    middlewares: { 'replace-path': { replacePath: { path: '/index.html' } } },
    asks: [
      get('/a?b=1'),
      get('/a%2Fb'),
      get('/'),
      get('/a', 'X-Replaced-Path: /client'),
      trustedGet('/a', 'X-Replaced-Path: /client'),
    ],
  },
  {
    name: 'replace-path-odd',
    middlewares: { 'replace-path-odd': { replacePath: { path: '/a b/%2F?x' } } },
    asks: [get('/a?b=1')],
  },
  {
    name: 'replace-regex',
    middlewares: {
      'replace-regex': { replacePathRegex: { regex: '^/shop/(.*)', replacement: '/v2/$1' } },
    },
    asks: [
      get('/shop/a/b?c=d'),
      get('/shop/'),
      get('/shop'),
      get('/other'),
      get('/shop/a%2Fb'),
      get('/shop/a', 'X-Replaced-Path: /client'),
    ],
  },
  {
    name: 'replace-regex-names',
    middlewares: {
      'replace-regex-names': {
        replacePathRegex: { regex: '/(?P<n>[a-z]+)/([0-9]+)', replacement: '/${2}x/${n}$1x/end' },
      },
    },
    asks: [get('/abc/12'), get('/abc/12/def/34'), get('/12/abc')],
  },
  {
    name: 'chain',
    middlewares: {
      'chain-add': { addPrefix: { prefix: '/in' } },
      'chain-strip': { stripPrefix: { prefixes: ['/out'] } },
      'chain-head': { headers: { customRequestHeaders: { 'X-Chain': 'yes' } } },
      'chain-inner': { chain: { middlewares: ['chain-strip', 'chain-add'] } },
      'chain-outer': { chain: { middlewares: ['chain-inner', 'chain-head'] } },
    },
    order: ['chain-outer'],
    asks: [get('/out/a'), get('/a')],
  },
  {
    name: 'encoded',
    middlewares: { encoded: { encodedCharacters: { allowEncodedHash: false } } },
    asks: ['%2F', '%2f', '%5C', '%00', '%3B', '%25', '%3F', '%23', '%20', '%41'].map((text) =>
      get(`/a${text}b`),
    ),
  },
  {
    name: 'encoded-some',
    middlewares: {
      'encoded-some': { encodedCharacters: { allowEncodedSlash: true, allowEncodedPercent: true } },
    },
    asks: [get('/a%2Fb'), get('/a%25b'), get('/a%5Cb'), get('/a?b=%5C')],
  },
  {
    name: 'redirect-scheme',
    middlewares: { 'redirect-scheme': { redirectScheme: { scheme: 'https' } } },
    asks: [
      get('/a?b=c'),
      ask('POST', '/a', [], { body: 'x' }),
      ask('HEAD', '/a'),
      get('/a', 'Host: redirect-scheme.test:8080'),
      get('/a', 'Host: REDIRECT-SCHEME.test'),
      get('/a', 'X-Forwarded-Proto: https'),
      trustedGet('/a', 'X-Forwarded-Proto: https'),
      trustedGet('/a', 'X-Forwarded-Proto: http'),
      trustedGet('/a', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: other.test'),
    ],
  },
  {
    name: 'redirect-port',
    middlewares: {
      'redirect-port': { redirectScheme: { scheme: 'https', port: '8443', permanent: true } },
    },
    asks: [get('/a'), ask('POST', '/a'), get('/a', 'Host: redirect-port.test:80')],
  },
  {
    name: 'redirect-default-port',
    middlewares: {
      'redirect-default-port': { redirectScheme: { scheme: 'https', port: '443' } },
    },
    asks: [get('/a'), ask('PUT', '/a')],
  },
  {
    name: 'redirect-regex',
    middlewares: {
      'redirect-regex': {
        redirectRegex: {
          regex: '^http://redirect-regex\\.test(?::\\d+)?/old/(.*)',
          replacement: 'https://new.test/${1}',
        },
      },
    },
    asks: [
      get('/old/a?b=c'),
      get('/old/a%2Fb'),
      get('/old/a%20b'),
      get('/new'),
      ask('POST', '/old/a'),
      ask('HEAD', '/old/a'),
      get('/old/a', 'Host: redirect-regex.test:8080'),
      get('/old/a', 'Host: REDIRECT-regex.test'),
      trustedGet('/old/a', 'X-Forwarded-Proto: https'),
    ],
  },
  {
    name: 'redirect-permanent',
    middlewares: {
      'redirect-permanent': {
        redirectRegex: { regex: '^(.*)/a$', replacement: '$1/b', permanent: true },
      },
    },
    asks: [get('/a'), get('/a/b'), ask('DELETE', '/a')],
  },
]
