// Buffering: when a server is asked, what is too long, and what is sent again.

import { execFile } from 'node:child_process'
import http from 'node:http'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Gateway, startGateway } from '../../support/gateway.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'

const got: { url: string; length: string; body: string }[] = []
const open: http.ServerResponse[] = []
let asked = 0 // heads that have come
let origin: HttpOrigin
let gateway: Gateway
let client: RawClient

const answers: Readonly<Record<string, (response: http.ServerResponse, tries: number) => void>> = {
  '/ok': (response) => void response.end('ok'),
  '/long': (response) =>
    void response.writeHead(200, { 'Content-Length': 3000 }).end('x'.repeat(3000)),
  '/long-chunked': (response) => {
    response.write('x'.repeat(1500))
    response.end('x'.repeat(1500))
  },
  '/slow': (response) => {
    response.write('first ')
    open.push(response)
  },
  '/events': (response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: first\n\n')
    open.push(response)
  },
  '/third': (response, tries) => void response.writeHead(tries < 3 ? 503 : 200).end(`try ${tries}`),
}

beforeAll(async () => {
  origin = await startHttpOrigin((request, response) => {
    asked++
    let body = ''
    request.on('data', (bytes: Buffer) => (body += bytes.toString()))
    request.on('end', () => {
      const { url = '', headers } = request
      got.push({
        url,
        length: headers['content-length'] ?? headers['transfer-encoding'] ?? '',
        body,
      })
      answers[url]!(response, got.length)
    })
  })
  const router = (host: string) => {
    return {
      rule: `Host(\`${host}.test\`)`,
      entryPoints: ['web'],
      service: 'origin',
      middlewares: [host],
    }
  }
  const middlewares = {
    plain: { buffering: {} },
    limited: { buffering: { maxRequestBodyBytes: 1000, maxResponseBodyBytes: 1000 } },
    spilling: {
      buffering: {
        memRequestBodyBytes: 100,
        maxRequestBodyBytes: 1000,
        memResponseBodyBytes: 100,
        maxResponseBodyBytes: 2000,
      },
    },
    again: { buffering: { retryExpression: 'ResponseCode() == 503 && Attempts() < 3' } },
  }
  gateway = await startGateway({
    static: { buffering: { diskBytesMax: 0 } }, // what memory does not hold streams; buffering-files.test.ts has the others
    routes: {
      http: {
        routers: Object.fromEntries(Object.keys(middlewares).map((name) => [name, router(name)])),
        middlewares,
        services: { origin: { loadBalancer: { servers: [{ url: origin.url }] } } },
      },
    },
  })
})

afterAll(async () => {
  await gateway?.stop()
  await origin?.stop()
})

beforeEach(async () => {
  got.length = 0
  asked = 0
  client = await connectRaw(gateway.port)
})

afterEach(() => {
  client.destroy()
  for (const response of open.splice(0)) response.destroy()
})

function head(host: string, path: string, ...headers: string[]): string {
  return [`POST ${path} HTTP/1.1`, `Host: ${host}.test`, ...headers, '', ''].join('\r\n')
}

const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`
const CHUNKED = 'Transfer-Encoding: chunked'

describe('a request body', () => {
  test('is here whole before the server is asked', async () => {
    client.send(head('plain', '/ok', 'Content-Length: 10') + 'hello')
    await gateway.admin('/ping') // the worker has had its turn
    expect(asked).toBe(0)
    client.send('12345')
    expect((await client.readResponse()).body).toBe('ok')
    expect(got).toEqual([{ url: '/ok', length: '10', body: 'hello12345' }])
  })

  test('of unknown length too, and its end decides', async () => {
    client.send(head('plain', '/ok', CHUNKED) + chunk('hello'))
    await gateway.admin('/ping')
    expect(asked).toBe(0)
    client.send(chunk('12345') + '0\r\n\r\n')
    expect((await client.readResponse()).body).toBe('ok')
    expect(got[0]!.body).toBe('hello12345')
  })

  test.each([
    ['limited', 'Content-Length: 1001', ''],
    ['limited', CHUNKED, chunk('x'.repeat(600)) + chunk('x'.repeat(600))],
    ['spilling', 'Content-Length: 1001', ''],
    ['spilling', CHUNKED, chunk('x'.repeat(1200))],
  ])('that is too long is answered 413 (%s, %s)', async (host, framing, body) => {
    client.send(head(host, '/ok', framing) + body)
    const response = await client.readResponse()
    expect(response.status).toBe(413)
    expect(response.body).toContain('BODY_TOO_LARGE')
    expect(got).toEqual([])
  })

  test('that is longer than the memory streams from there on, whole and in order', async () => {
    const parts = ['a'.repeat(60), 'b'.repeat(60), 'c'.repeat(700), 'd'.repeat(150)]
    client.send(head('spilling', '/ok', CHUNKED) + chunk(parts[0]!))
    await gateway.admin('/ping')
    expect(asked).toBe(0)
    client.send(chunk(parts[1]!))
    await eventually('the server to be asked', () => asked === 1)
    client.send(chunk(parts[2]!) + chunk(parts[3]!) + '0\r\n\r\n')
    expect((await client.readResponse()).body).toBe('ok')
    expect(got[0]!.body).toBe(parts.join(''))
  })

  test('may cross the bound and end in one write, and another request follows', async () => {
    const body = 'z'.repeat(500)
    client.send(
      head('spilling', '/ok', CHUNKED) +
        chunk(body) +
        '0\r\n\r\n' +
        head('plain', '/ok', 'Content-Length: 2') +
        'hi',
    )
    expect((await client.readResponse()).body).toBe('ok')
    expect((await client.readResponse()).body).toBe('ok')
    expect(got.map((one) => one.body)).toEqual([body, 'hi'])
  })

  test('streams from HTTP/2 clients as well', async () => {
    const url = `http://127.0.0.1:${gateway.port}/ok`
    const arguments_ = [
      '-s',
      '--http2-prior-knowledge',
      '-H',
      'Host: spilling.test',
      '-T',
      '-',
      url,
    ]
    const curl = execFile('curl', arguments_)
    const body = 'h2'.repeat(450)
    let shown = ''
    curl.stdout!.on('data', (text: string) => (shown += text))
    curl.stdin!.end(body)
    await eventually('the answer', () => shown === 'ok')
    expect(got[0]!.body).toBe(body)
  })

  test('of a client that leaves is asked of nobody', async () => {
    client.send(head('plain', '/ok', 'Content-Length: 10') + 'hello')
    client.destroy()
    const other = await connectRaw(gateway.port)
    other.send(head('plain', '/ok', 'Content-Length: 0'))
    await other.readResponse()
    expect(got).toEqual([{ url: '/ok', length: '0', body: '' }])
    other.destroy()
  })
})

describe('a response body', () => {
  const empty = 'Content-Length: 0'

  test('is here whole before the client gets its head, with its length', async () => {
    client.send(head('plain', '/slow', empty))
    await eventually('the server to have answered', () => open.length === 1)
    await gateway.admin('/ping')
    expect(client.received).toBe('')
    open[0]!.end('second')
    const response = await client.readResponse()
    expect(response.body).toBe('first second')
    expect(response.headers.get('content-length')).toBe('12')
  })

  test.each(['/long', '/long-chunked'])('that is too long becomes 500 (%s)', async (path) => {
    client.send(head('limited', path, empty))
    const response = await client.readResponse()
    expect(response.status).toBe(500)
    expect(response.body).toContain('RESPONSE_BODY_TOO_LARGE')
  })

  test('that turns out too long when its head is out is cut, not ended', async () => {
    client.send(head('spilling', '/slow', empty))
    await eventually('the server to have answered', () => open.length === 1)
    open[0]!.write('x'.repeat(500))
    await client.untilText('x'.repeat(500))
    open[0]!.end('x'.repeat(3000))
    await client.untilEnded()
    expect(client.received.endsWith('0\r\n\r\n')).toBe(false)
  })

  test('of events is not waited for', async () => {
    client.send(head('plain', '/events', empty))
    await client.untilText('data: first')
  })
})

describe('retryExpression', () => {
  test('repeats what is idempotent while it is true', async () => {
    const put = head('again', '/third', 'Content-Length: 4').replace('POST', 'PUT')
    client.send(put + 'body')
    const response = await client.readResponse()
    expect([response.status, response.body]).toEqual([200, 'try 3'])
    expect(got.map(({ body }) => body)).toEqual(['body', 'body', 'body'])
  })

  test('never repeats what a server has acted on and is not idempotent', async () => {
    client.send(head('again', '/third', 'Content-Length: 4') + 'body')
    expect((await client.readResponse()).status).toBe(503)
    expect(got.length).toBe(1)
  })
})
