// Bodies that two middlewares of a chain want: limits hold for what another one has collected, and what one lets go on the
// next one collects.

import { once } from 'node:events'
import { type IncomingHttpHeaders, connect } from 'node:http2'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type MiddlewareScene, startMiddlewareScene } from '../../support/middleware-scene.ts'
import { type ScriptedOrigin, startScriptedOrigin } from '../../support/origin.ts'
import type { RawClient, Response } from '../../support/raw-client.ts'
import { responseText } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

let auth: ScriptedOrigin
let scene: MiddlewareScene
const asked: string[] = [] // bodies that the server of forwardAuth has got
const whole = 'AAAAAAAAAABBBBBBBBBBCCCCCCCCCC'
const pieces = [whole.slice(0, 10), whole.slice(10, 20), whole.slice(20)]

const replacements = [{ literal: 'B', replacement: 'b' }]
const rewrite = (maxBytes: number) => ({
  bodyRewrite: {
    requests: { replacements, contentTypes: ['text/plain'], maxBytes, whenTooLong: 'pass' },
  },
})
const middlewares = {
  large: { buffering: { maxRequestBodyBytes: 1_000_000 } },
  limit: { buffering: { maxRequestBodyBytes: 12 } },
  streams: { buffering: { disableRequestBuffer: true, maxRequestBodyBytes: 1_000_000 } },
  streams12: { buffering: { disableRequestBuffer: true, maxRequestBodyBytes: 12 } },
  again: { retry: { attempts: 2 } },
  rewrites: rewrite(1_000),
  rewrites8: rewrite(8),
  one: { inFlightReq: { amount: 1 } },
}
const lists = {
  'large-limit': ['large', 'limit'],
  'auth-limit': ['auth', 'limit'],
  'rewrites-limit': ['rewrites', 'limit'],
  'again-limit': ['again', 'limit'],
  'again-limit-auth': ['again', 'limit', 'auth'],
  'limit-large': ['limit', 'large'],
  'large-large': ['large', 'large'],
}

beforeAll(async () => {
  auth = await startScriptedOrigin(async (connection) => {
    for (;;) {
      asked.push((await connection.readRequest(60_000)).body)
      connection.send(responseText('ok'))
    }
  })
})

afterAll(() => auth?.stop())
beforeEach(() => void (asked.length = 0))

async function startScene(routes: Record<string, string[]>): Promise<void> {
  const forwardAuth = { address: `${auth.url}/auth`, forwardBody: true }
  const all = {
    ...middlewares,
    auth: { forwardAuth },
    auth9: { forwardAuth: { ...forwardAuth, maxBodySize: 9 } },
  }
  scene = await startMiddlewareScene(all, { lists: routes })
}

const headOf = (path: string, framing: string): string =>
  `POST /${path} HTTP/1.1\r\nHost: a.test\r\nContent-Type: text/plain\r\n${framing}\r\n\r\n`
const CHUNKED = 'Transfer-Encoding: chunked'
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`

// Each in a read of its own, where the machine lets it.
async function sendApart(client: RawClient, texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    client.send(text)
    await scene.gateway.admin('/ping')
  }
}

async function inChunks(path: string): Promise<Response> {
  const client = await scene.connect()
  await sendApart(client, [headOf(path, CHUNKED), ...pieces.map(chunk), '0\r\n\r\n'])
  return client.readResponse(false)
}

async function inOnePacket(path: string): Promise<Response> {
  const client = await scene.connect()
  client.send(headOf(path, CHUNKED) + pieces.map(chunk).join('') + '0\r\n\r\n')
  return client.readResponse(false)
}

// Without a length, as HTTP/2 allows.
async function overHttp2(path: string): Promise<{ status: number; body: string }> {
  const session = connect(`http://127.0.0.1:${scene.gateway.port}`)
  try {
    const headers = { ':method': 'POST', ':path': `/${path}`, 'content-type': 'text/plain' }
    const stream = session.request(headers)
    for (const piece of pieces) stream.write(piece)
    stream.end()
    const [head] = (await once(stream, 'response')) as [IncomingHttpHeaders]
    let body = ''
    for await (const bytes of stream) body += String(bytes)
    return { status: Number(head[':status']), body }
  } finally {
    session.destroy()
  }
}

describe('maxRequestBodyBytes of buffering', () => {
  beforeAll(() => startScene(lists))
  afterAll(() => scene?.stop())

  test.each([
    ['large-limit', 413],
    ['auth-limit', 413],
    ['rewrites-limit', 413],
    ['again-limit', 413],
    ['again-limit-auth', 413],
    ['limit-large', 413],
    ['large-large', 200],
  ])('holds for what another middleware keeps: %s answers %i', async (path, status) => {
    expect((await inChunks(path)).status).toBe(status)
    const declared = headOf(path, `Content-Length: ${whole.length}`) + whole
    const client = await scene.connect()
    client.send(declared)
    expect((await client.readResponse(false)).status).toBe(status)
  })
})

// The first one finds the body too long for itself and lets it go on; the client is paused, and nothing has been sent yet.
describe('a body that was let go on', () => {
  beforeAll(() =>
    startScene({
      'streams-auth': ['streams', 'auth'],
      'rewrites8-auth': ['rewrites8', 'auth'],
      'streams-rewrites': ['streams', 'rewrites'],
      'streams-rewrites8-auth': ['streams', 'rewrites8', 'auth'],
      'streams12-auth': ['streams12', 'auth'],
      'rewrites8-auth9': ['rewrites8', 'auth9'],
      'one-rewrites8-auth': ['one', 'rewrites8', 'auth'],
    }),
  )
  afterAll(() => scene?.stop())

  test.each(['streams-auth', 'rewrites8-auth', 'streams-rewrites8-auth'])(
    'is collected whole by forwardAuth: %s',
    async (path) => {
      for (const send of [inChunks, inOnePacket, overHttp2]) {
        const { status, body } = await send(path)
        expect([status, body.includes(pieces[2]!)]).toEqual([200, true])
        expect(asked.splice(0)).toEqual([whole])
      }
    },
  )

  test('is collected whole by bodyRewrite, if it is not too long for that', async () => {
    for (const send of [inChunks, inOnePacket, overHttp2]) {
      const { status, body } = await send('streams-rewrites')
      expect([status, body.includes(whole.replaceAll('B', 'b'))]).toEqual([200, true])
    }
  })

  test.each(['streams12-auth', 'rewrites8-auth9'])('is refused when too long: %s', async (path) => {
    for (const send of [inChunks, inOnePacket, overHttp2])
      expect((await send(path)).status).toBe(413)
    expect(asked).toEqual([])
  })

  test('gives its place back when the client leaves before its end', async () => {
    const client = await scene.connect()
    await sendApart(client, [headOf('one-rewrites8-auth', CHUNKED), chunk(pieces[0]!)])
    await eventually('it holds the place', async () => {
      return (await scene.ask('GET', '/one-rewrites8-auth')).status === 429
    })
    client.destroy()
    await eventually('its place is free', async () => {
      return (await scene.ask('GET', '/one-rewrites8-auth')).status === 200
    })
  })
})
