// forwardAuth through a gateway: what the server that is asked sees, what becomes of its answers, and what when it fails.

import https from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestAuthority } from '../../support/certificates.ts'
import { type MiddlewareScene, startMiddlewareScene } from '../../support/middleware-scene.ts'
import { type ScriptedOrigin, startScriptedOrigin } from '../../support/origin.ts'
import { responseText } from '../../support/scene.ts'

let auth: ScriptedOrigin
let scene: MiddlewareScene
const asked: string[] = []

// Each path of the server that is asked has its answer.
function answerTo(head: string, body: string): string {
  const path = head.split(' ')[1]!
  if (path === '/deny') return responseText('go away', 'X-Why: no\r\nSet-Cookie: a=1\r\n', '403 No')
  if (path === '/login') return responseText('', 'Location: /sign-in?x=1\r\n', '302 Found')
  if (path === '/unauthorized') return responseText('who?', '', '401 Unauthorized')
  if (path === '/large') return responseText('x'.repeat(5000))
  const headers =
    'X-User: ann\r\nX-Auth-Role: admin\r\nX-Auth-Role: staff\r\nX-Other: no\r\n' +
    'Set-Cookie: session=new; Path=/\r\nSet-Cookie: other=1\r\n'
  return responseText(`passed with ${body.length}`, headers)
}

const authority = new TestAuthority()
const subjects: string[] = [] // of client certificates that the server with TLS was shown
let secure: https.Server

async function startSecure(): Promise<string> {
  const { certPem: cert, keyPem: key } = authority.issue('auth', { names: ['IP:127.0.0.1'] })
  const options = {
    cert,
    key,
    ca: authority.root.certPem,
    requestCert: true,
    rejectUnauthorized: false,
  }
  secure = https.createServer(options, (request, response) => {
    const { subject } = (request.socket as TLSSocket).getPeerCertificate()
    subjects.push(subject === undefined ? '' : String(subject.CN))
    response.end()
  })
  await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve))
  return `https://127.0.0.1:${(secure.address() as AddressInfo).port}/`
}

beforeAll(async () => {
  const address = await startSecure()
  const own = authority.issue('gateway.example')
  const ca = authority.root.certFile
  auth = await startScriptedOrigin(async (connection) => {
    for (;;) {
      const { head, body } = await connection.readRequest(60_000)
      if (head.startsWith('GET /silent')) continue
      if (head.startsWith('GET /broken')) return connection.destroy()
      asked.push(head + body)
      connection.send(answerTo(head, body))
    }
  })
  const to = (path: string, more = {}) => ({ forwardAuth: { address: auth.url + path, ...more } })
  scene = await startMiddlewareScene(
    {
      pass: to('/ok?a=b', {
        authResponseHeaders: ['X-User', 'X-Absent'],
        authResponseHeadersRegex: '^X-Auth-',
        addAuthCookiesToResponse: ['session'],
        headerField: 'X-User',
      }),
      narrow: to('/ok', { authRequestHeaders: ['X-Tenant'], preserveRequestMethod: true }),
      trusting: to('/ok', { trustForwardHeader: true }),
      body: to('/ok', { forwardBody: true, maxBodySize: 1000 }),
      deny: to('/deny'),
      login: to('/login'),
      'kept-login': to('/login', { preserveLocationHeader: true }),
      signin: to('/unauthorized', { authSigninURL: 'https://login.example/?rd=shop' }),
      large: to('/large', { maxResponseBodySize: 100 }),
      silent: to('/silent', { timeout: '200ms' }),
      broken: to('/broken'),
      'tls-ca': { forwardAuth: { address, tls: { ca, cert: own.certFile, key: own.keyFile } } },
      'tls-none': { forwardAuth: { address } },
      'tls-skip': { forwardAuth: { address, tls: { insecureSkipVerify: true } } },
      nobody: { forwardAuth: { address: 'http://127.0.0.1:1/' } },
    },
    {
      web: { forwardedHeaders: { insecure: true } },
      reply: ({ head, body }) =>
        responseText(head + body, 'Set-Cookie: session=old\r\nSet-Cookie: mine=1\r\n'),
    },
  )
})

afterAll(async () => {
  await scene.stop()
  expect(scene.gateway.stderr()).not.toContain('defect')
  await auth.stop()
  secure.closeAllConnections()
  secure.close()
  authority.remove()
})

const last = () => asked.at(-1)!

describe('the server that is asked', () => {
  test('sees the request without its body, and where it came from', async () => {
    const lines = ['Host: shop.example:81', 'Cookie: c=1', 'X-Forwarded-For: 203.0.113.9']
    await scene.ask('POST', '/pass/a%20b?x=1', lines, 'a body')
    expect(last()).toMatch(/^GET \/ok\?a=b HTTP\/1\.1\r\n/)
    for (const line of [
      'Cookie: c=1',
      'X-Forwarded-Method: POST',
      'X-Forwarded-Proto: http',
      'X-Forwarded-Host: shop.example:81',
      'X-Forwarded-Port: 81',
      'X-Forwarded-Uri: /pass/a%20b?x=1',
      'X-Forwarded-For: 127.0.0.1',
      'X-Real-Ip: 127.0.0.1',
    ]) {
      expect(last()).toContain(`\r\n${line}\r\n`)
    }
    expect(last()).not.toMatch(/content-length|transfer-encoding|203\.0\.113/i)
  })

  test('sees only the headers that it is to see, and the method when it is to', async () => {
    await scene.ask('DELETE', '/narrow', ['X-Tenant: t', 'X-Secret: s'])
    expect(last()).toMatch(/^DELETE \/ok HTTP/)
    expect(last()).toContain('\r\nX-Tenant: t\r\n')
    expect(last()).not.toMatch(/x-secret|x-real-ip/i)
  })

  test('is told what a trusted proxy has said, when that is trusted', async () => {
    const lines = ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Proto: https']
    await scene.ask('GET', '/trusting', [...lines, 'X-Forwarded-Uri: /before'])
    expect(last()).toContain('\r\nX-Forwarded-For: 203.0.113.9, 127.0.0.1\r\n')
    expect(last()).toContain('\r\nX-Forwarded-Proto: https\r\n')
    expect(last()).toContain('\r\nX-Forwarded-Uri: /before\r\n')
  })

  test('is told scheme and port of the connection when that is not trusted', async () => {
    await scene.ask('GET', '/pass', ['X-Forwarded-Proto: https', 'X-Forwarded-Port: 443'])
    expect(last()).toContain('\r\nX-Forwarded-Proto: http\r\n')
    expect(last()).toContain('\r\nX-Forwarded-Port: 80\r\n')
  })

  test('gets the body when it is to, and then the service gets it too', async () => {
    const { status, body } = await scene.ask('POST', '/body', [], 'b'.repeat(900))
    expect(status).toBe(200)
    expect(last()).toMatch(/\r\n\r\nb{900}$/)
    expect(body).toMatch(/\r\n\r\nb{900}$/)
    expect((await scene.ask('POST', '/body', [], 'b'.repeat(1001))).status).toBe(413)
    const client = await scene.connect()
    const chunk = `259\r\n${'c'.repeat(601)}\r\n`
    client.send(
      `POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}${chunk}0\r\n\r\n`,
    )
    expect((await client.readResponse()).status).toBe(413)
  })

  test('is asked over kept connections', async () => {
    const before = auth.connections.length
    for (let i = 0; i < 10; i++) await scene.ask('GET', '/pass')
    expect(auth.connections.length - before).toBeLessThanOrEqual(1)
  })
})

describe('an answer of 2xx', () => {
  test('lets the request pass with its headers, and nothing of the client under any spelling of them', async () => {
    const forged = ['X_User: root', 'x-user: root', 'X.Absent: root', 'X_Auth_Role: root']
    const { body, status } = await scene.ask('GET', '/pass', [...forged, 'X-Auth-More: root'])
    expect(status).toBe(200)
    expect(body).toContain('\r\nX-User: ann\r\n')
    expect(body).toContain('\r\nX-Auth-Role: admin\r\nX-Auth-Role: staff\r\n')
    expect(body).not.toMatch(/root|x-other/i)
  })

  test('sets its cookies in the response, in place of those of the server', async () => {
    const { lines } = await scene.ask('GET', '/pass')
    const cookies = lines.filter((line) => /^set-cookie/i.test(line))
    expect(cookies).toEqual(['Set-Cookie: mine=1', 'Set-Cookie: session=new; Path=/'])
  })
})

describe('any other answer', () => {
  test('is given to the client as it is, for requests with a body too', async () => {
    for (const [method, body] of [
      ['GET', ''],
      ['POST', 'x'.repeat(100_000)],
    ] as const) {
      const answer = await scene.ask(method, '/deny', [], body)
      expect([answer.status, answer.body]).toEqual([403, 'go away'])
      expect([answer.headers.get('x-why'), answer.headers.get('set-cookie')]).toEqual(['no', 'a=1'])
    }
  })

  test('may be a redirect, which the client follows', async () => {
    const absolute = await scene.ask('GET', '/login')
    expect([absolute.status, absolute.headers.get('location')]).toEqual([
      302,
      `${auth.url}/sign-in?x=1`,
    ])
    const kept = await scene.ask('GET', '/kept-login')
    expect(kept.headers.get('location')).toBe('/sign-in?x=1')
    const signIn = await scene.ask('GET', '/signin')
    expect([signIn.status, signIn.headers.get('location')]).toEqual([
      302,
      'https://login.example/?rd=shop',
    ])
  })
})

test.each([
  ['/silent', 500, 'AUTH_FAILED'],
  ['/broken', 500, 'AUTH_FAILED'],
  ['/nobody', 500, 'AUTH_FAILED'],
  ['/large', 401, 'UNAUTHORIZED'],
])('when no answer can be had, nothing passes: %s', async (path, status, code) => {
  const answer = await scene.ask('GET', path)
  expect(answer.status).toBe(status)
  expect(answer.body).toContain(code)
})

test('the server is verified by the authority that is given, and shown the certificate', async () => {
  const { status } = await scene.ask('GET', '/tls-ca')
  expect(status).toBe(200)
  expect(subjects.at(-1)).toBe('gateway.example')
  expect((await scene.ask('GET', '/tls-none')).status).toBe(500) // not signed by anybody that is known
  expect((await scene.ask('GET', '/tls-skip')).status).toBe(200)
  expect(subjects.at(-1)).toBe('') // no certificate was asked to be shown
})
