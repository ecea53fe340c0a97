// What the configuration of TLS does to a running gateway: Alt-Svc, new certificates, conflicts, keys that stay secret.

import { copyFileSync, readFileSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { TestAuthority } from '../../support/certificates.ts'
import type { Keys } from '../../support/gateway.ts'
import { routers, service, shake, startTlsScene, type TlsScene } from '../../support/tls-scene.ts'
import { eventually } from '../../support/wait.ts'

const authority = new TestAuthority()
const first = authority.issue('a.example')
const second = authority.issue('/CN=renewed', { names: ['a.example'] })
afterAll(() => authority.remove())

let scene: TlsScene | null = null

afterEach(async () => {
  await scene?.stop()
  scene = null
})

const certFile = join(authority.folder, 'live.pem')
const keyFile = join(authority.folder, 'live.key')

function put({ certFile: cert, keyFile: key }: typeof first): void {
  copyFileSync(cert, certFile)
  copyFileSync(key, keyFile)
}

const routes =
  (tlsKeys: Keys = {}, more: Keys = {}) =>
  (origin: string) => ({
    http: {
      routers: routers({ a: ['Host(`a.example`)', tlsKeys] }),
      services: service(origin),
    },
    tls: { certificates: [{ certFile, keyFile }], ...more },
  })

interface Got {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
}

function get(port: number, host: string): Promise<Got> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', servername: host, headers: { host }, agent: false }
    const request = https.get({ ...options, rejectUnauthorized: false }, (response) => {
      response.resume()
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers })
      })
    })
    request.on('error', reject)
  })
}

test('Responses on TLS name the QUIC terminator in front, and those in clear text do not', async () => {
  put(first)
  scene = await startTlsScene(routes(), {
    websecure: { http3: { frontedBy: ':443' } },
    web: { http3: { frontedBy: 'quic.example:8443' } },
  })
  const secured = await get(scene.secure, 'a.example')
  expect(secured).toMatchObject({ status: 200, headers: { 'alt-svc': 'h3=":443"; ma=86400' } })
  const clear = await fetch(`http://127.0.0.1:${scene.gateway.port}/`)
  expect(clear.headers.get('alt-svc')).toBeNull()
  expect(scene.gateway.stderr()).not.toContain('without effect')
})

test('A new pair of files is what the next handshake gets, within a second', async () => {
  put(first)
  scene = await startTlsScene(routes())
  const { secure } = scene
  const subject = async (): Promise<string> => {
    const { socket, subject: name } = await shake(secure)
    socket.destroy()
    return name
  }
  expect(await subject()).toContain('a.example')
  put(second)
  await eventually('the new certificate', async () => (await subject()).includes('renewed'))
})

test('Routers of one host with different options are told of and not served', async () => {
  put(first)
  const conflict = (origin: string) => {
    const all = routes()(origin)
    const rivals = {
      b: ['Host(`a.example`) && Path(`/b`)', { options: 'strict' }],
      other: ['Host(`b.example`)', {}],
    } as const
    const strict = { options: { strict: { minVersion: 'VersionTLS13' } } }
    const own = { ...all.http, routers: { ...all.http.routers, ...routers(rivals) } }
    return { http: own, tls: { ...all.tls, ...strict } }
  }
  scene = await startTlsScene(conflict)
  expect((await get(scene.secure, 'a.example')).status).toBe(404)
  expect((await get(scene.secure, 'b.example')).status).toBe(200)
  const told = scene.gateway.stderr()
  expect(told).toMatch(/a@file: the TLS options of a\.example on websecure are in conflict/)
  expect(told).toMatch(/b@file: the TLS options of a\.example .* also a@file \(default\)/)
})

test('No key is in the log or the API, whatever is wrong with it', async () => {
  put(first)
  const inline = { certFile: first.certPem, keyFile: second.keyPem } // does not fit
  const broken = { stores: { default: { defaultCertificate: inline } } }
  scene = await startTlsScene(routes({}, broken), { static: { log: { level: 'DEBUG' } } })
  const paths = ['/api/rawdata', '/api/overview', '/api/certificates', '/api/http/routers']
  const bodies = await Promise.all(paths.map((path) => scene!.gateway.admin(path)))
  const shown = bodies.map(({ body }) => body).join() + scene.gateway.stderr()
  expect(shown).toContain('the key does not belong')
  for (const { keyPem } of [first, second, { keyPem: readFileSync(keyFile, 'utf8') }]) {
    for (const line of keyPem.split('\n').slice(1, 3)) expect(shown).not.toContain(line)
  }
})
