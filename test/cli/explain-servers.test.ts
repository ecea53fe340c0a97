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
