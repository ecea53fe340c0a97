// Compression as clients meet it: what is compressed and what is not, and what the head says.

import { execFile } from 'node:child_process'
import http from 'node:http'
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGateway } from '../../support/gateway.ts'
import { type CompressScene, startCompressScene, text } from './compress-scene.ts'

const execute = promisify(execFile)
const gzip = { 'Accept-Encoding': 'gzip' }
let scene: CompressScene

beforeAll(async () => {
  scene = await startCompressScene()
})

afterAll(() => scene?.stop())

interface Got {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly bytes: Buffer
  readonly trailers: NodeJS.Dict<string>
}

async function get(
  path: string,
  headers: http.OutgoingHttpHeaders = {},
  method = 'GET',
): Promise<Got> {
  const response = await scene.ask(path, headers, method)
  const pieces: Buffer[] = []
  for await (const piece of response) pieces.push(piece as Buffer)
  const { statusCode: status = 0, trailers } = response
  return { status, headers: response.headers, bytes: Buffer.concat(pieces), trailers }
}

describe('a response that the client takes compressed', () => {
  test.each([
    ['gzip', zlib.gunzipSync],
    ['br', zlib.brotliDecompressSync],
    ['zstd', zlib.zstdDecompressSync],
  ] as const)('comes in %s and is the same', async (coding, decode) => {
    for (const path of ['/text', '/chunked', '/missing', '/typeless']) {
      const { headers, bytes, status } = await get(path, { 'Accept-Encoding': coding })
      expect(headers['content-encoding'], path).toBe(coding)
      expect(bytes.length).toBeLessThan(text.length / 4)
      expect(decode(bytes).toString()).toBe(text)
      expect(status).toBe(path === '/missing' ? 404 : 200)
    }
  })

  test('has a head that is true of the new bytes', async () => {
    const { headers, bytes } = await get('/text', gzip)
    expect(headers.etag).toBe('W/"v1"')
    expect(headers.vary).toBe('Origin, Accept-Encoding')
    expect(headers['accept-ranges']).toBe(undefined)
    expect(headers['content-md5']).toBe(undefined)
    expect(Number(headers['content-length'])).toBe(bytes.length)
    expect((await get('/varies', gzip)).headers.vary).toBe('accept-encoding, Origin')
  })

  test('keeps its trailers, but for digests of other bytes', async () => {
    const { trailers, bytes } = await get('/trailers', gzip)
    expect(zlib.gunzipSync(bytes).toString()).toBe(text)
    expect(trailers).toEqual({ 'x-sum': '42' })
  })

  test('is described by HEAD and by 304 as GET would have it', async () => {
    const { headers, bytes } = await get('/text', gzip, 'HEAD')
    expect(headers).toMatchObject({ 'content-encoding': 'gzip', etag: 'W/"v1"' })
    expect(headers['content-length']).toBe(undefined)
    expect(bytes.length).toBe(0)
    const unchanged = await get('/unchanged', gzip)
    expect(unchanged).toMatchObject({ status: 304, headers: { etag: 'W/"v1"' } })
    expect(unchanged.headers['content-encoding']).toBe(undefined)
  })

  test('reaches an HTTP/1.0 client too', async () => {
    const url = `http://127.0.0.1:${scene.gateway.port}/chunked`
    const shown = await execute('curl', [
      '-s',
      '--http1.0',
      '--compressed',
      '-H',
      'Host: all.test',
      url,
    ])
    expect(shown.stdout).toBe(text)
  })

  test('is what curl --compressed shows, over HTTP/1.1 and HTTP/2', async () => {
    for (const version of ['--http1.1', '--http2-prior-knowledge'])
      for (const path of ['/text', '/chunked', '/short-chunked', '/trailers']) {
        const url = `http://127.0.0.1:${scene.gateway.port}${path}`
        const arguments_ = ['-s', version, '--compressed', '-H', 'Host: all.test', url]
        const { stdout } = await execute('curl', arguments_)
        expect(stdout).toBe(path.startsWith('/short') ? 'short' : text)
      }
  })

  test('may be the page of the errors middleware, inside and outside', async () => {
    for (const host of ['pages.test', 'inner.test']) {
      const { status, headers, bytes } = await get('/broken', { ...gzip, Host: host })
      expect(status).toBe(503)
      expect(headers['content-encoding']).toBe('gzip')
      expect(zlib.gunzipSync(bytes).toString()).toBe(text)
    }
  })
})

test.each(['stored.test', 'packed.test'])(
  'A cache inside or outside gives each client the coding that it takes: %s',
  async (host) => {
    for (const path of ['/cached', '/cached-chunked', '/cached', '/cached-chunked']) {
      for (const coding of ['gzip', 'identity', 'gzip']) {
        const { headers, bytes } = await get(path, { Host: host, 'Accept-Encoding': coding })
        expect(headers['content-encoding']).toBe(coding === 'gzip' ? 'gzip' : undefined)
        expect((coding === 'gzip' ? zlib.gunzipSync(bytes) : bytes).toString()).toBe(text)
        expect(headers.vary).toBe('Accept-Encoding')
      }
    }
    const last = await get('/cached', { Host: host, ...gzip })
    expect(last.headers['x-cache-status']).toBe('HIT')
  },
)

describe('a response that goes out as it came', () => {
  test.each([
    ['/text', {}, 'Origin, Accept-Encoding'],
    ['/text', { 'Accept-Encoding': 'identity, gzip;q=0.5' }, 'Origin, Accept-Encoding'],
    ['/text', { ...gzip, 'Cache-Control': 'no-transform' }, 'Origin'],
    ['/short', gzip, undefined],
    ['/image', gzip, undefined],
    ['/events', gzip, undefined],
    ['/grpc', gzip, undefined],
    ['/part', gzip, undefined],
    ['/private', gzip, undefined],
    ['/empty', gzip, undefined],
    ['/nothing', gzip, undefined],
  ])('%s with %j', async (path, headers, vary) => {
    const got = await get(path, headers)
    const direct = await new Promise<http.IncomingMessage>((resolve) =>
      http.get(scene.origin.url + path, resolve),
    )
    const pieces: Buffer[] = []
    for await (const piece of direct) pieces.push(piece as Buffer)
    expect(got.bytes.equals(Buffer.concat(pieces))).toBe(true)
    expect(got.headers['content-encoding']).toBe(undefined)
    expect(got.headers.vary).toBe(vary)
    const kept = ['content-type', 'content-length', 'etag', 'accept-ranges', 'content-range']
    for (const name of kept) expect(got.headers[name], name).toBe(direct.headers[name])
  })

  test('when the server has compressed it, or it turns out to be short', async () => {
    const packed = await get('/packed', gzip)
    expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip' })
    expect(zlib.gunzipSync(packed.bytes).toString()).toBe(text)
    const short = await get('/short-chunked', gzip)
    expect(short.headers['content-encoding']).toBe(undefined)
    expect(short.headers['content-length']).toBe('5')
    expect(short.bytes.toString()).toBe('short')
  })
})

test('What is configured decides: codings, default, least length, included types', async () => {
  expect((await get('/text', { ...gzip, Host: 'br.test' })).headers['content-encoding']).toBe(
    undefined,
  )
  const short = await get('/short', { Host: 'br.test' })
  expect(short.headers['content-encoding']).toBe('br')
  expect(zlib.brotliDecompressSync(short.bytes).toString()).toBe('short')
  const events = await get('/events', { ...gzip, Host: 'events.test' })
  expect(zlib.gunzipSync(events.bytes).toString()).toBe(text)
  const refused = { 'Accept-Encoding': 'gzip, identity;q=0' }
  expect((await get('/short', refused)).headers['content-encoding']).toBe('gzip')
})

test('The engine uws sends the same', async () => {
  const routes = {
    http: {
      routers: {
        all: {
          rule: 'PathPrefix(`/`)',
          entryPoints: ['web'],
          service: 'origin',
          middlewares: ['all'],
        },
      },
      middlewares: { all: { compress: {} } },
      services: { origin: { loadBalancer: { servers: [{ url: scene.origin.url }] } } },
    },
  }
  const uws = await startGateway({ engine: 'uws', routes })
  try {
    for (const path of ['/text', '/chunked', '/short-chunked']) {
      const url = `http://127.0.0.1:${uws.port}${path}`
      const { stdout } = await execute('curl', ['-s', '--compressed', '-H', 'Host: all.test', url])
      expect(stdout).toBe(path.startsWith('/short') ? 'short' : text)
    }
  } finally {
    await uws.stop()
  }
})
