// gRPC through the gateway: a server of @grpc/grpc-js behind it, in clear text and by TLS; in front a client of
// @grpc/grpc-js, and one that speaks HTTP/1.1, to see what trailers become there.

import * as grpc from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestAuthority } from '../../support/certificates.ts'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { EchoClient, type EchoServer, startEchoServer } from '../../support/grpc.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'

interface Echo extends grpc.Client {
  Unary(
    message: Buffer,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    done: (fault: grpc.ServiceError | null, answer?: Buffer) => void,
  ): grpc.ClientUnaryCall
  Download(message: Buffer): grpc.ClientReadableStream<Buffer>
  Upload(
    done: (fault: grpc.ServiceError | null, answer?: Buffer) => void,
  ): grpc.ClientWritableStream<Buffer>
  Chat(): grpc.ClientDuplexStream<Buffer, Buffer>
}

let authority: TestAuthority
let gateway: Gateway
const servers = new Map<string, EchoServer>()
const clients: grpc.Client[] = []

beforeAll(async () => {
  authority = new TestAuthority()
  const { certPem, keyPem } = authority.issue('s', { names: ['IP:127.0.0.1'] })
  servers.set('clear', await startEchoServer())
  const pair = { cert_chain: Buffer.from(certPem), private_key: Buffer.from(keyPem) }
  servers.set('tls', await startEchoServer(grpc.ServerCredentials.createSsl(null, [pair])))
  const routers: Record<string, Keys> = {}
  const services: Record<string, Keys> = {}
  for (const [name, { port }] of servers) {
    const url = `${name === 'tls' ? 'https' : 'h2c'}://127.0.0.1:${port}`
    routers[name] = { rule: `Host(\`${name}.test\`)`, entryPoints: ['web'], service: name }
    services[name] = { loadBalancer: { serversTransport: 'grpc', servers: [{ url }] } }
  }
  const serversTransports = { grpc: { rootCAs: [authority.root.certFile] } }
  gateway = await startGateway({ routes: { http: { routers, services, serversTransports } } })
})

afterAll(async () => {
  for (const client of clients) client.close()
  await gateway.stop()
  for (const server of servers.values()) server.stop()
  authority.remove()
})

function open(name: string): Echo {
  const client = new EchoClient(`127.0.0.1:${gateway.port}`, grpc.credentials.createInsecure(), {
    'grpc.default_authority': `${name}.test`,
    'grpc.max_receive_message_length': -1,
  }) as unknown as Echo
  clients.push(client)
  return client
}

interface Told {
  readonly fault: grpc.ServiceError | null
  readonly answer: string
  readonly status: grpc.StatusObject
}

function unary(client: Echo, text: string, options: grpc.CallOptions = {}): Promise<Told> {
  return new Promise((resolve) => {
    let answered: Omit<Told, 'status'> | null = null
    let status: grpc.StatusObject | null = null
    const look = () => {
      if (answered !== null && status !== null) resolve({ ...answered, status })
    }
    const call = client.Unary(Buffer.from(text), new grpc.Metadata(), options, (fault, answer) => {
      answered = { fault, answer: answer?.toString() ?? '' }
      look()
    })
    call.on('status', (got) => {
      status = got
      look()
    })
  })
}

describe.each(['clear', 'tls'])('a server in %s', (name) => {
  test('a unary call brings its answer and its trailers', async () => {
    const { answer, status } = await unary(open(name), 'hello')
    expect(answer).toBe('hello')
    expect(status.code).toBe(grpc.status.OK)
    expect(status.metadata.get('x-trailer')).toEqual(['at the end'])
  })

  test('a message of 3 MiB passes both ways', async () => {
    const text = 'x'.repeat(3 * 1024 * 1024)
    expect((await unary(open(name), text)).answer.length).toBe(text.length)
  })

  test('a failure without a message (trailers only) keeps code, details and metadata', async () => {
    const { fault } = await unary(open(name), 'fail')
    expect([fault?.code, fault?.details]).toEqual([grpc.status.NOT_FOUND, 'no such thing: 50 %'])
    expect(fault?.metadata.get('x-trailer')).toEqual(['at the end'])
  })

  test('a deadline reaches the server, and ends the call on both sides', async () => {
    const server = servers.get(name)!
    server.cancelled.length = 0
    const { fault } = await unary(open(name), 'hang', { deadline: Date.now() + 2000 })
    expect(fault?.code).toBe(grpc.status.DEADLINE_EXCEEDED)
    expect(Number(server.deadlines.at(-1))).toBeLessThan(Date.now() + 2000)
    await eventually('the call to be cancelled', () =>
      Promise.resolve(server.cancelled.includes('Unary')),
    )
  })

  test('a server streams 1,000 messages', async () => {
    const got: string[] = []
    const call = open(name).Download(Buffer.from('1000'))
    call.on('data', (message: Buffer) => got.push(message.toString()))
    await new Promise((resolve, reject) => call.on('end', resolve).on('error', reject))
    expect(got).toEqual(Array.from({ length: 1000 }, (_, i) => `message ${i}`))
  })

  test('a client streams 1,000 messages', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const call = open(name).Upload((fault, got) =>
        fault === null ? resolve(String(got)) : reject(fault),
      )
      for (let i = 0; i < 1000; i++) call.write(Buffer.alloc(100, 'x'))
      call.end()
    })
    expect(answer).toBe('1000 100000')
  })

  test('both sides stream at the same time, message by message', async () => {
    const call = open(name).Chat()
    const got: string[] = []
    const ended = new Promise((resolve, reject) => call.on('end', resolve).on('error', reject))
    call.on('data', (message: Buffer) => {
      got.push(message.toString())
      if (got.length < 50) call.write(Buffer.from(String(got.length)))
      else call.end()
    })
    call.write(Buffer.from('0'))
    await ended
    expect(got).toEqual(Array.from({ length: 50 }, (_, i) => `re: ${i}`))
  })

  test('a client that cancels is told of to the server', async () => {
    const server = servers.get(name)!
    server.cancelled.length = 0
    const call = open(name).Chat()
    call.on('error', () => {})
    await new Promise((resolve) => {
      call.once('data', resolve)
      call.write(Buffer.from('x'))
    })
    call.cancel()
    await eventually('the call to be cancelled', () =>
      Promise.resolve(server.cancelled.includes('Chat')),
    )
  })

  test('over HTTP/1.1 the status of a call is in the trailers of a chunked body', async () => {
    const client = await connectRaw(gateway.port)
    const message = Buffer.from('\0\0\0\0\x02hi', 'latin1').toString('latin1')
    client.send(
      `POST /test.Echo/Unary HTTP/1.1\r\nHost: ${name}.test\r\nTE: trailers\r\n` +
        'Content-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n' +
        `7\r\n${message}\r\n0\r\n\r\n`,
    )
    const answer = await client.readResponse()
    expect([answer.status, answer.body]).toEqual([200, message])
    expect(answer.trailers).toContain('grpc-status: 0')
    client.destroy()
  })
})

test('a call to no server at all is UNAVAILABLE', async () => {
  servers.get('clear')!.stop()
  const { fault } = await unary(open('clear'), 'hello')
  expect(fault?.code).toBe(grpc.status.UNAVAILABLE)
})
