// A hit is the same whatever the client speaks, and a long one waits for its reader everywhere.

import { once } from 'node:events'
import http2 from 'node:http2'
import https from 'node:https'
import { afterEach, expect, test } from 'vitest'
import { type CacheScene, fresh, startCacheScene } from '../../support/cache-scene.ts'
import { freePorts } from '../../support/gateway.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'

let scene: CacheScene

afterEach(() => scene.stop())

const LONG = 3_000_000
const limits = { store: { memory: { entryLimit: '4Mi' } } }

function answerLong(): void {
  const body = Array.from({ length: LONG / 10 }, (_, i) => String(i).padStart(10, '.')).join('')
  scene.answer('/long', (response) => response.writeHead(200, fresh).end(body))
}

const isWhole = (body: string): boolean =>
  body.length === LONG && body.endsWith(String(LONG / 10 - 1)) && body.startsWith('.........0')

const hits = (): Promise<number> => scene.metric('sluice_cache_requests_total', 'outcome="hit"')

// The client takes a piece and stops; only when the hit is under way it reads the rest.
async function readSlowly(stream: NodeJS.ReadableStream & { pause(): unknown }): Promise<string> {
  let body = ''
  stream.setEncoding('latin1')
  stream.on('data', (text: string) => {
    const first = body === ''
    body += text
    if (!first) return
    stream.pause()
    void hits().then(() => stream.resume())
  })
  await once(stream, 'end')
  return body
}

test.each(['node', 'uws'] as const)('engine %s', async (engine) => {
  scene = await startCacheScene({ engine, cache: limits })
  answerLong()
  expect(isWhole((await scene.ask('/long')).body)).toBe(true)
  const client = await connectRaw(scene.gateway.port)
  client.socket.pause()
  client.send(`GET /long HTTP/1.1\r\nHost: 127.0.0.1:${scene.gateway.port}\r\n\r\n`)
  await eventually('the hit', async () => (await hits()) === 1)
  client.socket.resume()
  const response = await client.readResponse()
  expect(response.headers.get('x-cache-status')).toBe('HIT')
  expect(isWhole(response.body)).toBe(true)
  client.send(`GET /short HTTP/1.1\r\nHost: 127.0.0.1:${scene.gateway.port}\r\n\r\n`)
  expect((await client.readResponse()).body).toBe('/short 1') // the connection is as good as before
  client.destroy()
})

test('HTTP/2, TLS', async () => {
  const [secure = 0] = await freePorts(1)
  scene = await startCacheScene({
    cache: limits,
    entryPoints: { secure: { address: `127.0.0.1:${secure}`, http: { tls: {} } } },
    routers: {
      secure: {
        rule: 'PathPrefix(`/`)',
        entryPoints: ['secure'],
        service: 'origin',
        middlewares: ['cache'],
      },
    },
  })
  answerLong()
  const options = { rejectUnauthorized: false }
  const client = http2.connect(`https://127.0.0.1:${secure}`, options)
  for (const cache of ['MISS', 'HIT']) {
    const stream = client.request({ ':path': '/long' })
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
    expect(headers['x-cache-status']).toBe(cache)
    expect(isWhole(await readSlowly(stream))).toBe(true)
  }
  client.close()
  const request = https.get({ ...options, host: '127.0.0.1', port: secure, path: '/long' })
  const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage]
  expect(response.headers['x-cache-status']).toBe('HIT')
  expect(isWhole(await readSlowly(response))).toBe(true)
  expect(scene.count('/long')).toBe(1)
})
