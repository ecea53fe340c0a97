// A gateway that gets its certificate from an authority by itself: pebble asks for the challenge on its ports.

import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Pebble, hasPebble, startPebble, withoutPebble } from '../../certificates/pebble.ts'
import { type Gateway, type Keys, freePorts, startGateway } from '../../support/gateway.ts'
import { shake } from '../../support/tls-scene.ts'
import { eventually } from '../../support/wait.ts'

describe.skipIf(!hasPebble)(`A resolver (skipped when ${withoutPebble})`, () => {
  let pebble: Pebble
  let folder = ''
  let gateway: Gateway | null = null

  beforeAll(async () => {
    pebble = await startPebble()
    folder = mkdtempSync(join(tmpdir(), 'sluice-resolver-'))
  })
  afterAll(() => {
    pebble?.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  afterEach(async () => {
    await gateway?.stop()
    gateway = null
  })

  async function start(name: string, challenge: Keys, workers: number): Promise<string> {
    const [adminPort = 0] = await freePorts(1)
    const storage = join(folder, `${name}.json`)
    const base = { caServer: pebble.directoryUrl, caCertificates: [pebble.caPem], storage }
    gateway = await startGateway({
      workers,
      ports: [pebble.httpPort, adminPort],
      entryPoints: { websecure: { address: `127.0.0.1:${pebble.tlsPort}` } },
      static: {
        certificatesResolvers: { le: { acme: { ...base, keyType: 'EC256', ...challenge } } },
      },
      routes: {
        http: {
          routers: {
            shop: {
              rule: `Host(\`${name}.example.org\`)`,
              entryPoints: ['websecure'],
              service: 'whoami@internal',
              tls: { certResolver: 'le' },
            },
          },
        },
      },
    })
    return storage
  }

  async function issuerOf(name: string): Promise<string> {
    const { socket } = await shake(pebble.tlsPort, { servername: `${name}.example.org` })
    const { issuer, subjectaltname } = socket.getPeerCertificate()
    socket.destroy()
    return `${String(issuer?.CN)} ${subjectaltname}`
  }

  const isIssued = async (name: string): Promise<boolean> =>
    /pebble/i.test(await issuerOf(name).catch(() => ''))

  test('It proves the name by http-01 on every worker, and keeps what it got', async () => {
    const storage = await start('http', { httpChallenge: { entryPoint: 'web' } }, 2)
    await eventually('the certificate', () => isIssued('http'), 20_000)
    expect(await issuerOf('http')).toContain('DNS:http.example.org')
    expect(statSync(storage).mode & 0o777).toBe(0o600)
    const { body } = await gateway!.admin('/api/certificates')
    expect(JSON.parse(body)).toMatchObject([{ issued: true, sans: ['DNS:http.example.org'] }])
    const stray = await fetch(
      `http://127.0.0.1:${pebble.httpPort}/.well-known/acme-challenge/unknown`,
    )
    expect(stray.status).toBe(404)
    const before = readFileSync(storage, 'utf8')
    await gateway!.stop()
    await start('http', { httpChallenge: { entryPoint: 'web' } }, 2)
    expect(await isIssued('http')).toBe(true) // from the storage, with the first handshake
    expect(readFileSync(storage, 'utf8')).toBe(before)
  }, 60_000)

  test('It proves the name by tls-alpn-01 on the port that it will serve', async () => {
    await start('alpn', { tlsChallenge: {} }, 1)
    await eventually('the certificate', () => isIssued('alpn'), 20_000)
    expect(gateway!.stderr()).not.toMatch(/BEGIN|PRIVATE/)
  }, 60_000)
})
