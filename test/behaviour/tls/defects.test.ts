// A defect while somebody shakes hands (CVE-2026-21637 was a callback that threw) ends that connection alone.
//
// We have no callbacks for SNI, ALPN or PSK: the hello is read before OpenSSL begins. What runs while it does is
// the choice of a context, and who is told of the end of the handshake and of sessions: each throws here once.

import net from 'node:net'
import tls from 'node:tls'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { emptyGeneration } from '../../../config/generation.ts'
import { Listener } from '../../../workers/downstream/node/listener.ts'
import { EntryPoint } from '../../../workers/entry-point.ts'
import { install } from '../../../workers/pipeline.ts'
import { secureClient, secureServer } from '../../../workers/secure-socket.ts'
import { dialTcp } from '../../../workers/dial-socket.ts'
import { type Handle, Socket, onDefect } from '../../../workers/socket.ts'
import { firstTicketKeys } from '../../../workers/tls/ticket-keys.ts'
import { type Issued, TestAuthority, certificatePlan } from '../../support/certificates.ts'
import { freePorts } from '../../support/gateway.ts'
import { adopt, generationOf, newContext } from '../../support/live.ts'
import { Recorder } from '../../support/recorder.ts'
import { shake } from '../../support/tls-scene.ts'
import { eventually } from '../../support/wait.ts'

let authority: TestAuthority
let good: Issued
let other: Issued
const defects: unknown[] = []
const closing: (() => unknown)[] = []

beforeAll(() => {
  authority = new TestAuthority()
  good = authority.issue('good.example')
  other = authority.issue('bad.example')
  onDefect((defect) => defects.push(defect))
})
afterEach(async () => {
  defects.length = 0
  for (const close of closing.splice(0)) await close()
})
afterAll(() => authority.remove())

test('a pair that OpenSSL does not take fails the handshakes for its name, and no others', async () => {
  const broken = { ...certificatePlan(other), keyPem: good.keyPem } // the supervisor lets none such pass
  const whole = certificatePlan(good)
  const routers = { all: { rule: 'PathPrefix(`/`)', service: 'noop@internal', tls: {} } }
  const generation = {
    ...generationOf({ http: { routers } }, 1),
    tlsCertificates: new Map([broken, whole].map((plan) => [plan.name, plan])),
  }
  const context = newContext()
  context.tls.use({ generated: good, ticketKeys: firstTicketKeys() })
  install(context)
  adopt(context, emptyGeneration(), generation)
  const [port = 0] = await freePorts(1)
  const point = { ...context.plan.entryPoints[0]!, host: '127.0.0.1', port }
  const listener = new Listener(new EntryPoint(point, 0, context))
  await listener.listen()
  closing.push(() => listener.close())
  for (let i = 0; i < 3; i++) {
    await expect(shake(port, { servername: 'bad.example' })).rejects.toThrow()
    const { socket, subject } = await shake(port, { servername: 'good.example' })
    expect(subject).toBe('good.example')
    socket.destroy()
  }
  expect(defects.map(String).join()).toMatch(/key values mismatch/)
})

async function listen(onHandle: (handle: Handle) => void): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const listening = (server as unknown as { _handle: { onconnection: unknown } })._handle
  listening.onconnection = (_fault: number, handle: Handle): void => onHandle(handle)
  closing.push(() => server.close())
  return (server.address() as net.AddressInfo).port
}

test('whoever is told of a handshake and throws loses that connection, and is told of the next', async () => {
  let told = 0
  const security = {
    context: tls.createSecureContext({ cert: good.certPem, key: good.keyPem }),
    alpn: null,
    clientAuth: 'NoClientCert',
    ocsp: null,
    timeoutMs: 5000,
  } as const
  const port = await listen((handle) =>
    secureServer(new Socket(handle, null), null, security, (socket) => {
      const recorder = new Recorder(socket)
      if (++told === 1) throw new Error('told at the wrong time')
      expect(recorder.ended).toBe(false)
      closing.push(() => socket.close())
    }),
  )
  const first = await shake(port, { servername: 'good.example' }).catch(() => null)
  if (first !== null) await new Promise((resolve) => first.socket.once('close', resolve))
  const { socket } = await shake(port, { servername: 'good.example' })
  await eventually('the second to be told of', () => told === 2)
  expect(defects.map(String)).toEqual(['Error: told at the wrong time'])
  socket.destroy()
})

test('whoever is told of a session and throws loses nothing but that session', async () => {
  const server = tls.createServer({ cert: good.certPem, key: good.keyPem }, (socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => server.close())
  const identity = { host: 'good.example', insecure: false, sans: [], spiffeIds: [] }
  const security = {
    context: tls.createSecureContext({ ca: authority.root.certPem }),
    serverName: 'good.example',
    identity: { ...identity, spiffeTrustDomain: '', trustDomains: null },
    alpn: null,
    session: null,
    onSession: () => {
      throw new Error('no room for sessions')
    },
    timeoutMs: 5000,
  }
  const recorder = await new Promise<Recorder>((resolve, reject) => {
    const { port } = server.address() as net.AddressInfo
    dialTcp(null, '127.0.0.1', port, (clear) => {
      secureClient(clear, security, (socket, code, reason) => {
        if (code !== 0) return reject(new Error(reason))
        const owner = new Recorder(socket)
        socket.writeText('hello')
        closing.push(() => socket.close())
        resolve(owner)
      })
    })
  })
  await recorder.until(() => recorder.received === 'hello')
  await eventually('the session to have come', () => defects.length > 0)
  expect(String(defects[0])).toBe('Error: no room for sessions')
})
