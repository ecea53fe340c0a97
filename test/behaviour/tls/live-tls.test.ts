// test/behaviour/tls/live-tls.test.ts: what a worker keeps over generations, and what it must not: contexts, ticket
// keys, staples.

import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CertificatePlan } from '../../../config/protocol-plans.ts'
import { type SecureSocket, secureServer } from '../../../workers/secure-socket.ts'
import { type Handle, Socket } from '../../../workers/socket.ts'
import { LiveTls, type TlsPlans, defaultOptions } from '../../../workers/tls/live-tls.ts'
import { policyOf } from '../../../workers/tls/policy.ts'
import { TlsState } from '../../../workers/tls/state.ts'
import { firstTicketKeys, rotated } from '../../../workers/tls/ticket-keys.ts'
import { Exchange } from '../../../core/exchange.ts'
import type { ClientHello } from '../../../core/tls/client-hello.ts'
import { type Issued, TestAuthority, certificatePlan } from '../../support/certificates.ts'
import { run, shake } from '../../support/tls-scene.ts'

let authority: TestAuthority
let one: Issued
let two: Issued

beforeAll(() => {
  authority = new TestAuthority()
  one = authority.issue('one', { names: ['one.example', 'IP:192.0.2.7'] })
  two = authority.issue('two', { names: ['two.example'] })
})
afterAll(() => authority.remove())

const byName = <Plan extends { readonly name: string }>(
  ...plans: readonly Plan[]
): ReadonlyMap<string, Plan> => new Map(plans.map((plan) => [plan.name, plan]))

const hello = (serverName: string, more: Partial<ClientHello> = {}): ClientHello => ({
  serverName,
  alpn: [],
  versions: [0x0304],
  ecdsaScheme: true,
  ecdsaSuite: true,
  ...more,
})

function plans(more: Partial<TlsPlans> = {}): TlsPlans {
  return {
    tlsCertificates: byName(certificatePlan(one), certificatePlan(two)),
    tlsOptions: byName(defaultOptions),
    tlsHosts: new Map(),
    tlsDefaults: new Map(),
    ...more,
  }
}

test('a context is shared over generations as long as certificate and options are the same', () => {
  const state = new TlsState()
  const context = (given: TlsPlans, name: string) =>
    new LiveTls(given, state).securityFor(given.tlsOptions.get('default')!, hello(name), '', null)!
      .context
  const first = context(plans(), 'one.example')
  expect(context(plans(), 'one.example')).toBe(first)
  const other = { ...defaultOptions, minVersion: 'TLSv1.3' } as const
  expect(context(plans({ tlsOptions: byName(other) }), 'one.example')).not.toBe(first)
  expect(context(plans(), 'two.example')).not.toBe(first)
  expect(state.contexts.size).toBe(3)
})

test('contexts are bounded: the oldest is made again when it is wanted', () => {
  const { contexts } = new TlsState()
  const certificate = certificatePlan(one)
  const first = contexts.of(defaultOptions, certificate)
  for (let i = 0; i < 4100; i++) contexts.of({ ...defaultOptions, alpn: [String(i)] }, certificate)
  expect(contexts.size).toBe(4096)
  expect(contexts.of(defaultOptions, certificate)).not.toBe(first)
}, 60_000)

test('a client that names nobody gets the certificate of the address that it dialled', () => {
  const live = new LiveTls(plans(), new TlsState())
  expect(live.securityFor(defaultOptions, hello(''), '192.0.2.7', null)).not.toBeNull()
  expect(live.securityFor(defaultOptions, hello(''), '192.0.2.8', null)).toBeNull() // none was generated
})

test('plans that name what is not there refuse the generation', () => {
  const state = new TlsState()
  const host = { name: 'web a.example', entryPoint: 'web', host: 'a.example', options: 'gone' }
  expect(() => new LiveTls(plans({ tlsHosts: byName(host) }), state)).toThrow(/gone/)
  const missing = { name: 'default', certificate: 'gone' }
  expect(() => new LiveTls(plans({ tlsDefaults: byName(missing) }), state)).toThrow(/gone/)
})

test('options of different names that ask for the same are the same, and others are not', () => {
  const strict = { ...defaultOptions, name: 'strict', minVersion: 'TLSv1.3' } as const
  const twin = { ...defaultOptions, name: 'twin' }
  const live = new LiveTls(
    plans({
      tlsOptions: byName(defaultOptions, strict, twin),
      tlsHosts: byName(
        { name: 'web *.s.example', entryPoint: 'web', host: '*.s.example', options: 'strict' },
        { name: 'web twin.example', entryPoint: 'web', host: 'twin.example', options: 'twin' },
      ),
    }),
    new TlsState(),
  )
  const exchange = new Exchange()
  exchange.entryPoint = 'web'
  exchange.tls = {
    version: '',
    cipher: '',
    sni: '',
    alpn: '',
    options: 'default',
    policy: policyOf(defaultOptions),
    resumed: false,
    client: null,
  }
  const at = (host: string, router = ''): boolean => {
    exchange.host = host
    return live.isMisdirected(exchange, router)
  }
  expect(at('plain.example')).toBe(false)
  expect(at('a.s.example')).toBe(true)
  expect(at('twin.example')).toBe(false)
  expect(at('')).toBe(false)
  expect(at('plain.example', 'twin')).toBe(false)
  expect(at('plain.example', 'strict')).toBe(true)
  expect(at('plain.example', 'gone')).toBe(true)
  exchange.entryPoint = 'other'
  expect(at('a.s.example')).toBe(false)
})

// A server of one certificate that answers nothing.
async function serve(
  state: TlsState,
  certificate: CertificatePlan,
): Promise<{ port: number; stop(): void }> {
  const live = new LiveTls(plans({ tlsCertificates: byName(certificate) }), state)
  const security = live.securityFor(defaultOptions, hello('one.example'), '', null)!
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { _handle } = server as unknown as { _handle: { onconnection: unknown } }
  const open = new Set<SecureSocket>()
  _handle.onconnection = (_fault: number, handle: Handle): void => {
    secureServer(new Socket(handle, null), null, security, (socket, code) => {
      if (code !== 0) return
      open.add(socket)
      socket.owner = {
        onBytes: () => void socket.writeText('answer'),
        onEnd: () => socket.close(),
        onGone: () => undefined,
        onWritable: () => undefined,
      }
      socket.resume()
    })
  }
  const stop = (): void => {
    for (const socket of open) socket.close()
    server.close()
  }
  return { port: (server.address() as net.AddressInfo).port, stop }
}

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a ${maxVersion} ticket outlives one rotation of the keys, renewed, and not two`, async () => {
    const state = new TlsState()
    let keys = firstTicketKeys()
    const turn = (): void => {
      keys = rotated(keys)
      state.use({ generated: null, ticketKeys: keys })
    }
    turn()
    const { port, stop } = await serve(state, certificatePlan(one))
    const meet = async (session?: Buffer): Promise<{ resumed: boolean; session: Buffer }> => {
      const options: tls.ConnectionOptions = { maxVersion, servername: 'one.example' }
      const made = await shake(port, session === undefined ? options : { ...options, session })
      const sessions: Buffer[] = [made.socket.getSession()!]
      made.socket.on('session', (given: Buffer) => sessions.push(given))
      const answered = once(made.socket, 'data')
      made.socket.write('question')
      await answered
      const resumed = made.socket.isSessionReused()
      made.socket.destroy()
      return { resumed, session: sessions.at(-1)! }
    }
    const first = await meet()
    expect(first.resumed).toBe(false)
    expect((await meet(first.session)).resumed).toBe(true)
    turn()
    const second = await meet(first.session)
    expect(second.resumed).toBe(true)
    turn()
    expect((await meet(first.session)).resumed).toBe(false)
    expect((await meet(second.session)).resumed).toBe(true) // that one was made with the newer key
    stop()
  })
}

test('tickets of the same keys never have the same initialisation vector', async () => {
  const { port, stop } = await serve(new TlsState(), certificatePlan(one))
  const vectors = new Set<string>()
  for (let i = 0; i < 10; i++) {
    const { socket } = await shake(port, { maxVersion: 'TLSv1.2', servername: 'one.example' })
    vectors.add(socket.getTLSTicket()!.subarray(16, 32).toString('hex'))
    socket.destroy()
  }
  expect(vectors.size).toBe(10)
  stop()
})

test('a staple is shown to clients that ask for it', async () => {
  const answer = Buffer.from('300a0a0101', 'hex')
  const { port, stop } = await serve(new TlsState(), { ...certificatePlan(one), ocsp: answer })
  const staple = new Promise<Buffer>((resolve) => {
    const asking: tls.ConnectionOptions & tls.TLSSocketOptions = {
      port,
      host: '127.0.0.1',
      servername: 'one.example',
      rejectUnauthorized: false,
      requestOCSP: true,
    }
    const socket = tls.connect(asking)
    socket.on('error', () => undefined)
    socket.on('OCSPResponse', (given: Buffer) => {
      resolve(given)
      socket.destroy()
    })
  })
  expect(await staple).toEqual(answer)
  const { stdout } = await run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`], '')
  expect(stdout).toMatch(/^New, /m) // and one that does not ask is none the worse for it
  stop()
})
