// Bodies that two middlewares of a chain want: limits hold for what another one has collected.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type MiddlewareScene, startMiddlewareScene } from '../../support/middleware-scene.ts'
import { type ScriptedOrigin, startScriptedOrigin } from '../../support/origin.ts'
import type { RawClient, Response } from '../../support/raw-client.ts'
import { responseText } from '../../support/scene.ts'

let auth: ScriptedOrigin
let scene: MiddlewareScene
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
  again: { retry: { attempts: 2 } },
  rewrites: rewrite(1_000),
}
const lists = {
  'large-limit': ['large', 'limit'],
  'auth-limit': ['auth', 'limit'],
  'rewrites-limit': ['rewrites', 'limit'],
  'again-limit': ['again', 'limit'],
  'limit-large': ['limit', 'large'],
  'large-large': ['large', 'large'],
}

beforeAll(async () => {
  auth = await startScriptedOrigin(async (connection) => {
    for (;;) {
      await connection.readRequest(60_000)
      connection.send(responseText('ok'))
    }
  })
})

afterAll(() => auth?.stop())

async function startScene(routes: Record<string, string[]>): Promise<void> {
  const forwardAuth = { address: `${auth.url}/auth`, forwardBody: true }
  const all = {
    ...middlewares,
    auth: { forwardAuth },
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

describe('maxRequestBodyBytes of buffering', () => {
  beforeAll(() => startScene(lists))
  afterAll(() => scene?.stop())

  test.each([
    ['large-limit', 413],
    ['auth-limit', 413],
    ['rewrites-limit', 413],
    ['again-limit', 413],
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
