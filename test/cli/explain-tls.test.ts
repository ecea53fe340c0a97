// explain, routes and check for what comes before requests: TLS, TCP and UDP.

import { afterAll, expect, test } from 'vitest'
import type { ShownExplanation } from '../../cli/explain-text.ts'
import { TestAuthority } from '../support/certificates.ts'
import { run } from './run.ts'

const authority = new TestAuthority()
const shop = authority.issue('shop.example', { names: ['shop.example', '*.shop.example'] })
const later = authority.issue('later', { names: ['a.shop.example'], days: 60 })
afterAll(() => authority.remove())

const install = `
entryPoints:
  web: {address: ":8000"}
  websecure: {address: ":8443", http: {tls: {options: common@file}}}
  db: {address: ":5432"}
  dns: {address: ":53/udp"}
providers: {file: {filename: routes.yml}}
`

const routes = `
http:
  routers:
    clear: {rule: Host(\`shop.example\`), service: noop@internal, entryPoints: [web]}
    shop: {rule: Host(\`shop.example\`), service: noop@internal, entryPoints: [websecure]}
    strict: {rule: Host(\`a.shop.example\`), service: noop@internal, entryPoints: [websecure], tls: {options: strict}}
    any: {rule: PathPrefix(\`/any\`), service: noop@internal, entryPoints: [websecure]}
tcp:
  routers:
    db: {rule: HostSNI(\`*\`), service: db, entryPoints: [db]}
    pass: {rule: HostSNI(\`pass.example\`), service: db, entryPoints: [websecure], tls: {passthrough: true}}
    rest: {rule: HostSNI(\`*\`), service: db, entryPoints: [websecure], tls: {}}
  services:
    db: {loadBalancer: {servers: [{address: "127.0.0.1:5433"}]}}
udp:
  routers: {dns: {service: dns}}
  services: {dns: {loadBalancer: {servers: [{address: "127.0.0.1:54"}]}}}
tls:
  certificates:
    - {certFile: ${shop.certFile}, keyFile: ${shop.keyFile}}
    - {certFile: ${later.certFile}, keyFile: ${later.keyFile}}
  options:
    common: {}
    strict: {minVersion: VersionTLS13, clientAuth: {caFiles: [${authority.root.certFile}]}}
`

const files = { 'sluice.yml': install, 'routes.yml': routes }
const flag = '--configFile=sluice.yml'

async function explain(...argv: string[]): Promise<ShownExplanation> {
  const { out, err } = await run(['explain', ...argv, '--json', flag], files)
  expect(out, err).not.toBe('')
  return JSON.parse(out) as ShownExplanation
}

test('A request by https is explained with the options and the certificate of its host', async () => {
  const shown = await explain('https://shop.example:8443/')
  expect(shown.routers).toEqual(['shop@file'])
  expect(shown.connection.tls).toMatchObject({
    serverName: 'shop.example',
    options: 'common@file',
    because: 'the host shop.example',
    certificate: { names: ['shop.example', '*.shop.example'] },
  })
  expect((await explain('http://shop.example:8000/')).routers).toEqual(['clear@file'])
})

test('A URL without a port is asked where its scheme is served', async () => {
  expect((await explain('https://shop.example/')).routers).toEqual(['shop@file'])
  expect((await explain('http://shop.example/')).routers).toEqual(['clear@file'])
})

test('Flags may stand before what is to be explained', async () => {
  for (const flags of [[flag], flag.split('=')]) {
    const { out, err } = await run(
      ['explain', ...flags, '--json', 'GET', 'https://shop.example/'],
      files,
    )
    expect(out, err).toContain('shop@file')
  }
})

test('An exact name has its own certificate and its own options', async () => {
  const { connection } = await explain('https://A.shop.example.:8443/')
  expect(connection.tls).toMatchObject({
    options: 'strict@file',
    minVersion: 'TLSv1.3',
    clientAuth: 'RequireAndVerifyClientCert',
    certificate: { names: ['a.shop.example'] },
  })
  const wild = await explain('https://b.shop.example:8443/any')
  expect(wild.connection.tls?.certificate?.names).toContain('*.shop.example')
})

test('A Host header with other options than the handshake is answered 421', async () => {
  const argv = ['https://shop.example:8443/', '-H', 'Host: a.shop.example']
  expect((await explain(...argv)).answer).toMatchObject({ status: 421, code: 'MISDIRECTED' })
  const same = ['https://b.shop.example:8443/any', '-H', 'Host: shop.example']
  expect(await explain(...same)).toMatchObject({ answer: null, routers: ['shop@file'] })
})

test('A TCP router that takes the connection is named, and no request is read', async () => {
  const passed = await explain('https://pass.example:8443/')
  expect(passed.connection).toMatchObject({
    tls: null,
    tcpRouter: { name: 'pass@file', tls: 'passthrough' },
  })
  expect(passed.routers).toEqual([])
  const clear = await run(['explain', 'http://x:5432/', flag], files)
  expect(clear.out).toContain('TCP router: db@file (in clear text)')
})

test('A TCP router for everything comes after HTTPS routers without a host', async () => {
  const shown = await explain('https://else.example:8443/any')
  expect(shown.connection.tcpRouter).toBeNull()
  expect(shown.connection.tls).toMatchObject({
    because: 'what the entry point has for all others',
    certificate: { id: '' },
  })
  expect(shown.routers).toEqual(['any@file'])
})

test('The text says it too, and never holds a key', async () => {
  const { out } = await run(['explain', 'https://a.shop.example:8443/', flag], files)
  expect(out).toContain('TLS: options strict@file, because of the host a.shop.example')
  expect(out).toContain('certificate for a.shop.example: a.shop.example, until ')
  const all = await Promise.all(
    [
      ['routes', '--json'],
      ['routes'],
      ['check'],
      ['explain', 'https://shop.example:8443/', '--json'],
    ].map((argv) => run([...argv, flag], files)),
  )
  for (const { out: text, err } of all) {
    for (const line of shop.keyPem.split('\n').slice(1, 3)) expect(text + err).not.toContain(line)
  }
})

test('Routes of TCP and UDP are listed with their entry points', async () => {
  const { out } = await run(['routes', flag], files)
  expect(out).toMatch(/strict@file \(TLS: strict@file\)/)
  expect(out).toMatch(/ {2}TCP\n.*\n +\d+ +pass@file \(TLS: passthrough\)[^\n]*\n +-1 +rest@file/)
  expect(out).toMatch(/dns :53\/udp\n {2}UDP\n {2}dns@file +dns@file/)
})

test('check counts what is in use of every protocol', async () => {
  const { out } = await run(['check', '--json', flag], files)
  expect(JSON.parse(out).counts).toMatchObject({
    'TCP routers': 3,
    'UDP routers': 1,
    certificates: 2,
  })
})
