// The labels of metrics that say what was spoken: protocol, and version and suite of TLS.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Issued, TestAuthority } from '../../support/certificates.ts'
import { metricSum } from '../../support/metrics.ts'
import { connectRaw } from '../../support/raw-client.ts'
import {
  type TlsScene,
  files,
  get,
  routers,
  service,
  startTlsScene,
} from '../../support/tls-scene.ts'
import { eventually } from '../../support/wait.ts'

let authority: TestAuthority
let leaf: Issued
let scene: TlsScene

beforeAll(async () => {
  authority = new TestAuthority()
  leaf = authority.issue('a.example')
  scene = await startTlsScene(
    (origin) => ({
      http: {
        routers: {
          ...routers({ secure: ['Host(`a.example`)', {}] }),
          clear: { rule: 'PathPrefix(`/`)', entryPoints: ['web'], service: 'origin' },
        },
        services: service(origin),
      },
      tls: { certificates: [files(leaf)] },
    }),
    { static: { metrics: { prometheus: { addRoutersLabels: true } } } },
  )
}, 60_000)
afterAll(async () => {
  await scene.stop()
  authority.remove()
})

async function metrics(): Promise<string> {
  return (await scene.gateway.admin('/metrics')).body
}

test('requests are told apart by what is spoken over them', async () => {
  const client = await connectRaw(scene.gateway.port)
  for (const lines of [
    '',
    'Accept: text/event-stream\r\n',
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n',
    'Content-Type: application/grpc\r\n',
    'Content-Type: application/grpc-web\r\n',
  ]) {
    client.send(`GET / HTTP/1.1\r\nHost: a.example\r\n${lines}\r\n`)
    expect((await client.readResponse()).status).toBe(200)
  }
  client.destroy()
  const page = await metrics()
  for (const spoken of ['http', 'sse', 'websocket', 'grpc', 'grpc-web']) {
    const label = `protocol="${spoken}"`
    for (const [family, whose] of [
      ['entrypoint', 'entrypoint="web"'],
      ['router', 'router="clear@file"'],
    ] as const)
      expect(metricSum(page, `traefik_${family}_requests_total`, whose, label), spoken).toBe(1)
    expect(metricSum(page, 'traefik_service_requests_total', label), spoken).toBe(1)
  }
  expect(page).not.toContain('requests_tls_total{')
})

test('requests by TLS are counted by version and suite, by nobody else', async () => {
  const both = [
    ['1.3', 'TLS_AES_128_GCM_SHA256', { ciphers: 'TLS_AES_128_GCM_SHA256' }],
    [
      '1.2',
      'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
      { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' },
    ],
  ] as const
  for (const [, , options] of both)
    for (let i = 0; i < 2; i++)
      expect((await get(scene.secure, 'a.example', options)).status).toBe(200)
  const page = await metrics()
  for (const [version, cipher] of both)
    for (const [family, whose] of [
      ['entrypoint', 'entrypoint="websecure"'],
      ['router', 'router="secure@file",service="origin@file"'],
      ['service', 'service="origin@file"'],
    ] as const) {
      const labels = [`tls_version="${version}"`, `tls_cipher="${cipher}"`, whose]
      expect(metricSum(page, `traefik_${family}_requests_tls_total`, ...labels)).toBe(2)
    }
  expect(metricSum(page, 'traefik_entrypoint_requests_tls_total', 'entrypoint="web"')).toBe(0)
})

test('open connections have the transport as their protocol, as in Traefik', async () => {
  const client = await connectRaw(scene.gateway.port)
  await eventually('the connection to be counted', async () => {
    const labels = ['entrypoint="web"', 'protocol="TCP"']
    return metricSum(await metrics(), 'traefik_open_connections', ...labels) === 1
  })
  client.destroy()
})
