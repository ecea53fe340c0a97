// A gateway with `ocsp: {}`: it asks the responder that a certificate names and staples the answer to handshakes.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePorts } from '../../support/gateway.ts'
import { routers, service, startTlsScene } from '../../support/tls-scene.ts'
import { eventually } from '../../support/wait.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-staple-'))
let responder: ChildProcess | null = null
let port = 0

function openssl(words: string): void {
  execFileSync('openssl', words.split(' '), { cwd: folder, stdio: 'pipe' })
}

function isAnswering(): boolean {
  try {
    openssl(`ocsp -issuer ca.pem -cert leaf.pem -CAfile ca.pem -url http://127.0.0.1:${port}`)
    return true
  } catch {
    return false
  }
}

beforeAll(async () => {
  ;[port = 0] = await freePorts(1)
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
  openssl(`req -x509 ${key} -keyout ca.key -subj /CN=ca -days 30 -out ca.pem`)
  openssl(`req ${key} -keyout leaf.key -subj /CN=a.example -out leaf.csr`)
  const extensions = `authorityInfoAccess=OCSP;URI:http://127.0.0.1:${port}\nsubjectAltName=DNS:a.example`
  writeFileSync(join(folder, 'ext'), extensions)
  openssl(
    'x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -set_serial 0xA1 -days 30 -extfile ext -out leaf.pem',
  )
  const chain = ['leaf.pem', 'ca.pem'].map((name) => readFileSync(join(folder, name), 'utf8'))
  writeFileSync(join(folder, 'chain.pem'), chain.join(''))
  writeFileSync(join(folder, 'index.txt'), 'V\t401231235959Z\t\tA1\tunknown\t/CN=a.example\n')
  const words = `ocsp -index index.txt -port ${port} -rsigner ca.pem -rkey ca.key -CA ca.pem -nmin 10`
  responder = spawn('openssl', words.split(' '), { cwd: folder, stdio: 'ignore' })
  await eventually('the responder to answer', isAnswering)
})

afterAll(() => {
  responder?.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

function stapleAt(secure: number): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const options: tls.ConnectionOptions & tls.TLSSocketOptions = {
      port: secure,
      host: '127.0.0.1',
      servername: 'a.example',
      requestOCSP: true,
      rejectUnauthorized: false,
    }
    const socket = tls.connect(options)
    let staple: Buffer | null = null
    socket.on('OCSPResponse', (answer: Buffer) => (staple = answer))
    socket.on('error', reject)
    socket.on('secureConnect', () => {
      socket.destroy()
      resolve(staple !== null && staple.length > 0 ? staple : null)
    })
  })
}

test('The answer of the responder is stapled as soon as it is there', async () => {
  const file = { certFile: join(folder, 'chain.pem'), keyFile: join(folder, 'leaf.key') }
  const scene = await startTlsScene(
    (origin) => ({
      http: { routers: routers({ a: ['Host(`a.example`)', {}] }), services: service(origin) },
      tls: { certificates: [file] },
    }),
    { static: { ocsp: {} } },
  )
  try {
    await eventually('a stapled answer', async () => (await stapleAt(scene.secure)) !== null)
    const staple = await stapleAt(scene.secure)
    writeFileSync(join(folder, 'staple.der'), staple!)
    const words = 'ocsp -respin staple.der -issuer ca.pem -cert leaf.pem -CAfile ca.pem'
    const said = execFileSync('openssl', words.split(' '), { cwd: folder, stdio: 'pipe' })
    expect(said.toString()).toContain('leaf.pem: good')
  } finally {
    await scene.stop()
  }
})
