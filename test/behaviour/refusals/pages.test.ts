// Refusals of the gateway in the form that the client asks for: both engines, HTTP/2, and what stays text.

import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Gateway, freePorts, startGateway } from '../../support/gateway.ts'
import { type H2Client, connectH2, headers, requestFields } from '../../support/h2-client.ts'
import { type RawClient, type Response, connectRaw } from '../../support/raw-client.ts'

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
const HTML = 'text/html; charset=utf-8'
const TEXT = 'text/plain; charset=utf-8'

const clients: (RawClient | H2Client)[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy()
})

async function routes(): Promise<Record<string, unknown>> {
  const [closed = 0] = await freePorts(1)
  const router = (name: string, service: string, middlewares: string[] = []) => ({
    rule: `Path(\`/${name}\`)`,
    entryPoints: ['web', 'plain'],
    service,
    middlewares,
  })
  return {
    http: {
      routers: {
        down: router('down', 'down'),
        none: router('none', 'none'),
        login: router('login', 'down', ['login']),
        full: router('full', 'down', ['full']),
        far: router('far', 'down', ['far']),
        lost: router('lost', 'down', ['lost']),
        work: router('work', 'down', ['work']),
        shown: router('shown', 'down', ['shown']),
      },
      middlewares: {
        login: { basicAuth: { users: ['ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g='] } },
        full: { inFlightReq: { amount: 0 } },
        far: { ipAllowList: { sourceRange: ['192.0.2.0/24'], rejectStatusCode: 404 } },
        lost: { errors: { status: ['502'], statusRewrites: { '502': 500 }, service: 'down' } },
        work: { maintenance: { message: 'Back <soon>' } },
        shown: {
          headers: { customResponseHeaders: { 'Content-Security-Policy': "default-src 'self'" } },
        },
      },
      services: {
        down: { loadBalancer: { servers: [{ url: `http://127.0.0.1:${closed}` }] } },
        none: { loadBalancer: { servers: [] } },
      },
    },
  }
}

async function ask(
  port: number,
  method: string,
  path: string,
  lines: readonly string[] = [],
): Promise<Response> {
  const client = await connectRaw(port)
  clients.push(client)
  client.send([`${method} ${path} HTTP/1.1`, 'Host: a.test', ...lines, '', ''].join('\r\n'))
  return client.readResponse(method === 'HEAD')
}

describe.each(['node', 'uws'] as const)('by engine %s', (engine) => {
  let gateway: Gateway
  let plain = 0

  beforeAll(async () => {
    const [port = 0] = await freePorts(1)
    plain = port
    const entryPoint = { address: `127.0.0.1:${plain}`, engine, http: { errorPages: false } }
    gateway = await startGateway({
      engine,
      routes: await routes(),
      entryPoints: { plain: entryPoint },
    })
  })

  afterAll(() => gateway.stop())

  const get = (path: string, ...lines: string[]) => ask(gateway.port, 'GET', path, lines)

  test.each([
    ['/nowhere', 404, 'NO_ROUTER', 'There is nothing at this address.'],
    ['/down', 502, 'UPSTREAM_REFUSED', 'The service gave no usable answer.'],
    ['/none', 503, 'NO_SERVER', 'The service is not available for the moment. Try again later.'],
    ['/login', 401, 'UNAUTHORIZED', 'The request brings no valid credentials.'],
    ['/full', 429, 'IN_FLIGHT', 'Too many requests of this source are in flight.'],
    ['/far', 404, 'REFUSED_ADDRESS', 'The client address is not in the sourceRange.'],
  ])('%s is %i %s in every form', async (path, status, code, detail) => {
    const page = await get(path, `Accept: ${BROWSER}`)
    expect([page.status, page.headers.get('content-type')]).toEqual([status, HTML])
    expect(page.body).toMatch(/^<!doctype html>/)
    for (const text of [String(status), code, detail]) expect(page.body).toContain(text)
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
    for (const type of ['application/json', 'application/problem+json']) {
      const problem = await get(path, `Accept: ${type}`)
      expect([problem.status, problem.headers.get('content-type')]).toEqual([status, type])
      const told = { type: 'about:blank', title: problem.reason, status, detail, code }
      expect(JSON.parse(problem.body)).toEqual(told)
      expect(problem.headers.has('content-security-policy')).toBe(false)
    }
    const text = await get(path)
    const words = code === 'NO_ROUTER' ? '404 page not found\n' : `${text.reason} (${code})\n`
    expect([text.headers.get('content-type'), text.body]).toEqual([TEXT, words])
    for (const { headers: had } of [page, text]) {
      expect(had.get('vary')).toBe('Accept')
      expect(had.get('www-authenticate') ?? '').toBe(status === 401 ? 'Basic realm="traefik"' : '')
      expect(had.get('retry-after')).toBe(code === 'NO_SERVER' ? '1' : undefined)
    }
  })

  test.each([
    ['anything', 'Accept: */*'],
    ['nothing of ours', 'Accept: image/png'],
    ['something malformed', 'Accept: text/html;q=oops'],
    ['something too long', `Accept: text/html${',x/y'.repeat(200)}`],
    ['no form, but gRPC', `Accept: ${BROWSER}\r\nContent-Type: application/grpc`],
    [
      'a WebSocket',
      `Accept: ${BROWSER}\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==`,
    ],
  ])('who asks for %s gets text', async (_what, line) => {
    const { status, body } = await get('/nowhere', line)
    expect([status, body]).toEqual([404, '404 page not found\n'])
  })

  test('HEAD learns the length and gets no body', async () => {
    const accept = `Accept: ${BROWSER}`
    const page = await get('/nowhere', accept)
    const head = await ask(gateway.port, 'HEAD', '/nowhere', [accept])
    expect([head.status, head.body]).toEqual([404, ''])
    for (const name of ['content-type', 'content-length', 'vary', 'content-security-policy'])
      expect(head.headers.get(name)).toBe(page.headers.get(name))
  })

  test('a head that is not understood is answered with text', async () => {
    const { status, headers: had, body } = await get('/', 'Accept: text/html', 'Host: b.test')
    expect([status, had.has('vary')]).toEqual([400, false])
    expect(body).not.toContain('<')
  })

  test('an entry point may have text only', async () => {
    for (const accept of [BROWSER, 'application/json']) {
      const { status, headers: had, body } = await ask(plain, 'GET', '/down', [`Accept: ${accept}`])
      expect([status, body]).toEqual([502, 'Bad Gateway (UPSTREAM_REFUSED)\n'])
      expect([had.get('content-type'), had.has('vary')]).toEqual([TEXT, false])
    }
  })

  test('maintenance chooses in the same way, with a page for whoever does not ask', async () => {
    const types = async (...lines: string[]) =>
      (await get('/work', ...lines)).headers.get('content-type')
    expect(await types()).toBe(HTML)
    expect(await types(`Accept: ${BROWSER}`)).toBe(HTML)
    expect(await types('Accept: application/json')).toBe('application/json')
    expect(await types('Accept: text/html;q=0.1, application/problem+json')).toBe(
      'application/problem+json',
    )
    const page = await get('/work')
    expect(page.body).toContain('Back &#60;soon&#62;')
    expect([page.status, page.headers.get('vary')]).toEqual([503, 'Accept'])
  })

  test('a page of the errors middleware that can not be had is told with the status that is sent', async () => {
    const { status, body } = await get('/lost', 'Accept: application/json')
    expect([status, JSON.parse(body)]).toMatchObject([
      500,
      { status: 500, title: 'Internal Server Error', code: 'UPSTREAM_REFUSED' },
    ])
  })

  test('response phases of the route have the last word about headers', async () => {
    const { headers: had } = await get('/shown', `Accept: ${BROWSER}`)
    expect(had.get('content-security-policy')).toBe("default-src 'self'")
  })
})

describe('over HTTP/2', () => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await startGateway({ routes: await routes() })
  })
  afterAll(() => gateway.stop())

  test.each([
    [BROWSER, HTML, /^<!doctype html>.*NO_ROUTER/],
    ['application/problem+json', 'application/problem+json', /"code":"NO_ROUTER"/],
    ['*/*', TEXT, /^404 page not found\n$/],
  ])('%s gets %s', async (accept, type, body) => {
    const client = await connectH2(gateway.port)
    clients.push(client)
    client.send(headers(1, requestFields('GET', '/nowhere', [['accept', accept]])))
    client.send(headers(3, requestFields('HEAD', '/nowhere', [['accept', accept]])))
    const answer = await client.answer(1)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([404, type])
    expect(answer.headers.get('vary')).toBe('Accept')
    expect(answer.body).toMatch(body)
    expect((await client.answer(3)).body).toBe('')
  })

  test.skipIf(!hasCurl())('curl gets what it asks for (skipped without curl)', async () => {
    const curl = async (...flags: string[]): Promise<string> => {
      const url = `http://127.0.0.1:${gateway.port}/nowhere`
      return (await promisify(execFile)('curl', ['-sS', '--http2-prior-knowledge', ...flags, url]))
        .stdout
    }
    expect(await curl()).toBe('404 page not found\n')
    expect(await curl('-H', 'Accept: text/html')).toMatch(/^<!doctype html>/)
    expect(JSON.parse(await curl('-H', 'Accept: application/json'))).toMatchObject({ status: 404 })
  })
})

function hasCurl(): boolean {
  try {
    return execFileSync('curl', ['--version']).toString().includes('HTTP2')
  } catch {
    return false
  }
}
