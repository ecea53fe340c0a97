// test/behaviour/tls/client-auth.test.ts: a client that must prove who it is can't get around it.

import { X509Certificate } from 'node:crypto'
import net from 'node:net'
import tls from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { helloOf } from '../../../core/tls/hello.fixture.ts'
import { type Issued, TestAuthority } from '../../support/certificates.ts'
import type { Keys } from '../../support/gateway.ts'
import {
  type TlsScene,
  ask,
  files,
  get,
  routers,
  run,
  service,
  shake,
  startReframer,
  startSlicer,
  startTlsScene,
} from '../../support/tls-scene.ts'

let authority: TestAuthority
let strangers: TestAuthority
let server: Issued
let known: tls.ConnectionOptions
let strange: tls.ConnectionOptions
let expired: tls.ConnectionOptions
let scene: TlsScene
let origin = ''

const modes = [
  'NoClientCert',
  'RequestClientCert',
  'RequireAnyClientCert',
  'VerifyClientCertIfGiven',
  'RequireAndVerifyClientCert',
] as const
const hostOf = (mode: string): string => `${mode.toLowerCase()}.example`
const STRICT = 'mtls.wild.example'

const pair = ({ certPem, keyPem }: Issued): tls.ConnectionOptions => ({
  cert: certPem,
  key: keyPem,
})

function routes(url: string, more: Keys = {}): Keys {
  const clientAuth = (clientAuthType: string): Keys => ({
    clientAuth: { clientAuthType, caFiles: [authority.root.certFile] },
  })
  const options = Object.fromEntries(modes.map((mode) => [mode, clientAuth(mode)]))
  const own = modes.map((mode) => [mode, [`Host(\`${hostOf(mode)}\`)`, { options: mode }]] as const)
  return {
    http: {
      routers: {
        ...routers({
          ...Object.fromEntries(own),
          plain: ['Host(`plain.example`)', {}],
          wild: ['Host(`*.wild.example`)', { options: 'RequireAndVerifyClientCert' }],
          one: ['Host(`conflict.example`) && PathPrefix(`/one`)', {}],
          two: ['Host(`conflict.example`)', { options: 'RequireAndVerifyClientCert' }],
          but: ['!Host(`plain.example`)', { options: 'RequireAndVerifyClientCert' }],
          ...more,
        }),
        told: {
          rule: 'Host(`told.wild.example`)',
          entryPoints: ['websecure'],
          service: 'origin',
          middlewares: ['who'],
          tls: { options: 'RequireAndVerifyClientCert' },
        },
      },
      middlewares: {
        who: {
          passTLSClientCert: {
            pem: true,
            info: { subject: { commonName: true, organization: true }, serialNumber: true },
          },
        },
      },
      services: service(url),
    },
    tls: { certificates: [files(server)], options },
  }
}

beforeAll(async () => {
  authority = new TestAuthority('Known Root')
  strangers = new TestAuthority('Strange Root')
  server = authority.issue('server', { names: ['*.example', '*.wild.example'] })
  known = pair(authority.issue('/O=Example/CN=known'))
  strange = pair(strangers.issue('/CN=strange'))
  expired = pair(authority.issue('/CN=late', { days: -1 }))
  scene = await startTlsScene(
    (url) => {
      origin = url
      return routes(url)
    },
    { static: { accessLog: { format: 'json' } } },
  )
}, 60_000)
afterAll(async () => {
  await scene.stop()
  authority.remove()
  strangers.remove()
})

// 'answered', or 'refused' by a handshake that failed or a connection that ended.
async function outcome(host: string, options: tls.ConnectionOptions = {}): Promise<string> {
  const answer = await get(scene.secure, host, options).catch(() => null)
  return answer === null ? 'refused' : answer.status === 200 ? 'answered' : String(answer.status)
}

const expected: Readonly<Record<(typeof modes)[number], readonly string[]>> = {
  NoClientCert: ['answered', 'answered', 'answered', 'answered'],
  RequestClientCert: ['answered', 'answered', 'answered', 'answered'],
  RequireAnyClientCert: ['refused', 'answered', 'answered', 'answered'],
  VerifyClientCertIfGiven: ['answered', 'refused', 'refused', 'answered'],
  RequireAndVerifyClientCert: ['refused', 'refused', 'refused', 'answered'],
}

for (const mode of modes) {
  test(`${mode} admits clients without, with a strange, an expired and a known certificate`, async () => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const outcomes: string[] = []
      for (const shown of [{}, strange, expired, known])
        outcomes.push(await outcome(hostOf(mode), { ...shown, maxVersion }))
      expect([maxVersion, ...outcomes]).toEqual([maxVersion, ...expected[mode]])
    }
  })
}

test('a wildcard host asks for client certificates, whatever the case of the name', async () => {
  for (const name of [STRICT, 'MTLS.Wild.Example', 'mtls.wild.EXAMPLE']) {
    expect(await outcome(name)).toBe('refused')
    expect(await outcome(name, known)).toBe('answered')
  }
})

test('a hello in segments of one byte does not hide its server name', async () => {
  const slicer = await startSlicer(scene.secure, 1)
  const bare = get(slicer.port, STRICT).then(
    () => 'answered',
    () => 'refused',
  )
  expect(await bare).toBe('refused')
  expect((await get(slicer.port, STRICT, known)).status).toBe(200)
  slicer.stop()
})

test('a hello in records of any size does not hide its server name', async () => {
  for (const size of [1, 2, 5, 100]) {
    const reframer = await startReframer(scene.secure, size)
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const bare = await get(reframer.port, STRICT, { maxVersion }).catch(() => null)
      expect(bare).toBeNull()
      expect((await get(reframer.port, STRICT, { ...known, maxVersion })).status).toBe(200)
    }
    reframer.stop()
  }
})

test('a server name with NUL, an address or two names fails the handshake', async () => {
  const bad = [
    helloOf({ names: ['mtls.wild.example\0.plain.example'] }),
    helloOf({ names: ['plain.example\0'] }),
    helloOf({ names: [''] }),
    helloOf({ names: ['plain.example', 'mtls.wild.example'] }),
    helloOf({ names: ['plain..example'] }),
  ]
  for (const hello of bad) {
    const socket = net.connect(scene.secure, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(hello)
    const got = await new Promise<Buffer>((resolve) => {
      const pieces: Buffer[] = []
      socket.on('data', (piece: Buffer) => pieces.push(piece))
      socket.once('close', () => resolve(Buffer.concat(pieces)))
    })
    expect(got.length === 0 || got[0] === 21).toBe(true) // nothing, or an alert
  }
  expect(await outcome('plain.example')).toBe('answered')
})

test('a Host that asks for a certificate is answered 421 on a connection that showed none', async () => {
  for (const host of [STRICT, 'MTLS.WILD.EXAMPLE', hostOf('RequireAnyClientCert')]) {
    const { socket } = await shake(scene.secure, { servername: 'plain.example' })
    expect((await ask(socket, host)).status).toBe(421)
  }
  const nameless = await shake(scene.secure, { servername: '' })
  expect((await ask(nameless.socket, STRICT)).status).toBe(421)
})

test('routers that disagree on the options of a host are not served at all', async () => {
  expect(await outcome('conflict.example')).not.toBe('answered')
  expect(await outcome('conflict.example', known)).not.toBe('answered')
  const { body } = await scene.gateway.admin('/api/http/routers/two@file')
  expect(body).toContain('in conflict')
})

test('a router without Host is not reached by connections that its options did not make', async () => {
  expect(await outcome('unnamed.example')).toBe('421')
  expect(await outcome('unnamed.example', known)).toBe('421')
  // Through a name whose options are the same it is.
  expect(await outcome('other.wild.example', known)).toBe('answered')
})

async function sessionOf(host: string, options: tls.ConnectionOptions): Promise<Buffer> {
  const { socket } = await shake(scene.secure, { servername: host, ...options })
  const sessions: Buffer[] = [socket.getSession()!] // TLS 1.2 has it at once
  socket.on('session', (session: Buffer) => sessions.push(session))
  await ask(socket, host)
  return sessions.at(-1)!
}

// OpenSSL's own client resumes under any name that it is told to.
async function resumesAs(host: string, options: readonly string[]): Promise<string> {
  const request = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
  const connect = ['s_client', '-connect', `127.0.0.1:${scene.secure}`, '-servername', host]
  const { stdout } = await run('openssl', [...connect, ...options, '-ign_eof'], request)
  const status = /HTTP\/1\.1 (\d+)/.exec(stdout)?.[1] ?? 'none'
  return `${/^(New|Reused), /m.exec(stdout)?.[1] ?? 'none'} ${status}`
}

for (const version of ['-tls1_2', '-tls1_3']) {
  test(`a session without client certificate is no way around one (${version})`, async () => {
    const file = `${authority.folder}/plain${version}`
    expect(await resumesAs('plain.example', [version, '-sess_out', file])).toBe('New 200')
    expect(await resumesAs('plain.example', [version, '-sess_in', file])).toBe('Reused 200')
    expect(await resumesAs(STRICT, [version, '-sess_in', file])).toMatch(/none$/)
    const asked = await resumesAs(hostOf('RequestClientCert'), [version, '-sess_in', file])
    expect(asked).toBe('New 200')
  })
}

test('a resumed session brings its client certificate, and the log says so', async () => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const session = await sessionOf(STRICT, { ...known, maxVersion })
    const again = await shake(scene.secure, { servername: STRICT, session, maxVersion })
    expect(again.socket.isSessionReused()).toBe(true)
    const path = `/resumed-${maxVersion}`
    expect((await ask(again.socket, STRICT, path)).status).toBe(200)
    const line = (): string | undefined =>
      scene.gateway
        .stdout()
        .split('\n')
        .find((text) => text.includes(path))
    await expect.poll(line).toBeDefined()
    expect(JSON.parse(line()!)).toMatchObject({ TLSClientSubject: 'CN=known,O=Example' })
  }
})

test('the server is told which certificate the client has shown', async () => {
  const { body } = await get(scene.secure, 'told.wild.example', known)
  const headers = JSON.parse(body) as Record<string, string>
  const pem = headers['x-forwarded-tls-client-cert']!
  expect(Buffer.from(pem, 'base64')).toEqual(new X509Certificate(String(known.cert)).raw)
  const info = decodeURIComponent(headers['x-forwarded-tls-client-cert-info']!)
  expect(info).toMatch(/^Subject="O=Example,CN=known";SerialNumber="\d+"$/)
})

test('options that begin to ask for certificates hold for open connections and old sessions', async () => {
  const session = await sessionOf('plain.example', {})
  const open = await shake(scene.secure, { servername: 'plain.example' })
  scene.gateway.writeRoutes(
    routes(origin, {
      plain: ['Host(`plain.example`)', { options: 'RequireAndVerifyClientCert' }],
      but: ['Path(`/nothing`)', {}],
    }),
  )
  await expect.poll(() => outcome('plain.example'), { timeout: 10_000 }).toBe('refused')
  expect((await ask(open.socket, 'plain.example')).status).toBe(421)
  expect(await outcome('plain.example', { session })).toBe('refused')
  expect(await outcome('plain.example', known)).toBe('answered')
  scene.gateway.writeRoutes(routes(origin))
  await expect.poll(() => outcome('plain.example'), { timeout: 10_000 }).toBe('answered')
})
