// test/behaviour/tls/conversations.test.ts: what tlslite-ng says in conversations.py, and what must come of it.
//
// tlslite-ng is an implementation of TLS that was made to misbehave (tlsfuzzer stands on it). Without python3 or it these
// tests are skipped: `pip install tlslite-ng`, which .ci/run does.

import { copyFileSync, mkdirSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Issued, TestAuthority } from '../../support/certificates.ts'
import {
  type TlsScene,
  files,
  get,
  routers,
  run,
  service,
  startTlsScene,
} from '../../support/tls-scene.ts'

const python = process.env.TLSLITE_PYTHON ?? 'python3'

function isThere(): boolean {
  try {
    execFileSync(python, ['-c', 'import tlslite'], { stdio: 'ignore', timeout: 20_000 })
    return true
  } catch {
    return false
  }
}

const PLAIN = 'plain.example'
const STRICT = 'strict.example'

// Of each conversation: what may be said of it with TLS 1.2, and with 1.3 where that differs.
const ALERT = /^alert /
const REFUSED = /^alert |^closed$/ // a client of TLS 1.3 may write before the alert has come
const expected: Readonly<Record<string, readonly [RegExp, RegExp]>> = {
  plain: [/^200 new$/, /^200 new$/],
  resumed: [/^200 resumed$/, /^200 resumed$/],
  known_certificate: [/^200 new$/, /^200 new$/],
  resumed_with_certificate: [/^200 resumed$/, /^200 resumed$/],
  no_certificate: [ALERT, REFUSED],
  strange_certificate: [REFUSED, REFUSED],
  stolen_certificate: [ALERT, ALERT],
  changed_proof: [ALERT, ALERT],
  no_proof: [ALERT, ALERT],
  other_identity: [/^whole handshake$/, REFUSED],
  certificate_elsewhere: [/^whole handshake$/, /^200 new$/],
  changed_ticket: [/^whole handshake$/, /^200 new$/],
  changed_secret: [/bad_record_mac/, /^alert decrypt_error$/],
  changed_finished: [ALERT, ALERT],
  data_before_finished: [ALERT, ALERT],
  hello_again: [ALERT, ALERT],
  keys_again: [/^$/, /^200 new$/],
}

describe.skipIf(!isThere())('a client that says what it should not (needs tlslite-ng)', () => {
  let ours: TestAuthority
  let theirs: TestAuthority
  let scene: TlsScene
  const said = new Map<string, string>()

  function folderOf({ certFile, keyFile }: Issued, name: string): string {
    const folder = join(ours.folder, name)
    mkdirSync(folder)
    copyFileSync(certFile, join(folder, 'cert.pem'))
    copyFileSync(keyFile, join(folder, 'key.pem'))
    return folder
  }

  beforeAll(async () => {
    ours = new TestAuthority('Ours')
    theirs = new TestAuthority('Theirs')
    const server = ours.issue('server', { names: [PLAIN, STRICT] })
    const clientAuth = {
      clientAuthType: 'RequireAndVerifyClientCert',
      caFiles: [ours.root.certFile],
    }
    scene = await startTlsScene((origin) => ({
      http: {
        routers: routers({
          plain: [`Host(\`${PLAIN}\`)`, {}],
          strict: [`Host(\`${STRICT}\`)`, { options: 'mtls' }],
        }),
        services: service(origin),
      },
      tls: { certificates: [files(server)], options: { mtls: { clientAuth } } },
    }))
    const known = folderOf(ours.issue('known', { key: 'rsa' }), 'known')
    const strange = folderOf(theirs.issue('strange', { key: 'rsa' }), 'strange')
    const script = join(import.meta.dirname, 'conversations.py')
    const { stdout, stderr } = await run(python, [
      script,
      String(scene.secure),
      PLAIN,
      STRICT,
      known,
      strange,
    ])
    for (const line of stdout.split('\n').filter((text) => text !== '')) {
      const told = JSON.parse(line) as { name: string; version: string; said: string }
      said.set(`${told.name} ${told.version}`, told.said)
    }
    if (said.size === 0) throw new Error(stderr)
  }, 60_000)
  afterAll(async () => {
    await scene.stop()
    ours.remove()
    theirs.remove()
  })

  for (const [name, [older, newer]] of Object.entries(expected)) {
    if (older.source !== '^$')
      test(`${name.replaceAll('_', ' ')} (TLS 1.2)`, () => {
        expect(said.get(`${name} TLS 1.2`)).toMatch(older)
      })
    test(`${name.replaceAll('_', ' ')} (TLS 1.3)`, () => {
      expect(said.get(`${name} TLS 1.3`)).toMatch(newer)
    })
  }

  test('afterwards the gateway serves as before, and no defect was told', async () => {
    expect((await get(scene.secure, PLAIN)).status).toBe(200)
    expect(scene.gateway.stderr()).not.toContain('defect')
  })
})
