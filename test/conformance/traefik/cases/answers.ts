// test/conformance/traefik/cases/answers.ts: middlewares that ask others: errors, forwardAuth and retry.

import { responseText } from '../../../support/scene.ts'
import { type Reply, hangUp } from '../origins.ts'
import { type Ask, type Case, type Urls, ask, get, serverOf, trustedGet } from '../pair.ts'

const statusTexts: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  302: 'Found',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  418: "I'm a teapot",
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
}

// Whoever is asked first answers so; "pages" has a page.
function failing(status: number, headers = ''): Reply {
  return ({ origin }) =>
    origin === 'pages'
      ? responseText('<p>page', 'Content-Type: text/html\r\nX-Page: yes\r\nCache-Control: x\r\n')
      : responseText(`failed ${status}`, `X-Server: yes\r\n${headers}`, lineOf(status))
}

const lineOf = (status: number) => `${status} ${statusTexts[status]}`
const withStatus = (status: number, headers = '') =>
  ask('GET', '/x?y=z%20', ['X-Mine: 1', 'Accept: text/html'], { reply: failing(status, headers) })

function errorsCase(name: string, errors: object, asks: readonly Ask[]): Case {
  return { name, middlewares: { [name]: { errors: { service: 'pages', ...errors } } }, asks }
}

const errorAsks = [
  withStatus(200),
  withStatus(404),
  withStatus(418),
  withStatus(500, 'Set-Cookie: a=b\r\nETag: "v"\r\n'),
  withStatus(503, 'Retry-After: 7\r\n'),
  ask('POST', '/x', [], { body: 'abc', reply: failing(500) }),
  ask('HEAD', '/x', [], {
    reply: ({ origin }) =>
      `HTTP/1.1 ${origin === 'pages' ? '200 OK' : '500 Internal Server Error'}\r\nContent-Length: 5\r\n\r\n`,
  }),
  ask('GET', '/hang-up', [], {
    reply: (served) => (served.origin === 'pages' ? failing(200)(served, 1) : null),
  }),
  ask('GET', '/both', [], { reply: () => responseText('both', '', lineOf(503)) }),
]

// The answer of the server that is asked for permission; the server itself always says 200.
function verdict(status: number, headers = '', body = 'verdict'): Reply {
  return ({ origin }) =>
    origin === 'auth'
      ? responseText(body, headers, lineOf(status))
      : responseText('served', 'Set-Cookie: own=1\r\nSet-Cookie: session=server\r\n')
}

const passing = verdict(
  200,
  'X-User: ann\r\nX-User: second\r\nX-Auth-Role: admin\r\nX-Auth-Team: b\r\nX-Other: no\r\n' +
    'Set-Cookie: session=auth; Path=/\r\nSet-Cookie: other=auth\r\n',
)

const forwarded = [
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: edge.test',
  'X-Forwarded-Port: 443',
  'X-Forwarded-Uri: /edge?x',
  'X-Forwarded-Method: PATCH',
  'X-Forwarded-For: 192.0.2.1',
  'X-Real-Ip: 192.0.2.1',
]

const authAsks = [
  ask('GET', '/bare', [], { reply: passing, isBare: true }),
  ask('GET', '/a?b=c', ['X-Mine: 1', 'Cookie: k=v', 'Authorization: Bearer x'], { reply: passing }),
  ask('GET', '/a', ['X-User: forged', 'X-Auth-Role: forged', 'X-Auth-Gone: forged'], {
    reply: passing,
  }),
  ask('POST', '/a%2Fb', ['Content-Type: text/plain'], { body: 'abc', reply: passing }),
  ask('HEAD', '/a', [], { reply: passing }),
  ask('OPTIONS', '/a', [], { reply: passing }),
  ask('GET', '/a', forwarded, { reply: passing }),
  ask('GET', '/a', forwarded, { reply: passing, entry: 'trusted' }),
  ask('GET', '/a', ['Connection: X-Hop', 'X-Hop: 1', 'TE: trailers'], { reply: passing }),
  ask('GET', '/a', [], { reply: verdict(201) }),
  ask('GET', '/a', [], {
    reply: verdict(401, 'WWW-Authenticate: Basic\r\nSet-Cookie: a=b\r\nConnection: keep-alive\r\n'),
  }),
  ask('GET', '/a', [], { reply: verdict(403, 'Content-Type: text/html\r\n', '<p>no') }),
  ask('HEAD', '/a', [], { reply: verdict(403) }),
  ask('GET', '/a', [], { reply: verdict(302, 'Location: /login\r\n') }),
  ask('GET', '/a', [], { reply: verdict(302, 'Location: https://login.test/x\r\n') }),
  ask('GET', '/a', [], { reply: verdict(500) }),
  ask('GET', '/a', [], { reply: hangUp }),
]

function authCase(url: Urls, name: string, options: object, asks = authAsks): Case {
  const address = `${url('auth')}/verify?from=gateway`
  return { name, middlewares: { [name]: { forwardAuth: { address, ...options } } }, asks }
}

function authCases(url: Urls): Case[] {
  return [
    authCase(url, 'auth', {}),
    authCase(url, 'auth-headers', {
      authResponseHeaders: ['X-User', 'X-Missing'],
      authResponseHeadersRegex: '^X-Auth-',
      authRequestHeaders: ['Cookie', 'X-Mine'],
      addAuthCookiesToResponse: ['session'],
    }),
    authCase(url, 'auth-trusting', { trustForwardHeader: true, preserveRequestMethod: true }),
    authCase(url, 'auth-distrusting', { trustForwardHeader: false }),
    authCase(url, 'auth-body', { forwardBody: true, preserveLocationHeader: true }),
    authCase(url, 'auth-body-max', { forwardBody: true, maxBodySize: 2 }),
    authCase(url, 'auth-signin', { authSigninURL: 'https://login.test/?rd=x' }),
    authCase(url, 'auth-gone', { address: 'http://127.0.0.1:1/' }, [get('/a')]),
  ]
}

const retryCases = (url: Urls): Case[] => {
  const options = {
    retry: { attempts: 3 },
    'retry-status': { attempts: 3, status: ['500-503'] },
    'retry-status-post': { attempts: 2, status: ['503'], retryNonIdempotentMethod: true },
    'retry-status-only': { attempts: 2, status: ['503'], disableRetryOnNetworkError: true },
    'retry-long': { attempts: 2, status: ['503'], maxRequestBodyBytes: 2 },
  }
  return Object.entries(options).map(([name, retry]) => ({
    name,
    middlewares: { [name]: { retry } },
    // Three servers by their names that are one: who is asked is not what is compared.
    services: { [name]: serverOf(url('a'), `${url('a')}/2`, `${url('a')}/3`) },
    asks: [
      ask('GET', '/', [], { reply: failing(503) }),
      ask('POST', '/', [], { body: 'abc', reply: failing(503) }),
      ask('PUT', '/', [], { body: 'abc', reply: failing(503) }),
      ask('GET', '/', [], { reply: failing(404) }),
      ask('GET', '/', [], { reply: onceThen(503) }),
      ask('GET', '/', [], { reply: hangUp }),
      ask('POST', '/', [], { body: 'abc', reply: hangUp }),
    ],
  }))
}

// One of two servers is gone: with and without a retry that is asked for.
const halfDeadCases = (url: Urls): Case[] =>
  ['half-dead', 'half-dead-retry'].map((name) => ({
    name,
    ...(name === 'half-dead' ? {} : { middlewares: { [name]: { retry: { attempts: 4 } } } }),
    services: { [name]: serverOf('http://127.0.0.1:1', url('a')) },
    asks: [get('/'), get('/'), ask('POST', '/', [], { body: 'abc' }), get('/'), get('/')],
  }))

function onceThen(status: number): Reply {
  return (served, count) => failing(count === 1 ? status : 200)(served, count)
}

// Nobody listens on port 1: what needs no server that answers.
const refusedCases: readonly Case[] = [
  {
    name: 'retry-refused',
    middlewares: { 'retry-refused': { retry: { attempts: 2 } } },
    services: { 'retry-refused': serverOf('http://127.0.0.1:1') },
    asks: [get('/'), ask('POST', '/', [], { body: 'abc' })],
  },
  {
    name: 'refused',
    services: { refused: serverOf('http://127.0.0.1:1') },
    asks: [get('/'), ask('HEAD', '/'), get('/', 'Accept: text/html'), ask('POST', '/')],
  },
  {
    name: 'unknown-name',
    services: { 'unknown-name': serverOf('http://nobody.invalid') },
    asks: [get('/')],
  },
  {
    name: 'no-server',
    services: { 'no-server': { loadBalancer: { servers: [] } } },
    asks: [get('/')],
  },
]

export function answerCases(url: Urls): readonly Case[] {
  return [
    errorsCase(
      'errors',
      { status: ['404', '500-599'], query: '/{status}.html?u={url}' },
      errorAsks,
    ),
    errorsCase(
      'errors-rewritten',
      {
        status: ['404', '500-504'],
        statusRewrites: { '404': 418, '502-504': 500 },
        query: '/{status}/{originalStatus}?{url}',
        errorRequestHeaders: ['Accept'],
      },
      errorAsks,
    ),
    errorsCase('errors-plain', { status: ['500-599'] }, [...errorAsks, trustedGet('/')]),
    ...authCases(url),
    ...retryCases(url),
    ...halfDeadCases(url),
    ...refusedCases,
  ]
}
