// gRPC-Web as a browser speaks it, over HTTP/1.1 and HTTP/2, to a server of @grpc/grpc-js.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EchoServer, startEchoServer } from '../../support/grpc.ts'
import { type Gateway, startGateway } from '../../support/gateway.ts'
import {
  END_HEADERS,
  END_STREAM,
  type Fields,
  connectH2,
  data,
  headers,
  requestFields,
} from '../../support/h2-client.ts'
import { type Response, connectRaw } from '../../support/raw-client.ts'

let server: EchoServer
let gateway: Gateway

beforeAll(async () => {
  server = await startEchoServer()
  const middlewares = {
    web: { grpcWeb: { allowOrigins: ['https://app.example'] } },
    all: { grpcWeb: { allowOrigins: ['*'] } },
  }
  const router = (rule: string, name: string) => ({ rule, service: 'echo', middlewares: [name] })
  gateway = await startGateway({
    routes: {
      http: {
        routers: {
          web: router('PathPrefix(`/test.Echo/`)', 'web'),
          all: router('PathPrefix(`/test.Echo/`) && Header(`X-All`, `yes`)', 'all'),
        },
        middlewares,
        services: {
          echo: { loadBalancer: { servers: [{ url: `h2c://127.0.0.1:${server.port}` }] } },
        },
      },
    },
  })
})
afterAll(async () => {
  await gateway.stop()
  server.stop()
})

function message(text: string): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(text.length, 1)
  return Buffer.concat([head, Buffer.from(text)])
}

// The frames of a body: messages as text, trailers as "trailers: ...".
function framesOf(body: Buffer): string[] {
  const frames: string[] = []
  for (let at = 0; at < body.length;) {
    const length = body.readUInt32BE(at + 1)
    const text = body.toString('latin1', at + 5, at + 5 + length)
    frames.push(body[at] === 0x80 ? `trailers: ${text}` : text)
    at += 5 + length
  }
  return frames
}

// Base64 that may be padded between groups, as it came in pieces.
function unpadded(text: string): Buffer {
  return Buffer.concat((text.match(/.{4}/gs) ?? []).map((four) => Buffer.from(four, 'base64')))
}

async function call(
  method: string,
  type: string,
  body: Buffer | string,
  more = '',
): Promise<Response> {
  const client = await connectRaw(gateway.port)
  const length = Buffer.byteLength(body)
  const fields = `Content-Type: ${type}\r\nX-Grpc-Web: 1\r\nOrigin: https://app.example\r\n${more}`
  client.send(
    `POST /test.Echo/${method} HTTP/1.1\r\nHost: a.test\r\n${fields}Content-Length: ${length}\r\n\r\n`,
  )
  client.send(body)
  const response = await client.readResponse()
  client.destroy()
  return response
}

describe('over HTTP/1.1', () => {
  test('a unary call in binary has its trailers behind its message', async () => {
    const {
      status,
      headers: fields,
      body,
    } = await call('Unary', 'application/grpc-web+proto', message('hello'))
    expect([status, fields.get('content-type')]).toEqual([200, 'application/grpc-web+proto'])
    const [first, trailers] = framesOf(Buffer.from(body, 'latin1'))
    expect(first).toBe('hello')
    expect(trailers).toContain('grpc-status: 0\r\n')
    expect(trailers).toContain('x-trailer: at the end\r\n')
  })

  test('a unary call in text is base64 both ways, whatever pieces it comes in', async () => {
    const coded = message('he').toString('base64')
    const { headers: fields, body } = await call('Unary', 'application/grpc-web-text', coded)
    expect(fields.get('content-type')).toBe('application/grpc-web-text')
    const [first, trailers] = framesOf(unpadded(body))
    expect([first, trailers?.includes('grpc-status: 0\r\n')]).toEqual(['he', true])
  })

  test('a server streams messages, and then its trailers', async () => {
    const { body } = await call('Download', 'application/grpc-web', message('200'))
    const frames = framesOf(Buffer.from(body, 'latin1'))
    expect(frames.slice(0, 200)).toEqual(Array.from({ length: 200 }, (_, i) => `message ${i}`))
    expect(frames[200]).toContain('grpc-status: 0')
    const text = await call(
      'Download',
      'application/grpc-web-text+proto',
      message('200').toString('base64'),
    )
    expect(framesOf(unpadded(text.body)).length).toBe(201)
  })

  test('a failure without a message keeps its status where a page can read it', async () => {
    const { headers: fields, body } = await call('Unary', 'application/grpc-web', message('fail'))
    const told = fields.get('grpc-status') ?? framesOf(Buffer.from(body, 'latin1')).join()
    expect(told).toMatch(/^5$|grpc-status: 5/)
  })

  test('a body that is no base64 is refused, and the server never takes it for whole', async () => {
    const { status, body } = await call('Unary', 'application/grpc-web-text', 'AAAA*AAA')
    expect([status, body.includes('GRPC_WEB_BODY')]).toEqual([400, true])
    const cut = await call(
      'Unary',
      'application/grpc-web-text',
      message('hello').toString('base64').slice(0, -2),
    )
    expect(cut.status).toBe(400)
  })
})

test('over HTTP/2 it is the same', async () => {
  const client = await connectH2(gateway.port)
  const fields: Fields = [['content-type', 'application/grpc-web+proto']]
  client.send(headers(1, requestFields('POST', '/test.Echo/Unary', fields), END_HEADERS))
  client.send(data(1, message('two'), END_STREAM))
  const { body, trailers } = await client.answer(1)
  expect([framesOf(Buffer.from(body, 'latin1'))[0], trailers]).toEqual(['two', null])
  client.destroy()
})

describe('what browsers ask before', () => {
  async function ask(origin: string, more = ''): Promise<Response> {
    const client = await connectRaw(gateway.port)
    const fields = `Origin: ${origin}\r\nAccess-Control-Request-Method: POST\r\n`
    const wanted = 'Access-Control-Request-Headers: content-type,x-grpc-web,x-user-agent\r\n'
    client.send(
      `OPTIONS /test.Echo/Unary HTTP/1.1\r\nHost: a.test\r\n${fields}${wanted}${more}\r\n`,
    )
    const response = await client.readResponse()
    client.destroy()
    return response
  }

  test('pages of an allowed origin may call, with credentials; others may not', async () => {
    const allowed = await ask('https://app.example')
    expect(allowed.status).toBe(204)
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example')
    expect(allowed.headers.get('access-control-allow-credentials')).toBe('true')
    expect(allowed.headers.get('access-control-allow-headers')).toBe(
      'content-type,x-grpc-web,x-user-agent',
    )
    const other = await ask('https://evil.example')
    expect([other.status, other.headers.has('access-control-allow-origin')]).toEqual([204, false])
  })

  test('a star allows all, and nobody with credentials', async () => {
    const { headers: fields } = await ask('https://any.example', 'X-All: yes\r\n')
    expect(fields.get('access-control-allow-origin')).toBe('*')
    expect(fields.has('access-control-allow-credentials')).toBe(false)
  })
})
