// test/support/tls-scene.ts: a gateway that serves HTTPS, a server behind it that tells what it was asked, and clients.

import { execFile } from 'node:child_process'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import type { Issued } from './certificates.ts'
import { type Gateway, type GatewayOptions, type Keys, freePorts, startGateway } from './gateway.ts'

export interface TlsScene {
  readonly gateway: Gateway
  readonly secure: number // port of entry point "websecure"
  readonly origin: string // its URL
  stop(): Promise<void>
}

// `routes` gets the URL of a server that answers with the head of its request as JSON.
export async function startTlsScene(
  routes: (origin: string) => Keys,
  options: GatewayOptions & { readonly websecure?: Keys } = {},
): Promise<TlsScene> {
  const server = http.createServer((request, response) => {
    request.resume()
    response.end(JSON.stringify({ url: request.url, ...request.headers }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const [secure = 0] = await freePorts(1)
  const gateway = await startGateway({
    ...options,
    entryPoints: {
      websecure: { address: `127.0.0.1:${secure}`, ...options.websecure },
      ...options.entryPoints,
    },
    routes: routes(origin),
  })
  const stop = async (): Promise<void> => {
    server.close()
    server.closeAllConnections()
    await gateway.stop()
  }
  return { gateway, secure, origin, stop }
}

export const files = ({ certFile, keyFile }: Issued): Keys => ({ certFile, keyFile })

export const service = (origin: string): Keys => ({
  origin: { loadBalancer: { servers: [{ url: origin }] } },
})

// Routers on websecure: name -> [rule, tls].
export function routers(given: Readonly<Record<string, readonly [string, Keys]>>): Keys {
  return Object.fromEntries(
    Object.entries(given).map(([name, [rule, tlsKeys]]) => [
      name,
      { rule, entryPoints: ['websecure'], service: 'origin', tls: tlsKeys },
    ]),
  )
}

export interface Handshake {
  readonly socket: tls.TLSSocket
  readonly serial: string
  readonly subject: string
  readonly protocol: string
  readonly cipher: string
}

// Fails with the reason when the handshake does, or when the gateway leaves before it was asked anything: in TLS 1.3
// a client is told only afterwards that its certificate will not do.
export function shake(port: number, options: tls.ConnectionOptions = {}): Promise<Handshake> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      servername: 'a.example',
      ...options,
    })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed')))
    socket.once('secureConnect', () => {
      const certificate = socket.getPeerCertificate()
      resolve({
        socket,
        serial: certificate.serialNumber ?? '',
        subject: certificate.subject === undefined ? '' : String(certificate.subject.CN),
        protocol: socket.getProtocol() ?? '',
        cipher: socket.getCipher().name,
      })
    })
  })
}

export interface Answer {
  readonly status: number
  readonly body: string
}

// One HTTP/1.1 request on an open connection, which is closed afterwards.
export function ask(socket: tls.TLSSocket | net.Socket, host: string, path = '/'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.on('data', (bytes: Buffer) => (text += bytes.latin1Slice()))
    socket.once('error', reject)
    socket.once('close', () => {
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0)
      if (status === 0) reject(new Error(`no answer but ${JSON.stringify(text)}`))
      else resolve({ status, body: text.slice(text.indexOf('\r\n\r\n') + 4) })
    })
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  })
}

export async function get(
  port: number,
  host: string,
  options: tls.ConnectionOptions = {},
): Promise<Answer> {
  const { socket } = await shake(port, { servername: host, ...options })
  return ask(socket, host)
}

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export function run(
  command: string,
  args: readonly string[],
  input: string | null = null,
): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(command, args, { timeout: 50_000 }, (fault, stdout, stderr) => {
      resolve({ code: fault === null ? 0 : Number(fault.code ?? -1), stdout, stderr })
    })
    if (input === null) child.stdin!.end()
    else child.stdin!.end(input)
  })
}

// curl to `host`, which resolves to the loopback; the body and then the status on a line of its own.
export function curl(port: number, host: string, args: readonly string[] = []): Promise<Ran> {
  const resolve = `${host}:${port}:127.0.0.1`
  const format = '\n%{http_code} %{http_version}'
  const fixed = ['-sS', '-k', '--max-time', '15', '--resolve', resolve, '-w', format]
  return run('curl', [...fixed, ...args, `https://${host}:${port}/`])
}

// Forwards to `port` and cuts what the client sends into segments of `size` bytes, each sent by itself.
export async function startSlicer(
  port: number,
  size: number,
): Promise<{ readonly port: number; stop(): void }> {
  const server = net.createServer((client) => {
    const upstream = net.connect(port, '127.0.0.1')
    upstream.setNoDelay(true)
    let chain = Promise.resolve()
    client.on('data', (bytes: Buffer) => {
      for (let at = 0; at < bytes.length; at += size) {
        const piece = bytes.subarray(at, at + size)
        chain = chain.then(() => sendAlone(upstream, piece))
      }
    })
    client.on('end', () => void chain.then(() => upstream.end()))
    upstream.pipe(client)
    for (const socket of [client, upstream]) {
      socket.on('error', () => undefined)
      socket.on('close', () => {
        client.destroy()
        upstream.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, stop: () => void server.close() }
}

function sendAlone(socket: net.Socket, piece: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve()
    else socket.write(piece, () => setImmediate(resolve))
  })
}

// Like a slicer, but cuts the first record of the client, its hello, into records of `size` bytes.
export async function startReframer(
  port: number,
  size: number,
): Promise<{ readonly port: number; stop(): void }> {
  const server = net.createServer((client) => {
    const upstream = net.connect(port, '127.0.0.1')
    client.once('data', (bytes: Buffer) => {
      const length = bytes.readUInt16BE(3)
      upstream.write(Buffer.concat([...recordsOf(bytes, length, size), bytes.subarray(5 + length)]))
      client.pipe(upstream)
    })
    upstream.pipe(client)
    for (const socket of [client, upstream]) {
      socket.on('error', () => undefined)
      socket.on('close', () => {
        client.destroy()
        upstream.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, stop: () => void server.close() }
}

function recordsOf(bytes: Buffer, length: number, size: number): Buffer[] {
  const records: Buffer[] = []
  for (let at = 5; at < 5 + length; at += size) {
    const piece = bytes.subarray(at, Math.min(at + size, 5 + length))
    records.push(Buffer.concat([bytes.subarray(0, 3), Buffer.of(0, 0), piece]))
    records.at(-1)!.writeUInt16BE(piece.length, 3)
  }
  return records
}
