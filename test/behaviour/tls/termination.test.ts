// test/behaviour/tls/termination.test.ts: which certificate and which options a client gets, and what it may speak.

import { appendFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
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
let exact: Issued
let wildcard: Issued
let older: Issued
let newer: Issued
let rsa: Issued
let ec: Issued
let scene: TlsScene
const folders: TestAuthority[] = []

beforeAll(async () => {
  authority = new TestAuthority()
  folders.push(authority)
  exact = authority.issue('exact.wild.example')
  wildcard = authority.issue('any of wild', { names: ['*.wild.example'] })
  older = authority.issue('older', { names: ['twice.example'], days: 10 })
  newer = authority.issue('newer', { names: ['twice.example'], days: 20 })
  rsa = authority.issue('rsa', { names: ['both.example'], key: 'rsa' })
  const second = new TestAuthority('Second Root')
  folders.push(second)
  ec = second.issue('ec', { names: ['both.example'] })
  appendFileSync(ec.certFile, second.root.certPem)
  appendFileSync(rsa.certFile, authority.root.certPem)
  scene = await startTlsScene(
    (origin) => ({
      http: {
        routers: routers({
          all: ['PathPrefix(`/`)', {}],
          modern: ['Host(`modern.example`)', { options: 'modern' }],
          strict: ['Host(`exact.wild.example`)', { options: 'strict' }],
          unknown: ['Host(`unknown.example`)', { options: 'strict' }],
        }),
        services: service(origin),
      },
      tls: {
        certificates: [exact, wildcard, newer, older, rsa, ec].map(files),
        options: {
          modern: { minVersion: 'VersionTLS13' },
          strict: { sniStrict: true },
        },
      },
    }),
    {
      web: { http: { redirections: { entryPoint: { to: 'websecure', scheme: 'https' } } } },
      workers: 2,
      static: { accessLog: { format: 'json' } },
    },
  )
}, 60_000)
afterAll(async () => {
  await scene.stop()
  for (const folder of folders) folder.remove()
})

const subjectOf = async (servername: string, more = {}): Promise<string> => {
  const { socket, subject } = await shake(scene.secure, { servername, ...more })
  socket.destroy()
  return subject
}

test('an exact name wins over a wildcard, which stands for one label', async () => {
  expect(await subjectOf('exact.wild.example')).toBe('exact.wild.example')
  expect(await subjectOf('other.wild.example')).toBe('any of wild')
  expect(await subjectOf('two.labels.wild.example')).toBe('SLUICE DEFAULT CERT')
  expect(await subjectOf('wild.example')).toBe('SLUICE DEFAULT CERT')
})

test('the case of a server name does not matter', async () => {
  expect(await subjectOf('EXACT.Wild.Example')).toBe('exact.wild.example')
  expect(await subjectOf('OTHER.WILD.EXAMPLE')).toBe('any of wild')
})

test('a client without server name gets the default certificate', async () => {
  const { socket, subject } = await shake(scene.secure, { servername: '' })
  expect(subject).toBe('SLUICE DEFAULT CERT')
  expect((await ask(socket, 'anything.example')).status).toBe(200)
})

test('all workers show the same generated certificate', async () => {
  const serials = new Set<string>()
  for (let i = 0; i < 20; i++) {
    const { socket, serial } = await shake(scene.secure, { servername: 'x.example' })
    serials.add(serial)
    socket.destroy()
  }
  expect(serials.size).toBe(1)
})

test('of two certificates for a name the one that is valid longer is shown', async () => {
  expect(await subjectOf('twice.example')).toBe('newer')
})

test('a client that knows both kinds of keys gets EC, one that knows RSA alone gets RSA', async () => {
  expect(await subjectOf('both.example')).toBe('ec')
  expect(await subjectOf('both.example', { sigalgs: 'rsa_pss_rsae_sha256' })).toBe('rsa')
  const old = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }
  expect(await subjectOf('both.example', old)).toBe('rsa')
})

test('each of two certificates for a name comes with its own chain', async () => {
  for (const [sigalgs, root] of [
    ['ECDSA+SHA256', 'Second Root'],
    ['rsa_pss_rsae_sha256', 'Test Root'],
  ]) {
    const { socket } = await shake(scene.secure, { servername: 'both.example', sigalgs })
    const leaf = socket.getPeerCertificate(true)
    expect(leaf.issuerCertificate?.subject?.CN).toBe(root)
    socket.destroy()
  }
})

test('a name without certificate is refused where sniStrict asks for one', async () => {
  await expect(shake(scene.secure, { servername: 'unknown.example' })).rejects.toThrow(
    /unrecognized name/,
  )
  expect((await get(scene.secure, 'exact.wild.example')).status).toBe(200)
})

test('options are those of the server name', async () => {
  const old = { maxVersion: 'TLSv1.2' } as const
  await expect(shake(scene.secure, { servername: 'modern.example', ...old })).rejects.toThrow()
  expect((await get(scene.secure, 'modern.example')).status).toBe(200)
  expect((await get(scene.secure, 'other.example', old)).status).toBe(200)
})

test('TLS 1.2 and 1.3 are spoken, with AEAD ciphers and forward secrecy, and nothing older', async () => {
  const versions = new Map<string, string>()
  for (const version of ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const) {
    const options = { minVersion: version, maxVersion: version, ciphers: 'ALL:@SECLEVEL=0' }
    const result = await shake(scene.secure, options).catch(() => null)
    versions.set(version, result?.protocol ?? 'refused')
    result?.socket.destroy()
  }
  expect([...versions.values()]).toEqual(['refused', 'refused', 'TLSv1.2', 'TLSv1.3'])
  for (const ciphers of ['AES128-SHA', 'ECDHE-ECDSA-AES128-SHA', 'AES128-GCM-SHA256'])
    await expect(shake(scene.secure, { ciphers, maxVersion: 'TLSv1.2' })).rejects.toThrow()
})

test('X25519 and its hybrid with ML-KEM are agreed on', async () => {
  for (const ecdhCurve of ['X25519', 'X25519MLKEM768']) {
    const { socket } = await shake(scene.secure, { ecdhCurve, minVersion: 'TLSv1.3' })
    expect((await ask(socket, 'a.example')).status).toBe(200)
  }
})

test('the server is told https, its port, and no h2 of the client', async () => {
  const { stdout } = await curl(scene.secure, 'told.example', ['--http1.1'])
  expect(stdout).toContain('"x-forwarded-proto":"https"')
  expect(stdout).toContain(`"x-forwarded-port":"${scene.secure}"`)
  const second = await curl(scene.secure, 'told.example', ['--http2'])
  expect(second.stdout).toContain('"x-forwarded-proto":"https"')
  expect(second.stdout).toMatch(/200 2$/)
})

test('an entry point that redirects sends clients to https', async () => {
  const { stdout } = await run('curl', [
    '-s',
    '-o',
    '/dev/null',
    '-w',
    '%{http_code} %{redirect_url}',
    '-H',
    'Host: go.example',
    `http://127.0.0.1:${scene.gateway.port}/path?q=1`,
  ])
  expect(stdout).toBe(`301 https://go.example:${scene.secure}/path?q=1`)
})

test('Host with other options than the server name is answered 421', async () => {
  const { socket } = await shake(scene.secure, { servername: 'plain.example' })
  expect((await ask(socket, 'modern.example')).status).toBe(421)
  const other = await shake(scene.secure, { servername: 'modern.example' })
  expect((await ask(other.socket, 'plain.example')).status).toBe(421)
  const cased = await shake(scene.secure, { servername: 'plain.example' })
  expect((await ask(cased.socket, 'MODERN.example.:443')).status).toBe(421)
  const same = await shake(scene.secure, { servername: 'modern.example' })
  expect((await ask(same.socket, 'Modern.example')).status).toBe(200)
})

test('a session is resumed by whichever worker, and by none under another name', async () => {
  const sessions: Buffer[] = []
  const first = await shake(scene.secure, { servername: 'exact.wild.example' })
  first.socket.on('session', (session: Buffer) => sessions.push(session))
  await ask(first.socket, 'exact.wild.example')
  const session = sessions.at(-1)!
  expect(sessions.length).toBeGreaterThan(0)
  let resumed = 0
  for (let i = 0; i < 20; i++) {
    const again = await shake(scene.secure, { servername: 'exact.wild.example', session })
    if (again.socket.isSessionReused()) resumed++
    again.socket.destroy()
  }
  expect(resumed).toBe(20) // two workers, one set of ticket keys
})

test('a session is of no use under a name with other options or another certificate', async () => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const args = (name: string, how: string): string[] => [
      's_client',
      '-connect',
      `127.0.0.1:${scene.secure}`,
      '-servername',
      name,
      maxVersion === 'TLSv1.2' ? '-tls1_2' : '-tls1_3',
      how,
      `${authority.folder}/session`,
      '-ign_eof',
    ]
    const request = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    await run('openssl', args('exact.wild.example', '-sess_out'), request)
    const same = await run('openssl', args('exact.wild.example', '-sess_in'), request)
    expect(same.stdout).toMatch(/^Reused, /m)
    for (const name of ['other.wild.example', 'unheard.example']) {
      const other = await run('openssl', args(name, '-sess_in'), request)
      expect(other.stdout).toMatch(/^New, /m)
    }
  }
})

test('a client can not renegotiate', async () => {
  const { stderr, stdout } = await run(
    'openssl',
    ['s_client', '-connect', `127.0.0.1:${scene.secure}`, '-tls1_2'],
    'R\n',
  )
  expect(stdout + stderr).toMatch(/no renegotiation|RENEGOTIATING/)
  expect(stderr).toMatch(/no renegotiation/)
})

test('the access log tells version, cipher and protocol', async () => {
  const { socket } = await shake(scene.secure, { servername: 'logged.example' })
  await ask(socket, 'logged.example', '/logged')
  await expect
    .poll(() =>
      scene.gateway
        .stdout()
        .split('\n')
        .find((line) => line.includes('/logged')),
    )
    .toBeDefined()
  const line = scene.gateway
    .stdout()
    .split('\n')
    .find((text) => text.includes('/logged'))!
  const fields = JSON.parse(line) as Record<string, string>
  expect(fields).toMatchObject({ TLSVersion: '1.3', TLSCipher: 'TLS_AES_128_GCM_SHA256' })
  expect(fields.RequestScheme).toBe('https')
})
