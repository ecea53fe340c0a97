// TCP, UDP and certificates in the API, from configuration that was compiled as a gateway compiles it.

import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { MetricsPage } from '../../admin/metrics/page.ts'
import { AdminServer } from '../../admin/server.ts'
import type { Shown } from '../../admin/representation.ts'
import { compile } from '../../config/compile.ts'
import { parseLocated } from '../../config/located.ts'
import { controlBytes } from '../../core/shared/control.ts'
import { TestAuthority } from '../support/certificates.ts'
import { testFacts } from '../support/facts.ts'
import { get, stateOf, withFolder } from './fixture.ts'

const authority = new TestAuthority('API Root')
const shop = authority.issue('shop.example', { names: ['shop.example', 'IP:192.0.2.1'] })
const soon = authority.issue('soon.example', { days: 3 })
afterAll(() => authority.remove())

const text = `
tcp:
  routers:
    db: {rule: HostSNI(\`*\`), service: db, middlewares: [few]}
    lost: {rule: HostSNI(\`*\`), service: gone}
    named: {rule: HostSNI(\`db.example\`), service: db, tls: {passthrough: true}, entryPoints: [web, none]}
  services:
    db: {loadBalancer: {servers: [{address: "10.0.0.1:5432"}, {address: "10.0.0.2:5432"}]}}
  middlewares:
    few: {inFlightConn: {amount: 3}}
udp:
  routers:
    dns: {service: dns}
  services:
    dns: {loadBalancer: {servers: [{address: "10.0.0.1:53"}]}}
tls:
  certificates:
    - {certFile: ${shop.certFile}, keyFile: ${shop.keyFile}}
    - {certFile: ${soon.certFile}, keyFile: ${soon.keyFile}}
  stores:
    default: {defaultCertificate: {certFile: ${shop.certFile}, keyFile: ${shop.keyFile}}}
`

const { status } = compile(new Map([['file', [parseLocated(text, 'a.yml')]]]), testFacts(), 1)

function api(...paths: string[]): Promise<Shown[]> {
  return withFolder(async (folder) => {
    const path = join(folder, 'admin.sock')
    const state = stateOf({
      runtime: () => status,
      isUp: (_service, place) => place !== '10.0.0.2:5432',
    })
    const server = new AdminServer(state)
    await server.listen(path)
    try {
      const answers = await Promise.all(paths.map((target) => get(path, target)))
      return answers.map((answer) => JSON.parse(answer.text) as Shown)
    } finally {
      await server.close()
    }
  })
}

test('routers, services and middlewares of TCP are listed with state and errors', async () => {
  const [routers, services, middlewares] = await api(
    '/api/tcp/routers',
    '/api/tcp/services',
    '/api/tcp/middlewares',
  )
  expect(routers).toMatchObject([
    { name: 'db@file', priority: -1, using: ['web', 'websecure'] },
    { name: 'lost@file', status: 'disabled', error: [expect.stringContaining('gone@file')] },
    { name: 'named@file', using: ['web'], tls: { passthrough: true } },
  ])
  expect((routers as unknown as Shown[])[2]!['error']).toContainEqual(
    'the entry point none does not exist',
  )
  expect(services).toMatchObject([
    {
      name: 'db@file',
      type: 'loadbalancer',
      usedBy: ['db@file', 'named@file'],
      serverStatus: { '10.0.0.1:5432': 'UP', '10.0.0.2:5432': 'DOWN' },
    },
  ])
  expect(middlewares).toMatchObject([{ name: 'few@file', type: 'inflightconn' }])
})

test('UDP is listed too, and has no rules', async () => {
  const [router, services] = await api('/api/udp/routers/dns@file', '/api/udp/services')
  expect(router).toMatchObject({ name: 'dns@file', service: 'dns', using: ['dns'] })
  expect(router).not.toHaveProperty('priority')
  expect(services).toMatchObject([{ name: 'dns@file', serverStatus: { '10.0.0.1:53': 'UP' } }])
})

test('the overview counts all protocols, and rawdata holds all objects', async () => {
  const [overview, raw] = await api('/api/overview', '/api/rawdata')
  expect(overview).toMatchObject({
    tcp: { routers: { total: 3, errors: 1 }, services: { total: 1 }, middlewares: { total: 1 } },
    udp: { routers: { total: 1, errors: 0 }, services: { total: 1 } },
  })
  expect(Object.keys(raw!['tcpRouters'] as Shown)).toEqual(['db@file', 'lost@file', 'named@file'])
  expect(raw).toHaveProperty('udpServices')
})

test('certificates are listed by their end, without keys', async () => {
  const [all, found] = await api('/api/certificates', '/api/certificates?search=shop')
  expect(all).toMatchObject([
    { commonName: 'soon.example', status: 'warning', isDefault: false },
    {
      commonName: 'shop.example',
      sans: ['DNS:shop.example', 'IP Address:192.0.2.1'],
      issuerCommonName: 'API Root',
      keyType: 'ec',
      status: 'enabled',
      isDefault: true,
      issued: false,
    },
  ])
  expect(found).toHaveLength(1)
  const { name } = (found as unknown as Shown[])[0]!
  const [one] = await api(`/api/certificates/${String(name)}`)
  expect(one).toEqual((found as unknown as Shown[])[0])
  const shown = JSON.stringify([all, one])
  for (const line of shop.keyPem.split('\n').slice(1, 3)) expect(shown).not.toContain(line)
})

test('The end of each certificate is a metric, by name and serial number', async () => {
  const control = new Int32Array(controlBytes(1) / 4)
  const page = new MetricsPage({
    control,
    buckets: [],
    workers: () => [],
    generation: () => ({ number: 1, convergenceMs: 0, loadedAt: 0 }),
    reloads: () => 0,
    lastReloadAt: () => 0,
    configErrors: () => 0,
    accessLogLost: () => 0,
    spooledBytes: () => 0,
    oldestGeneration: () => 1,
    sharedSlots: () => ({ slots: 16_384, used: 5 }),
    knows: () => true,
    caches: () => [],
    health: () => [],
    certificates: () => status.certificates,
    svidNotAfter: () => 0,
    breakers: () => [],
  })
  const text = await page.render()
  const ends = (Date.parse(new X509Certificate(soon.certPem).validTo) / 1000).toString()
  const lines = text.split('\n').filter((line) => line.startsWith('traefik_tls_certs_not_after{'))
  expect(lines).toHaveLength(2)
  const line = lines.find((one) => one.includes('cn="soon.example"'))
  expect(line).toContain('sans="soon.example"')
  expect(line).toMatch(/serial="\d+"/)
  expect(Number(line?.split(' ').at(-1))).toBe(Number(ends))
})
