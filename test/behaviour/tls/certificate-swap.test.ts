// test/behaviour/tls/certificate-swap.test.ts: certificates are exchanged under load, and no handshake fails.

import { X509Certificate } from 'node:crypto'
import { copyFileSync, renameSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Issued, TestAuthority } from '../../support/certificates.ts'
import {
  type Handshake,
  type TlsScene,
  ask,
  get,
  routers,
  service,
  shake,
  startTlsScene,
} from '../../support/tls-scene.ts'

const SWAPS = 20
const CLIENTS = 6
const SEEN_WITHIN_MS = 15_000 // the bar is 1 s; a loaded machine gets more

let authority: TestAuthority
let leaves: Issued[]
let scene: TlsScene
let certFile = ''
let keyFile = ''

// As careful writers do: each file is replaced by a rename. Between the two the pair does not fit, and is refused.
function install({ certFile: cert, keyFile: key }: Issued): void {
  for (const [from, to] of [
    [key, keyFile],
    [cert, certFile],
  ] as const) {
    copyFileSync(from, to + '.next')
    renameSync(to + '.next', to)
  }
}

const trusting = (): { ca: string; rejectUnauthorized: boolean; servername: string } => ({
  ca: authority.root.certPem,
  rejectUnauthorized: true,
  servername: 'swap.example',
})

interface Knocking {
  handshakes: number
  running: boolean
  readonly seen: Set<string>
  readonly faults: string[]
}

// One handshake and one request after the other.
async function knock(port: number, state: Knocking): Promise<void> {
  const fail = (fault: unknown): null => {
    state.faults.push(String(fault))
    return null
  }
  while (state.running) {
    const made: Handshake | null = await shake(port, trusting()).catch(fail)
    if (made === null) continue
    state.handshakes++
    state.seen.add(made.serial)
    const answer = await ask(made.socket, 'swap.example').catch(fail)
    if (answer !== null && answer.status !== 200) fail(`status ${answer.status}`)
  }
}

describe.each([
  ['node', {}],
  ['uws', { engine: 'uws', http: { tls: {} } }],
])('engine %s', (_, websecure) => {
  beforeAll(async () => {
    authority = new TestAuthority()
    leaves = Array.from({ length: SWAPS + 1 }, () => authority.issue('swap.example'))
    certFile = `${authority.folder}/current.pem`
    keyFile = `${authority.folder}/current.key`
    install(leaves[0]!)
    scene = await startTlsScene(
      (origin) => ({
        http: {
          routers: routers({ all: ['Host(`swap.example`)', {}] }),
          services: service(origin),
        },
        tls: { certificates: [{ certFile, keyFile }] },
      }),
      { workers: 2, websecure },
    )
  }, 60_000)
  afterAll(async () => {
    await scene.stop()
    authority.remove()
  })

  test(`${SWAPS} swaps under handshakes: none fails, and each new serial is seen`, async () => {
    const serials = leaves.map((leaf) => serialOf(leaf))
    const seen = new Set<string>()
    const faults: string[] = []
    const state = { handshakes: 0, running: true, seen, faults }
    const held = await shake(scene.secure, trusting())
    const loops = Array.from({ length: CLIENTS }, () => knock(scene.secure, state))
    for (const [i, leaf] of leaves.entries()) {
      install(leaf)
      await expect.poll(() => seen.has(serials[i]!), { timeout: SEEN_WITHIN_MS }).toBe(true)
    }
    state.running = false
    await Promise.all(loops)
    expect(faults).toEqual([])
    expect(state.handshakes).toBeGreaterThan(SWAPS * CLIENTS)
    // A connection that was made before all of them goes on.
    expect((await ask(held.socket, 'swap.example')).status).toBe(200)
  }, 120_000)

  test('a broken certificate is refused, and the one before it stays', async () => {
    const before = await shake(scene.secure, trusting())
    before.socket.destroy()
    writeFileSync(certFile + '.next', 'no certificate')
    renameSync(certFile + '.next', certFile)
    await scene.gateway.untilStderr('current.pem')
    const after = await shake(scene.secure, trusting())
    expect(after.serial).toBe(before.serial)
    expect((await ask(after.socket, 'swap.example')).status).toBe(200)
    install(leaves[0]!)
    await expect
      .poll(async () => {
        const now = await shake(scene.secure, trusting())
        now.socket.destroy()
        return now.serial
      })
      .toBe(serialOf(leaves[0]!))
    expect((await get(scene.secure, 'swap.example', trusting())).status).toBe(200)
  })
})

function serialOf({ certPem }: Issued): string {
  return new X509Certificate(certPem).serialNumber
}
