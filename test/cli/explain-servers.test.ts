// explain: which server would take a request, and why the others would not.

import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { ShownExplanation } from '../../cli/explain-text.ts'
import { install, run } from './run.ts'

const routes = `
http:
  routers:
    sticky: {rule: Host(\`sticky.test\`), service: sticky}
    hashed: {rule: Host(\`hashed.test\`), service: hashed}
    plain: {rule: Host(\`plain.test\`), service: plain}
    tree: {rule: Host(\`tree.test\`), service: tree}
    rates: {rule: Host(\`rates.test\`), service: rates}
    never: {rule: Host(\`never.test\`), service: never}
  services:
    sticky:
      loadBalancer:
        sticky: {cookie: {name: lb}}
        healthCheck: {path: /health, interval: 5s}
        servers:
          - {url: http://10.0.0.1}
          - {url: http://10.0.0.2, fenced: true}
          - {url: http://10.0.0.3, weight: 0}
          - {url: http://10.0.0.4, terminating: true}
    hashed:
      loadBalancer:
        strategy: maglev
        hashOn: {header: X-User}
        servers: [{url: http://10.0.1.1}, {url: http://10.0.1.2}, {url: http://10.0.1.3}]
    plain: {loadBalancer: {servers: [{url: http://10.0.2.1}]}}
    rates:
      loadBalancer:
        outlierDetection: {successRate: {minServers: 3, stdevFactor: 1.4}, failurePercentage: {minServers: 3}}
        servers: [{url: http://10.0.3.1}, {url: http://10.0.3.2}, {url: http://10.0.3.3}]
    never:
      loadBalancer:
        outlierDetection: {consecutive5xx: 0, consecutiveGatewayErrors: 0, successRate: {minServers: 2}, failurePercentage: {}}
        servers: [{url: http://10.0.3.1}, {url: http://10.0.3.2}]
    tree: {highestRandomWeight: {services: [{name: plain}, {name: hashed}]}}
`

const files = { 'sluice.yml': install, 'routes.yml': routes }

async function explain(...argv: string[]): Promise<ShownExplanation['choices']> {
  const { out, err } = await run(['explain', ...argv, '--json', '--configFile=sluice.yml'], files)
  expect(out, err).not.toBe('')
  return (JSON.parse(out) as ShownExplanation).choices
}

test('servers that are not chosen by turns say why', async () => {
  const choices = await explain('http://sticky.test:8000/')
  expect(choices.map(({ verdict }) => verdict)).toEqual([
    '',
    'fenced: only clients whose cookie names it',
    'weight 0: takes no new requests',
    'terminating: taken when nothing else is up',
  ])
})

test('a cookie names its server, a fenced one too', async () => {
  const value = createHash('sha256').update('http://10.0.0.2').digest('hex').slice(0, 16)
  const choices = await explain('http://sticky.test:8000/', '-H', `Cookie: lb=${value}`)
  expect(choices[1]!.verdict).toBe('takes it: the cookie lb names it')
  expect(choices[0]!.verdict).toBe('the choice falls on another one')
})

test('a hash names one server, always the same, and says what it was made of', async () => {
  const takes = async (...more: string[]) =>
    (await explain('http://hashed.test:8000/', ...more)).filter(({ verdict }) =>
      verdict.startsWith('takes it'),
    )
  const [first, second] = [await takes('-H', 'X-User: a'), await takes('-H', 'X-User: a')]
  expect(first).toEqual(second)
  expect(first).toHaveLength(1)
  expect(first[0]!.verdict).toBe('takes it: by the hash of header x-user')
  expect((await takes())[0]!.verdict).toBe(
    'takes it: by the hash of the address of the client, as there is no header x-user',
  )
})

test('children of a service that goes by a hash are chosen like servers', async () => {
  const own = (await explain('http://tree.test:8000/')).filter(
    ({ service }) => service === 'tree@file',
  )
  expect(own.filter(({ verdict }) => verdict.startsWith('takes it'))).toHaveLength(1)
})

test('the text says what looks after the servers', async () => {
  const { out } = await run(
    ['explain', 'http://sticky.test:8000/', '--configFile=sluice.yml'],
    files,
  )
  expect(out).toContain(
    'Service: sticky@file (loadBalancer, wrr): clients stay by the cookie lb; checked every 5 s with GET /health',
  )
  expect(out).toContain('fenced: only clients whose cookie names it')
})

test('the text says which rules eject a server, and which never can with so few servers', async () => {
  const text = async (host: string): Promise<string> =>
    (await run(['explain', `http://${host}:8000/`, '--configFile=sluice.yml'], files)).out
  expect(await text('rates.test')).toContain(
    'ejected after errors in a row; ejected when its success rate in 10 s is below that of the others; ejected when 85% of its answers in 10 s have failed\n',
  )
  expect(await text('never.test')).toContain(
    'wrr): ejected when its success rate in 10 s is below that of the others, never with 2 servers; ejected when 85% of its answers in 10 s have failed, never with 2 servers\n',
  )
})
