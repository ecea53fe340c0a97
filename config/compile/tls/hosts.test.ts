// Beyond the golden pairs: engines, entry points with TLS of their own, and broken defaults.

import { expect, test } from 'vitest'
import { testEntryPoint, testFacts } from '../../../test/support/facts.ts'
import { compile, type Compiled } from '../../compile.ts'
import type { EntryPointFacts } from '../../facts.ts'
import { parseLocated } from '../../located.ts'

function compiled(text: string, ...more: Partial<EntryPointFacts>[]): Compiled {
  const entryPoints = more.map((at, index) => ({
    ...testEntryPoint(at.name ?? `e${index}`, 443 + index),
    ...at,
  }))
  const facts = { ...testFacts(), ...(more.length > 0 ? { entryPoints } : {}) }
  return compile(new Map([['file', [parseLocated(text, 'a.yml')]]]), facts, 1)
}

const router = (name: string, rule: string, more: string): string =>
  `    ${name}: {rule: "${rule}", service: noop@internal${more}}\n`

const http = (...routers: string[]): string => `http:\n  routers:\n${routers.join('')}`

test('A router with TLS that only engine uws would serve is refused; beside node it is told', () => {
  const text = http(
    router('a', 'Host(`a.example`)', ', tls: {}, entryPoints: [uws]'),
    router('b', 'Host(`b.example`)', ', tls: {}, entryPoints: [uws, node]'),
    router('c', 'Host(`c.example`)', ', entryPoints: [uws]'),
  )
  const { generation, status } = compiled(text, { name: 'uws', engine: 'uws' }, { name: 'node' })
  expect([...generation.routers.keys()]).toEqual(['b@file', 'c@file'])
  expect(generation.routers.get('b@file')?.entryPoints).toEqual(['node'])
  expect([...generation.tlsHosts.keys()]).toEqual(['node b.example'])
  expect(status.routers.get('a@file')).toMatchObject({ status: 'disabled' })
  expect(status.routers.get('b@file')).toMatchObject({ status: 'warning' })
})

const options = (name: string, keys: string): string => `tls:\n  options:\n    ${name}: ${keys}\n`
const uwsWithTls = { name: 'uws', engine: 'uws' as const, tls: true }

test('A router with TLS is served by engine uws where the entry point itself has TLS', () => {
  const text = http(router('a', 'Host(`a.example`)', ', tls: {}'))
  const { generation } = compiled(text, uwsWithTls)
  expect([...generation.tlsHosts.keys()]).toEqual(['uws a.example'])
})

test.each([
  ['clientAuth', '{clientAuth: {clientAuthType: RequestClientCert}}'],
  ['minVersion', '{minVersion: VersionTLS13}'],
  ['minVersion', '{minVersion: VersionTLS11}'],
  ['maxVersion', '{maxVersion: VersionTLS12}'],
  ['cipherSuites', '{cipherSuites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]}'],
  ['curvePreferences', '{curvePreferences: [X25519]}'],
  ['sniStrict', '{sniStrict: true}'],
  ['disableSessionTickets', '{disableSessionTickets: true}'],
  ['alpnProtocols', '{alpnProtocols: [h2]}'],
])('Options with %s are not served by engine uws: %s', (key, keys) => {
  const named =
    options('mine', keys) + http(router('a', 'Host(`a.example`)', ', tls: {options: mine}'))
  const first = compiled(named, uwsWithTls)
  expect(first.generation.routers.size).toBe(0)
  expect(first.problems.map(({ message }) => message).join()).toContain(`${key}`)
  // As those of everybody they leave nothing that could be served with less.
  const all = options('default', keys) + http(router('a', 'Host(`a.example`)', ''))
  const second = compiled(all, uwsWithTls)
  expect(second.generation.routers.size).toBe(0)
  expect(second.problems.map(({ path }) => path)).toContain('entryPoints.uws.http.tls.options')
})

const strict = 'tls:\n  options:\n    strict: {minVersion: VersionTLS13}\n'

test('Options of an entry point hold for its routers and for all other names', () => {
  const text =
    strict +
    http(
      router('own', 'Host(`own.example`)', ', tls: {options: default}'),
      router('other', 'Host(`other.example`)', ''),
      router('none', 'PathPrefix(`/`)', ''),
    )
  const { generation } = compiled(text, { name: 'secure', tls: true, tlsOptions: 'strict@file' })
  const hosts = [...generation.tlsHosts.values()].map(({ host, options }) => `${host} ${options}`)
  expect(hosts).toEqual(['own.example default', 'other.example strict@file', '* strict@file'])
  const wanted = [...generation.routers.values()].map(({ name, tlsOptions }) => [name, tlsOptions])
  expect(wanted).toEqual([
    ['own@file', 'default'],
    ['other@file', 'strict@file'],
    ['none@file', 'strict@file'],
  ])
})

test('The options of an entry point may be named without their provider while they are unique', () => {
  const text = strict + http(router('a', 'Host(`a.example`)', ''))
  const { generation } = compiled(text, { name: 'secure', tls: true, tlsOptions: 'strict' })
  expect(generation.tlsHosts.get('secure a.example')?.options).toBe('strict@file')
})

test('An entry point whose options do not exist serves no router, and says so with a suggestion', () => {
  const text = strict + http(router('a', 'Host(`a.example`)', ''))
  const { generation, problems } = compiled(text, {
    name: 'secure',
    tls: true,
    tlsOptions: 'strct',
  })
  expect(generation.routers.size).toBe(0)
  expect(problems[0]).toMatchObject({
    path: 'entryPoints.secure.http.tls.options',
    suggestion: 'strict',
  })
})

test('Routers that would have the default options are disabled while those are wrong', () => {
  const broken = 'tls:\n  options:\n    default: {clientAuth: {caFiles: [/none.pem]}}\n'
  const text =
    broken +
    http(
      router('named', 'Host(`a.example`)', ', tls: {}'),
      router('any', 'PathPrefix(`/`)', ', tls: {}'),
      router('clear', 'Host(`c.example`)', ''),
    )
  const { generation } = compiled(text)
  expect([...generation.routers.keys()]).toEqual(['clear@file'])
  expect(generation.tlsOptions.get('default')).toMatchObject({ clientAuth: 'NoClientCert' })
})

test('Default options that are given twice count for nobody', () => {
  const twice = 'tls:\n  options:\n    default: {}\n'
  const documents = new Map([
    ['file', [parseLocated(twice + http(router('a', 'Host(`a.example`)', ', tls: {}')), 'a.yml')]],
    ['http', [parseLocated(twice, 'b.yml')]],
  ])
  const { generation, problems } = compile(documents, testFacts(), 1)
  expect(generation.routers.size).toBe(0)
  expect(problems.filter(({ code }) => code === 'CONFIG_DUPLICATE')).toHaveLength(2)
})

test('A host of which all routers are disabled has no options', () => {
  const text = http(
    router('a', 'Host(`a.example`)', ', tls: {}').replace('noop@internal', 'gone'),
    router('b', 'Host(`b.example`)', ', tls: {}'),
  )
  const { generation } = compiled(text)
  expect([...generation.tlsHosts.values()].map(({ host }) => host)).toEqual([
    'b.example',
    'b.example',
  ])
})
