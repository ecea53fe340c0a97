// What a middleware says it is: kinds, and the plugins of Hub that are built in.

import { expect, test } from 'vitest'
import { testFacts } from '../../test/support/facts.ts'
import { compile } from '../compile.ts'
import { formatProblem, parseLocated } from '../located.ts'

function compiled(middleware: string) {
  const text =
    'http:\n  routers:\n    a: {rule: Path(`/a`), service: noop@internal, middlewares: [m]}\n' +
    `    b: {rule: Path(\`/b\`), service: noop@internal}\n  middlewares:\n    m: ${middleware}\n`
  const { generation, problems } = compile(
    new Map([['file', [parseLocated(text, 'a.yml')]]]),
    testFacts(),
    1,
  )
  return {
    plan: generation.middlewares.get('m@file'),
    routers: [...generation.routers.keys()].filter((name) => name.endsWith('@file')),
    problems: problems.map(formatProblem),
  }
}

test.each(['plugin: {queryParam: {remove: [{name: x}]}}', 'queryParam: {remove: [{name: x}]}'])(
  'A plugin of Hub is the kind that stands for it: %s',
  (middleware) => {
    const { plan, routers, problems } = compiled(`{${middleware}}`)
    expect(problems).toEqual([])
    expect(plan).toMatchObject({
      kind: 'queryParam',
      options: { remove: [{ name: 'x' }], set: [] },
    })
    expect(routers).toEqual(['a@file', 'b@file'])
  },
)

test('The key of a plugin is found whatever its case', () => {
  const { plan, problems } = compiled('{plugin: {ForceCase: {headers: [X-A]}}}')
  expect(problems).toEqual([])
  expect(plan).toEqual({ name: 'm@file', kind: 'forceCase', options: { headers: ['X-A'] } })
})

test.each([
  ['{plugin: {geoip: {token: secret}}}', /a\.yml:6:\d+: m@file: plugin "geoip" is none of those/],
  ['{plugin: {forcecas: {}}}', /did you mean "forcecase"/],
  ['{plugin: {}}', /plugin: expected one plugin, found 0/],
  ['{plugin: {forcecase: {headers: [A]}, queryParam: {}}}', /expected one plugin, found 2/],
  ['{plugin: {queryParam: {remov: []}}}', /unknown key "remov" .*did you mean "remove"/],
  ['{plugin: {forcecase: {headers: [Host]}}}', /a\.yml:6:\d+: m@file: headers: "Host" belongs to/],
  ['{forceCase: {headers: []}}', /headers: must not be empty/],
  ['{forceCase: {headers: [A, a]}}', /"a" is given twice/],
  ['{queryParam: {}}', /expected one of set, append, remove, rename: none is given/],
  ['{queryParam: {remove: [{name: a}], rename: [{from: a, to: b}]}}', /found remove and rename/],
  ['{queryParam: {set: [{name: a, value: b, fromHeader: c}]}}', /exclude each other/],
  ['{queryParam: {set: [{name: a, fromHeader: "c d"}]}}', /fromHeader: "c d" is not a header name/],
  ['{forwardAuth: {}}', /address: it is required/],
  ['{forwardAuth: {address: "auth:80/x"}}', /begins neither with http/],
  ['{forwardAuth: {address: "http://u:secret@a/"}}', /address: it holds credentials/],
  [
    '{forwardAuth: {address: "http://a", authResponseHeadersRegex: "("}}',
    /authResponseHeadersRegex/,
  ],
  ['{forwardAuth: {address: "http://a", authResponseHeaders: [Host]}}', /"Host" belongs to/],
  ['{forwardAuth: {address: "http://a", authSigninURL: "/x"}}', /authSigninURL: "\/x" is not/],
  ['{forwardAuth: {address: "https://a", tls: {ca: /no/such.pem}}}', /such\.pem" does not exist/],
  [
    '{forwardAuth: {address: "http://a", cache: {}}}',
    /a\.yml:6:\d+: m@file: cache: ttl: expected more than 0, up to 1h/,
  ],
  [
    '{forwardAuth: {address: "http://a", cache: {ttl: 2h}}}',
    /cache: ttl: expected more than 0, up to 1h/,
  ],
  [
    '{forwardAuth: {address: "http://a", cache: {ttl: 1s, refusedTtl: 2h}}}',
    /cache: refusedTtl: at most 1h/,
  ],
  [
    '{forwardAuth: {address: "http://a", cache: {ttl: 1s, entriesMax: 0}}}',
    /cache: entriesMax: expected 1 to 65536/,
  ],
  [
    '{forwardAuth: {address: "http://a", cache: {ttl: 1s, ignore: [uri]}}}',
    /cache: ignore: "uri" is none of ip, method, scheme, host, path, query, header\.X/,
  ],
  [
    '{forwardAuth: {address: "http://a", cache: {ttl: 1s, ignore: [header.authorization]}}}',
    /cache: ignore: "header\.authorization" says who asks/,
  ],
  [
    '{forwardAuth: {address: "http://a", cache: {ttl: 1s, ignore: [header.Cookie]}}}',
    /"header\.Cookie" says who asks/,
  ],
  [
    '{forwardAuth: {address: "http://a", preserveRequestMethod: true, cache: {ttl: 1s, ignore: [method]}}}',
    /ignore: preserveRequestMethod asks by the method/,
  ],
  [
    '{forwardAuth: {address: "http://a", cache: {ttl: 1s, cookies: ["a b"]}}}',
    /cache: cookies: "a b" is not a/,
  ],
  [
    '{forwardAuth: {address: "http://a", forwardBody: true, cache: {ttl: 1s}}}',
    /cache: can not be given with forwardBody/,
  ],
  ['{forwardAuth: {address: "http://a", cache: {ttl: 1s, keys: [ip]}}}', /unknown key "keys"/],
  ['{quota: {limit: 1, sourceCriterion: {keys: [jwtClaim.]}}}', /keys: "jwtClaim\." is none of/],
  [
    '{quota: {limit: 1, sourceCriterion: {keys: [jwtClaim.a..b]}}}',
    /keys: "jwtClaim\.a\.\.b" is none of/,
  ],
  [
    '{quota: {limit: 1, sourceCriterion: {keys: [ip], jwtHeader: X-Jwt}}}',
    /jwtHeader: keys names no jwtClaim/,
  ],
  [
    '{quota: {limit: 1, sourceCriterion: {keys: [jwtClaim.a], jwtHeader: "a b"}}}',
    /jwtHeader: "a b" is not a header name/,
  ],
  ['{requestHeaderModifier: {set: {"a b": c}}}', /set: "a b" is not a header name/],
  ['{responseHeaderModifier: {remove: [Content-Length]}}', /remove: "Content-Length" belongs to/],
  ['{bodyRewrite: {}}', /a\.yml:6:\d+: m@file: replacements: there is nothing to replace/],
  [
    '{bodyRewrite: {replacements: [{literal: a, regex: b, replacement: c}]}}',
    /a\.yml:6:\d+: m@file: replacements\[0\]: it takes either literal or regex; both are given/,
  ],
  [
    '{bodyRewrite: {replacements: [{literal: a}, {replacement: c}]}}',
    /m@file: replacements\[1\]: it takes either literal or regex; neither is given/,
  ],
  [
    '{bodyRewrite: {replacements: [{regex: "a(b", replacement: c}]}}',
    /a\.yml:6:\d+: m@file: replacements\[0\]\.regex: "a\(b": the "\(" at character 2 is not closed/,
  ],
  [
    '{bodyRewrite: {requests: {replacements: [{regex: "(?=a)"}]}}}',
    /m@file: requests\.replacements\[0\]\.regex: "\(\?=a\)": looking ahead or behind is not part/,
  ],
  [
    `{bodyRewrite: {replacements: [{regex: "${'.{1000}'.repeat(25)}"}]}}`,
    /regex: ".{100}\.\.\.": the expression makes more than 20000 steps/,
  ],
  [
    '{bodyRewrite: {replacements: [{regex: a}], maxBytes: 2000000}}',
    /maxBytes: with a regex it is 1048576 at the most/,
  ],
  ['{bodyRewrite: {requests: {replacements: []}}}', /requests\.replacements/],
  [
    '{bodyRewrite: {requests: {replacements: [{literal: a}], contentTypes: [text]}}}',
    /requests\.contentTypes: "text" is not a content type/,
  ],
  ['{basicAuth: {}}', /users or usersFile is required/],
  [
    '{basicAuth: {users: ["ann:secret"]}}',
    /a\.yml:6:\d+: m@file: users: entry 1: a password in plain/,
  ],
  ['{basicAuth: {usersFile: /no/such}}', /usersFile "\/no\/such" does not exist/],
  ['{digestAuth: {users: ["ann:shop:secret"]}}', /users: entry 1: the hash is none/],
  [
    '{digestAuth: {users: ["ann:shop:0123456789abcdef0123456789abcdef"]}}',
    /users: entry 1: it is of another realm than "traefik"/,
  ],
  ['{stripPrefix: {prefixes: [/a]}, addPrefix: {prefix: /b}}', /has more than one kind/],
  ['{}', /says nothing/],
])('%s is refused, and only the router that needs it is disabled', (middleware, problem) => {
  const { routers, problems } = compiled(middleware)
  expect(problems.join('\n')).toMatch(problem)
  expect(problems.join('\n')).not.toContain('secret')
  expect(routers).toEqual(['b@file'])
})

test('A bad expression of a bodyRewrite is told with its own line', () => {
  const { problems } = compiled(
    '\n      bodyRewrite:\n        replacements:\n          - {literal: a, replacement: b}\n' +
      '          - regex: "[z"\n            replacement: b',
  )
  expect(problems.join('\n')).toMatch(
    /a\.yml:10:\d+: m@file: replacements\[1\]\.regex: "\[z": the "\[" at character 1 is not closed/,
  )
})
