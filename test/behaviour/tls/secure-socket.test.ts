// test/behaviour/tls/secure-socket.test.ts: an encrypted Socket keeps the promises of a clear one, in both directions.

import net from 'node:net'
import tls from 'node:tls'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  type ClientSecurity,
  type SavedSession,
  type SecureSocket,
  type ServerSecurity,
  alpnWire,
  secureClient,
  secureServer,
} from '../../../workers/secure-socket.ts'
import { dialTcp } from '../../../workers/dial-socket.ts'
import { type Handle, Socket } from '../../../workers/socket.ts'
import { type Issued, TestAuthority } from '../../support/certificates.ts'
import { Recorder } from '../../support/recorder.ts'

let authority: TestAuthority
let leaf: Issued
let other: Issued
const closers: (() => void)[] = []

beforeAll(() => {
  authority = new TestAuthority()
  leaf = authority.issue('a.example')
  other = authority.issue('b.example', { names: ['b.example', 'URI:spiffe://mesh/b'] })
})
afterAll(() => authority.remove())
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

interface Accepted {
  readonly socket: SecureSocket
  readonly code: number
  readonly reason: string
  readonly recorder: Recorder | null
}

interface Served {
  readonly port: number
  accepted(): Promise<Accepted>
}

function security(more: Partial<ServerSecurity> = {}, context: tls.SecureContextOptions = {}) {
  return {
    context: tls.createSecureContext({ cert: leaf.certPem, key: leaf.keyPem, ...context }),
    alpn: null,
    clientAuth: 'NoClientCert',
    ocsp: null,
    timeoutMs: 5000,
    ...more,
  } satisfies ServerSecurity
}

async function serve(options: ServerSecurity): Promise<Served> {
  const waiting: ((accepted: Accepted) => void)[] = []
  const ready: Accepted[] = []
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const listening = (server as unknown as { _handle: { onconnection: unknown } })._handle
  listening.onconnection = (_fault: number, handle: Handle): void => {
    secureServer(new Socket(handle, null), null, options, (socket, code, reason) => {
      const recorder = code === 0 ? new Recorder(socket) : null
      const accepted = { socket, code, reason, recorder }
      const waiter = waiting.shift()
      if (waiter === undefined) ready.push(accepted)
      else waiter(accepted)
    })
  }
  closers.push(() => server.close())
  return {
    port: (server.address() as net.AddressInfo).port,
    accepted: () =>
      new Promise((resolve) => {
        const next = ready.shift()
        if (next === undefined) waiting.push(resolve)
        else resolve(next)
      }),
  }
}

function connect(port: number, options: tls.ConnectionOptions = {}): tls.TLSSocket {
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    ca: authority.root.certPem,
    servername: 'a.example',
    ...options,
  })
  socket.on('error', () => undefined)
  closers.push(() => socket.destroy())
  return socket
}

function clientSecurity(more: Partial<ClientSecurity> = {}, ca = authority.root.certPem) {
  return {
    context: tls.createSecureContext({ ca }),
    serverName: 'a.example',
    identity: {
      host: 'a.example',
      insecure: false,
      sans: [],
      spiffeIds: [],
      spiffeTrustDomain: '',
      trustDomains: null,
    },
    alpn: null,
    session: null,
    onSession: null,
    timeoutMs: 5000,
    ...more,
  } satisfies ClientSecurity
}

function dial(port: number, options: ClientSecurity): Promise<Accepted> {
  return new Promise((resolve) => {
    const nobody = { onBytes() {}, onEnd() {}, onGone() {}, onWritable() {} }
    dialTcp(nobody, '127.0.0.1', port, (raw, fault) => {
      expect(fault).toBe(0)
      secureClient(raw, options, (socket, code, reason) => {
        const recorder = code === 0 ? new Recorder(socket) : null
        if (code === 0) closers.push(() => socket.close())
        resolve({ socket, code, reason, recorder })
      })
    })
  })
}

function originOf(certificate: Issued, more: tls.TlsOptions = {}): Promise<number> {
  const server = tls.createServer({ cert: certificate.certPem, key: certificate.keyPem, ...more })
  server.on('secureConnection', (socket) => {
    socket.on('error', () => undefined)
    socket.pipe(socket)
  })
  server.on('tlsClientError', () => undefined)
  closers.push(() => server.close())
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as net.AddressInfo).port)),
  )
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`bytes pass both ways after a ${version} handshake`, async () => {
    const served = await serve(security({ alpn: alpnWire(['h2', 'http/1.1']) }))
    const client = connect(served.port, { maxVersion: version, ALPNProtocols: ['http/1.1'] })
    client.write('hello')
    const { socket, recorder } = await served.accepted()
    await recorder!.until(() => recorder!.received === 'hello')
    expect(socket.version).toBe(version)
    expect(socket.alpn).toBe('http/1.1')
    expect(socket.cipher).toMatch(/^TLS_/)
    const answer = new Promise((resolve) => client.once('data', (data) => resolve(String(data))))
    expect(socket.writeText('answer')).toBe(true)
    expect(await answer).toBe('answer')
    socket.close()
  })

  test(`close ends a ${version} connection with close_notify and loses nothing`, async () => {
    const served = await serve(security())
    const client = connect(served.port, { maxVersion: version })
    const { socket } = await served.accepted()
    let got = ''
    client.on('data', (data) => (got += String(data)))
    const ended = new Promise((resolve) => client.once('end', resolve))
    for (let i = 0; i < 100; i++) socket.writeText(`line ${i}\n`)
    socket.end()
    await ended
    expect(got.split('\n')).toHaveLength(101)
    socket.close()
  })
}

test('many writes in one turn arrive in order, whatever their kind', async () => {
  const served = await serve(security())
  const client = connect(served.port)
  const { socket, recorder } = await served.accepted()
  const parts: string[] = []
  for (let i = 0; i < 200; i++) {
    const text = `${i};`.repeat(1 + (i % 50))
    parts.push(text)
    if (i % 3 === 0) socket.writeText(text)
    else if (i % 3 === 1) socket.writeBytes(Buffer.from(text))
    else socket.writeParts(text.slice(0, 1), Buffer.from(text.slice(1, 2)), text.slice(2))
  }
  const expected = parts.join('')
  let got = ''
  await new Promise<void>((resolve) =>
    client.on('data', (data) => {
      got += String(data)
      if (got.length === expected.length) resolve()
    }),
  )
  expect(got).toBe(expected)
  await recorder!.until(() => recorder!.writable > 0)
  expect(socket.held).toBe(0)
  socket.close()
})

test('close right after several writes of one turn loses none of them', async () => {
  const served = await serve(security())
  for (let i = 0; i < 20; i++) {
    const client = connect(served.port)
    const { socket } = await served.accepted()
    let got = ''
    client.on('data', (data) => (got += String(data)))
    const ended = new Promise((resolve) => client.once('end', resolve))
    for (let line = 0; line < 5; line++) socket.writeText(`line ${line};`)
    socket.close()
    await ended
    expect(got).toBe('line 0;line 1;line 2;line 3;line 4;')
  }
})

test('close does not wait for a client that does not read', async () => {
  const served = await serve(security())
  const client = connect(served.port)
  client.pause()
  const { socket } = await served.accepted()
  const piece = Buffer.alloc(256 * 1024, 7)
  while (socket.heldBytes < 8 * 1024 * 1024) {
    socket.writeBytes(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
  const closed = new Promise((resolve) => client.once('close', resolve))
  socket.close()
  client.resume()
  await closed
})

test('a slow reader holds the writer, and is told when there is room', async () => {
  const served = await serve(security())
  const client = connect(served.port)
  client.pause()
  const { socket, recorder } = await served.accepted()
  const piece = Buffer.alloc(256 * 1024, 7)
  let sent = 0
  while (sent < 64 * 1024 * 1024 && socket.heldBytes < 4 * 1024 * 1024) {
    socket.writeBytes(piece)
    sent += piece.length
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(socket.held).toBeGreaterThan(0)
  expect(recorder!.writable).toBeLessThan(sent / piece.length)
  let got = 0
  client.on('data', (data: Buffer) => (got += data.length))
  client.resume()
  await recorder!.until(() => socket.held === 0)
  socket.end()
  await new Promise((resolve) => client.once('end', resolve))
  expect(got).toBe(sent)
  expect(socket.heldBytes).toBe(0)
  socket.close()
})

test('what was read before a pause waits for resume, and the end behind it', async () => {
  const served = await serve(security())
  const client = connect(served.port)
  const { socket, recorder } = await served.accepted()
  let calls = 0
  const onBytes = recorder!.onBytes.bind(recorder!)
  recorder!.onBytes = (bytes, length) => {
    calls++
    socket.pause()
    onBytes(bytes, length)
  }
  const body = Buffer.alloc(300_000, 'abcdefghij')
  client.end(body)
  await recorder!.until(() => calls === 1)
  const early = recorder!.received.length
  await new Promise((resolve) => setTimeout(resolve, 20)) // nothing may come: the assertion is on what did
  expect(recorder!.received.length).toBe(early)
  expect(recorder!.ended).toBe(false)
  while (!recorder!.ended) {
    socket.resume()
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(recorder!.received).toBe(body.latin1Slice())
  expect(calls).toBeGreaterThan(5)
  socket.close()
})

test('a client that says no TLS, or leaves in the middle, fails the handshake alone', async () => {
  const served = await serve(security())
  const raw = net.connect(served.port, '127.0.0.1')
  raw.on('error', () => undefined)
  raw.write('GET / HTTP/1.1\r\n\r\n')
  const first = await served.accepted()
  expect(first.code).toBeGreaterThan(0)
  expect(first.reason).toBe('ERR_SSL_HTTP_REQUEST')
  const gone = net.connect(served.port, '127.0.0.1', () => {
    gone.write(Buffer.from('160301', 'hex'))
    gone.end()
  })
  gone.on('error', () => undefined)
  expect((await served.accepted()).reason).toBe('EOF')
  const client = connect(served.port)
  await new Promise((resolve) => client.once('secureConnect', resolve))
  ;(await served.accepted()).socket.close()
})

test('a handshake that takes too long is ended', async () => {
  const served = await serve(security({ timeoutMs: 50 }))
  const raw = net.connect(served.port, '127.0.0.1')
  raw.on('error', () => undefined)
  const { reason } = await served.accepted()
  expect(reason).toBe('TIMEOUT')
  raw.destroy()
})

test('a server is verified by chain and name before a byte is sent', async () => {
  const port = await originOf(leaf)
  const good = await dial(port, clientSecurity())
  good.socket.writeText('ping')
  await good.recorder!.until(() => good.recorder!.received === 'ping')
  const identity = clientSecurity().identity
  const wrongName = await dial(
    port,
    clientSecurity({ identity: { ...identity, host: 'x.example' } }),
  )
  expect(wrongName.reason).toBe('HOST_MISMATCH')
  const wrongRoot = await dial(port, clientSecurity({}, other.certPem))
  expect(wrongRoot.reason).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE')
  const insecure = { ...identity, insecure: true }
  const trusting = await dial(port, clientSecurity({ identity: insecure }, other.certPem))
  expect(trusting.code).toBe(0)
})

test('a server shows one of the expected names, or a SPIFFE id', async () => {
  const port = await originOf(other)
  const identity = { ...clientSecurity().identity, host: '' }
  const named = async (more: Partial<ClientSecurity['identity']>): Promise<string> =>
    (await dial(port, clientSecurity({ identity: { ...identity, ...more } }))).reason
  expect(await named({ sans: [{ type: 'dns', value: 'b.example' }] })).toBe('')
  expect(await named({ sans: [{ type: 'dns', value: 'c.example' }] })).toBe('SAN_MISMATCH')
  expect(await named({ sans: [{ type: 'uri', value: 'spiffe://mesh/b' }] })).toBe('')
  expect(await named({ spiffeIds: ['spiffe://mesh/b'] })).toBe('')
  expect(await named({ spiffeIds: ['spiffe://mesh/c'] })).toBe('SPIFFE_MISMATCH')
  expect(await named({ spiffeTrustDomain: 'mesh' })).toBe('')
  expect(await named({ spiffeTrustDomain: 'mes' })).toBe('SPIFFE_MISMATCH')
})

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a ${maxVersion} session is resumed for the same identity and for no other`, async () => {
    const port = await originOf(leaf, { maxVersion })
    const sessions: SavedSession[] = []
    const options = clientSecurity({ onSession: (session) => sessions.push(session) })
    const first = await dial(port, options)
    first.socket.writeText('x')
    await first.recorder!.until(() => first.recorder!.received === 'x' && sessions.length > 0)
    const session = sessions[0]!
    const second = await dial(port, { ...options, session })
    expect([second.code, second.socket.resumed]).toEqual([0, true])
    const identity = { ...options.identity, host: 'x.example' }
    const third = await dial(port, { ...options, session, identity })
    expect(third.reason).toBe('HOST_MISMATCH')
    const expired = { ...session, notAfter: Date.now() - 1 }
    const fourth = await dial(port, { ...options, session: expired })
    expect([fourth.code, fourth.socket.resumed]).toEqual([0, false])
  })
}

test('a server that is not one fails the handshake', async () => {
  const plain = net.createServer((socket) => {
    socket.on('error', () => undefined)
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  })
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
  closers.push(() => plain.close())
  const { code, reason } = await dial((plain.address() as net.AddressInfo).port, clientSecurity())
  expect(code).toBeGreaterThan(0)
  expect(reason).toMatch(/^ERR_SSL_/)
})

// The kernel refuses such a write within the call, and Node then tells its end before the call returns.
test('a write to a peer that has just reset ends the socket, after the call', async () => {
  const served = await serve(security())
  const raw = net.connect(served.port, '127.0.0.1')
  raw.on('error', () => undefined)
  const client = connect(served.port, { socket: raw })
  const { socket, recorder } = await served.accepted()
  client.on('data', () => undefined)
  socket.writeText('hello')
  await new Promise((resolve) => client.once('data', resolve))
  socket.pause() // the reset is met by the write, not by a read
  raw.resetAndDestroy()
  socket.writeText('a')
  socket.writeText('b')
  expect(socket.closed).toBe(false)
  await recorder!.until(() => recorder!.gone !== '')
  expect(socket.closed).toBe(true)
})
