// test/conformance/traefik/cases/routing.ts: which router takes a request, by every matcher, and by priority.

import { type Ask, type Case, ask, get, trustedGet } from '../pair.ts'

// One router per matcher, each below a host of its own.
function matching(name: string, matcher: string, asks: readonly Ask[]): Case {
  return { name, rule: `Host(\`${name}.test\`) && ${matcher}`, asks }
}

const targets = [
  '/',
  '/shop',
  '/shop/',
  '/shop/a',
  '/shopping',
  '/SHOP',
  '/sh%6Fp',
  '/shop%2Fa',
  '/shop%2fa',
  '//shop',
  '/shop//a',
  '/a/../shop',
  '/./shop',
  '/shop/.',
  '/shop/..',
  '/%2e%2e/shop',
  '/a/%2e%2e/shop',
  '/a/%2E./shop',
  '/shop/...',
  '/shop.',
  '/shop?q=a',
  '/shop;a',
  '/shop%3Ba',
  '/shop%00',
  '/shop%20',
  '/%C3%A9',
  '/é',
  '/%zz',
  '/a%',
  '/a\\b',
  '/a"b<c>|d^e`f{g}',
  '/shop#fragment',
  'http://absolute.test/shop',
  'shop',
  '*',
  '',
]

const queries = [
  '/',
  '/?q=a',
  '/?q=b',
  '/?q=a&q=b',
  '/?q=b&q=a',
  '/?q',
  '/?q=',
  '/?Q=a',
  '/?q=%61',
  '/?r=a',
  '/?q=a;r=b',
  '/?q=a+b',
]

// Several routers below one host: which of them is told by the server that is asked.
function routersCase(
  name: string,
  rules: Readonly<Record<string, readonly [rule: string, service: string, priority?: number]>>,
  asks: readonly Ask[],
): Case {
  const routers = Object.entries(rules).map(([router, [rule, service, priority]]) => [
    `${name}-${router}`,
    {
      rule: `Host(\`${name}.test\`)${rule === '' ? '' : ` && ${rule}`}`,
      entryPoints: ['web', 'trusted'],
      service,
      ...(priority === undefined ? {} : { priority }),
    },
  ])
  return { name, routers: Object.fromEntries(routers), asks }
}

export const routingCases: readonly Case[] = [
  { name: 'any-path', asks: targets.map((target) => get(target)) },
  matching(
    'path',
    'Path(`/shop`)',
    targets.map((target) => get(target)),
  ),
  matching(
    'path-prefix',
    'PathPrefix(`/shop`)',
    targets.map((target) => get(target)),
  ),
  matching(
    'path-regexp',
    'PathRegexp(`^/sh[a-z]+$`)',
    targets.map((target) => get(target)),
  ),
  matching('path-encoded', 'Path(`/a b`)', [get('/a%20b'), get('/a+b'), get('/a%2520b')]),
  matching('path-slash', 'PathPrefix(`/a%2Fb`)', [get('/a%2Fb'), get('/a/b'), get('/a%2fb')]),
  matching(
    'query',
    'Query(`q`, `a`)',
    queries.map((target) => get(target)),
  ),
  matching(
    'query-any',
    'Query(`q`)',
    queries.map((target) => get(target)),
  ),
  matching(
    'query-regexp',
    'QueryRegexp(`q`, `^[ab]$`)',
    queries.map((target) => get(target)),
  ),
  matching('header', 'Header(`X-Mine`, `a`)', [
    get('/'),
    get('/', 'X-Mine: a'),
    get('/', 'x-mine: a'),
    get('/', 'X-Mine: A'),
    get('/', 'X-Mine: b', 'X-Mine: a'),
    get('/', 'X-Mine: a, b'),
    get('/', 'X-Mine:   a  '),
  ]),
  matching('header-host', 'Header(`Host`, `header-host.test`)', [get('/')]),
  matching('header-regexp', 'HeaderRegexp(`X-Mine`, `^[ab]`)', [
    get('/', 'X-Mine: a'),
    get('/', 'X-Mine: c', 'X-Mine: b'),
    get('/', 'X-Mine: c'),
    get('/', 'X-Mine:'),
    get('/'),
  ]),
  matching('method', 'Method(`POST`)', [
    get('/'),
    ask('POST', '/', [], { body: 'x' }),
    ask('post', '/'),
    ask('HEAD', '/'),
    ask('PROPFIND', '/'),
  ]),
  matching('client-ip', 'ClientIP(`127.0.0.0/30`)', [
    get('/'),
    ask('GET', '/', [], { from: '127.0.0.9' }),
    get('/', 'X-Forwarded-For: 127.0.0.2'),
    trustedGet('/', 'X-Forwarded-For: 192.0.2.1'),
    ask('GET', '/', ['X-Forwarded-For: 127.0.0.1'], { from: '127.0.0.9', entry: 'trusted' }),
  ]),
  matching('not', '!Path(`/a`) && !(Method(`POST`) || Header(`X-No`, `1`))', [
    get('/a'),
    get('/b'),
    ask('POST', '/b', [], { body: 'x' }),
    get('/b', 'X-No: 1'),
  ]),
  matching('or', '(Path(`/a`) || (Path(`/b`) && Query(`x`)))', [
    get('/a'),
    get('/b'),
    get('/b?x=1'),
  ]),
  {
    name: 'hosts-by-regexp',
    rule: 'HostRegexp(`^[a-z]+\\.hosts-by-regexp\\.test$`)',
    asks: [
      get('/', 'Host: a.hosts-by-regexp.test'),
      get('/', 'Host: A.Hosts-By-Regexp.TEST'),
      get('/', 'Host: a1.hosts-by-regexp.test'),
      get('/', 'Host: a.hosts-by-regexp.test:8080'),
      get('/', 'Host: a.hosts-by-regexp.test.'),
      get('/'),
    ],
  },
  {
    name: 'host',
    rule: 'Host(`host.test`)',
    asks: [
      get('/'),
      get('/', 'Host: HOST.Test'),
      get('/', 'Host: host.test:80'),
      get('/', 'Host: host.test:8080'),
      get('/', 'Host: HOST.TEST:8080'),
      get('/', 'Host: host.test.'),
      get('/', 'Host: sub.host.test'),
      get('/', 'Host: nobody.example'),
      get('/', 'Host: nobody.example', 'Accept: text/html'),
      ask('HEAD', '/', ['Host: nobody.example']),
      get('/', 'Host: 127.0.0.1'),
      get('/', 'Host: '),
      get('http://host.test/x', 'Host: other.test'),
      get('http://other.test/x', 'Host: host.test'),
      get('HTTP://host.test:8080/x', 'Host: host.test:8080'),
      get('http://host.test?q'),
    ],
  },
  routersCase(
    'priority',
    {
      all: ['', 'a'],
      prefix: ['PathPrefix(`/x`)', 'b'],
      low: ['PathPrefix(`/x/y/z`)', 'c', 1],
      high: ['Path(`/top`)', 'b', 1000],
      other: ['PathPrefix(`/to`)', 'c', 999],
    },
    [get('/'), get('/x'), get('/x/y/z'), get('/top'), get('/to'), get('/topper')],
  ),
  routersCase(
    'same-length',
    { b: ['PathPrefix(`/x`)', 'b'], a: ['PathPrefix(`/x`) ', 'a'], c: ['PathPrefix(`/x`)', 'c'] },
    [get('/x')],
  ),
]
