// test/behaviour/tls/uws.test.ts: TLS of engine uws: which certificate a name gets, what is refused, and what
// uWebSockets.js must not be able to do to the process.

import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, existsSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { AddressInfo } from 'node:net'
import { type Issued, TestAuthority } from '../../support/certificates.ts'
import {
  type TlsScene,
  ask,
  curl,
  files,
  get,
  routers,
  run,
  service,
  shake,
  startTlsScene,
} from '../../support/tls-scene.ts'

let authority: TestAuthority
let scene: TlsScene
let sockets: WebSocketServer
let fallback: Issued

// BoringSSL makes a context of such a key, and then has no signature that a client would take.
function ed25519(name: string): { certFile: string; keyFile: string } {
  const certFile = `${authority.folder}/ed.pem`
  const keyFile = `${authority.folder}/ed.key`
  const request = `req -x509 -newkey ed25519 -nodes -days 30 -keyout ${keyFile} -out ${certFile}`
  const names = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
  execFileSync('openssl', [...request.split(' '), ...names], { stdio: 'ignore' })
  return { certFile, keyFile }
}

beforeAll(async () => {
  authority = new TestAuthority()
  fallback = authority.issue('fallback.example')
  const both = [
    authority.issue('/CN=both-ec', { names: ['both.example'] }),
    authority.issue('/CN=both-rsa', { names: ['both.example'], key: 'rsa' }),
  ]
  const issued = [
    authority.issue('a.example'),
    authority.issue('/CN=wild', { names: ['*.wild.example'] }),
    authority.issue('own.wild.example'),
    authority.issue('/CN=late', { names: ['*.late.example'] }),
    ...both,
  ]
  sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await new Promise<void>((resolve) => sockets.once('listening', resolve))
  sockets.on('connection', (ws) => ws.on('message', (data) => ws.send(data)))
  const echo = `http://127.0.0.1:${(sockets.address() as AddressInfo).port}`
  scene = await startTlsScene(
    (origin) => ({
      http: {
        routers: {
          ...routers({
            a: ['Host(`a.example`)', {}],
            plain: ['Host(`plain.example`)', { options: 'plain' }],
            strict: ['Host(`strict.example`)', { options: 'strict' }],
            any: ['PathPrefix(`/`)', {}],
          }),
          echo: {
            rule: 'Path(`/echo`)',
            priority: 1000,
            entryPoints: ['websecure'],
            service: 'echo',
          },
        },
        services: { ...service(origin), echo: { loadBalancer: { servers: [{ url: echo }] } } },
      },
      tls: {
        options: { plain: { alpnProtocols: ['http/1.1'] }, strict: { sniStrict: true } },
        certificates: [...issued.map(files), ed25519('ed.example')],
        stores: { default: { defaultCertificate: files(fallback) } },
      },
    }),
    { workers: 2, websecure: { engine: 'uws', http: { tls: {} } } },
  )
}, 60_000)
afterAll(async () => {
  sockets.close()
  await scene.stop()
  authority.remove()
})

async function subjectOf(servername: string): Promise<string> {
  const { socket, subject } = await shake(scene.secure, { servername })
  socket.destroy()
  return subject
}

test('a name gets its own certificate, a wildcard has one label, all others get the default', async () => {
  expect(await subjectOf('a.example')).toBe('a.example')
  expect(await subjectOf('x.wild.example')).toBe('wild')
  expect(await subjectOf('y.wild.example')).toBe('wild')
  expect(await subjectOf('own.wild.example')).toBe('own.wild.example') // the wildcard is known by now
  expect(await subjectOf('x.y.wild.example')).toBe('fallback.example')
  expect(await subjectOf('wild.example')).toBe('fallback.example')
  expect(await subjectOf('nobody.example')).toBe('fallback.example')
  expect(await subjectOf('')).toBe('fallback.example')
})

test('of keys of two kinds the one that every client knows is shown', async () => {
  expect(await subjectOf('both.example')).toBe('both-rsa')
})

test('curl gets an answer by HTTP/1.1, and the server is told of https', async () => {
  const { stdout } = await curl(scene.secure, 'a.example')
  expect(stdout).toMatch(/\n200 1\.1$/)
  expect(JSON.parse(stdout.split('\n')[0]!)).toMatchObject({
    'x-forwarded-proto': 'https',
    'x-forwarded-port': String(scene.secure),
  })
})

test.each([
  ['TLS 1.1', ['-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'], 'protocol version'],
  [
    'a suite without forward secrecy',
    ['-tls1_2', '-cipher', 'AES128-GCM-SHA256'],
    'handshake failure',
  ],
  [
    'a suite that is no AEAD',
    ['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA'],
    'handshake failure',
  ],
])('%s is refused', async (_, args, alert) => {
  const address = `127.0.0.1:${scene.secure}`
  const fixed = ['s_client', '-connect', address, '-servername', 'a.example']
  const { stdout, stderr } = await run('openssl', [...fixed, ...args])
  expect(stdout + stderr).toContain(alert)
})

test('whatever order a client has, the suite of TLS 1.2 is the same, with each kind of key', async () => {
  for (const [servername, kind] of [
    ['a.example', 'ECDSA'],
    ['both.example', 'RSA'],
  ] as const) {
    const mine = [`ECDHE-${kind}-AES256-GCM-SHA384`, `ECDHE-${kind}-AES128-GCM-SHA256`]
    for (const ciphers of [mine, mine.toReversed()]) {
      const options = { servername, maxVersion: 'TLSv1.2', ciphers: ciphers.join(':') } as const
      const { socket, cipher } = await shake(scene.secure, options)
      socket.destroy()
      expect(cipher).toBe(`ECDHE-${kind}-AES128-GCM-SHA256`)
    }
  }
})

test('clear text is no request on a port of TLS', async () => {
  const { stdout } = await run('curl', [
    '-s',
    '--max-time',
    '5',
    `http://127.0.0.1:${scene.secure}/`,
  ])
  expect(stdout).toBe('')
})

test('a Host whose TLS options are not those of the connection is answered 421', async () => {
  expect((await get(scene.secure, 'plain.example')).status).toBe(200)
  const { socket } = await shake(scene.secure, { servername: 'a.example' })
  expect((await ask(socket, 'plain.example')).status).toBe(421)
  const other = await shake(scene.secure, { servername: 'nobody.example' })
  expect((await ask(other.socket, 'a.example')).status).toBe(200)
})

test('a router whose options can not be kept is not served, and told with the reason', async () => {
  const { body } = await scene.gateway.admin('/api/http/routers/strict@file')
  expect(JSON.parse(body)).toMatchObject({ status: 'disabled' })
  expect(body).toContain('sniStrict: uWebSockets.js resumes')
})

test('a certificate that BoringSSL can not use ends its own handshakes, not the process', async () => {
  await expect(shake(scene.secure, { servername: 'ed.example' })).rejects.toThrow()
  await scene.gateway.untilStderr("can't use the certificate of ed.example")
  expect(await subjectOf('a.example')).toBe('a.example')
})

test('a WebSocket is relayed over TLS', async () => {
  const ws = new WebSocket(`wss://127.0.0.1:${scene.secure}/echo`, {
    headers: { host: 'sockets.example' },
    rejectUnauthorized: false,
  })
  const answer = await new Promise<string>((resolve, reject) => {
    ws.once('open', () => ws.send('over tls'))
    ws.once('message', (data) => resolve(String(data)))
    ws.once('error', reject)
  })
  ws.close()
  expect(answer).toBe('over tls')
})

test('a name that the configuration gets later is served by what is there', async () => {
  expect(await subjectOf('x.late.example')).toBe('late')
  const routes = JSON.parse(readFileSync(`${scene.gateway.folder}/routes.yml`, 'utf8'))
  routes.tls.certificates.push(files(authority.issue('own.late.example')))
  scene.gateway.writeRoutes(routes)
  await expect
    .poll(() => subjectOf('own.late.example'), { timeout: 10_000 })
    .toBe('own.late.example')
  expect(await subjectOf('x.late.example')).toBe('late')
})

test('the certificate of all is changed while connections of before go on', async () => {
  const before = await shake(scene.secure, { servername: '' })
  const routes = JSON.parse(readFileSync(`${scene.gateway.folder}/routes.yml`, 'utf8'))
  routes.tls.stores.default.defaultCertificate = files(authority.issue('next.example'))
  scene.gateway.writeRoutes(routes)
  await expect.poll(() => subjectOf(''), { timeout: 10_000 }).toBe('next.example')
  expect((await ask(before.socket, 'a.example')).status).toBe(200)
  expect(await subjectOf('a.example')).toBe('a.example')
})

// Another gateway may be in the middle of a call.
test('no file of a key is left', async () => {
  if (!existsSync('/dev/shm')) return
  const left = (): string[] => readdirSync('/dev/shm').filter((name) => name.startsWith('sluice-'))
  await expect.poll(left).toEqual([])
})
