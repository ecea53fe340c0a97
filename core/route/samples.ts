// core/route/samples.ts: requests and rule sets for the tests and benches of this folder.
//
// Small alphabets, so that rules and requests meet often.

import * as fc from 'fast-check'
import { Exchange } from '../exchange.ts'
import { headerIdOf } from '../header-ids.ts'
import { parseRule, rulePriority } from './parse.ts'
import type { ReferenceRoute } from './reference.ts'

export interface Request {
  readonly host: string
  readonly path: string
  readonly query: string
  readonly method: string
  readonly address: string
  readonly headers: readonly (readonly [string, string])[]
}

// An exchange as the parser and normalise leave it.
export function exchangeOf(request: Partial<Request>): Exchange {
  const exchange = new Exchange()
  exchange.reset()
  exchange.host = request.host ?? 'a.com'
  exchange.authority = exchange.host
  exchange.path = request.path ?? '/'
  exchange.routingPath = exchange.path
  exchange.query = request.query ?? ''
  exchange.hasQuery = exchange.query !== ''
  exchange.method = request.method ?? 'GET'
  exchange.clientAddress = request.address ?? '192.0.2.1'
  writeHead(exchange, request.headers ?? [])
  return exchange
}

function writeHead(exchange: Exchange, headers: readonly (readonly [string, string])[]): void {
  const head = exchange.request
  head.text = `${exchange.method} ${exchange.path} HTTP/1.1\r\n`
  exchange.targetStart = exchange.method.length + 1
  exchange.targetEnd = exchange.targetStart + exchange.path.length
  head.linesStart = head.text.length
  for (const [name, value] of headers) {
    head.grow()
    const start = head.text.length
    const valueStart = start + name.length + 2
    head.offsets.set(
      [start, start + name.length, valueStart, valueStart + value.length],
      head.count * 4,
    )
    head.ids[head.count++] = headerIdOf(name.toLowerCase())
    head.text += `${name}: ${value}\r\n`
  }
  head.linesEnd = head.text.length
  head.text += '\r\n'
}

const hosts = ['a.com', 'b.com', 'x.a.com', 'y.x.a.com', 'c.org']
const paths = ['/', '/a', '/ab', '/a/b', '/a/b/c', '/api/v1', '/api/v12/x', '/b']

const quoted = (values: readonly string[]): fc.Arbitrary<string> =>
  fc.constantFrom(...values).map((value) => '`' + value + '`')

const leaf = fc.oneof(
  { weight: 6, arbitrary: quoted([...hosts, '*', '*.a.com', 'A.com.']).map((v) => `Host(${v})`) },
  {
    weight: 2,
    arbitrary: quoted(['^a', 'com$', '^[a-z]\\.a\\.com$', '.']).map((v) => `HostRegexp(${v})`),
  },
  { weight: 3, arbitrary: quoted(paths).map((v) => `Path(${v})`) },
  { weight: 6, arbitrary: quoted(paths).map((v) => `PathPrefix(${v})`) },
  {
    weight: 3,
    arbitrary: quoted(['^/a', '^/api/v[0-9]+$', 'b', '^/a/.*c$', '(a|b)+$', '(?i)^/A']).map(
      (v) => `PathRegexp(${v})`,
    ),
  },
  { weight: 1, arbitrary: quoted(['GET', 'post']).map((v) => `Method(${v})`) },
  { weight: 1, arbitrary: quoted(['1', '2']).map((v) => `Header(\`X-A\`, ${v})`) },
  { weight: 1, arbitrary: quoted(['^1', '.']).map((v) => `HeaderRegexp(\`X-A\`, ${v})`) },
  { weight: 1, arbitrary: quoted(['1', 'a b']).map((v) => `Query(\`q\`, ${v})`) },
  { weight: 1, arbitrary: fc.constant('Query(`q`)') },
  { weight: 1, arbitrary: quoted(['^$', 'a']).map((v) => `QueryRegexp(\`q\`, ${v})`) },
  { weight: 1, arbitrary: quoted(['10.0.0.0/8', '10.1.0.1']).map((v) => `ClientIP(${v})`) },
)

const ruleArbitrary: fc.Arbitrary<string> = fc.letrec<{ rule: string }>((tie) => ({
  rule: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { weight: 4, arbitrary: leaf },
    { weight: 4, arbitrary: fc.tuple(tie('rule'), tie('rule')).map(([a, b]) => `${a} && ${b}`) },
    { weight: 2, arbitrary: fc.tuple(tie('rule'), tie('rule')).map(([a, b]) => `(${a} || ${b})`) },
    { weight: 1, arbitrary: tie('rule').map((rule) => `!(${rule})`) },
  ),
})).rule

export const routesArbitrary: fc.Arbitrary<ReferenceRoute[]> = fc
  .array(fc.tuple(ruleArbitrary, fc.constantFrom(0, 0, 0, 20, -1), fc.constantFrom(0, 1)), {
    minLength: 1,
    maxLength: 8,
  })
  .map((rows) =>
    rows.map(([text, priority, rank], i) => ({
      rule: parseRule(text),
      priority: priority === 0 ? rulePriority(text) : priority,
      rank,
      name: `r${i}`,
    })),
  )

export const requestArbitrary: fc.Arbitrary<Request> = fc.record({
  host: fc.constantFrom(...hosts, ''),
  path: fc.constantFrom(...paths, '/api/v1/', '/c', '*'),
  query: fc.constantFrom('', 'q', 'q=1', 'q=a+b', 'x=1&q=%61', 'q=;'),
  method: fc.constantFrom('GET', 'POST'),
  address: fc.constantFrom('10.0.0.1', '10.1.0.1', '192.0.2.1'),
  headers: fc.constantFrom<(readonly [string, string])[]>(
    [],
    [['X-A', '1']],
    [
      ['x-a', '2'],
      ['X-A', '12'],
    ],
  ),
})
