// bodyRewrite: text in responses is replaced wherever the server has cut it; all that it can't change passes.

import http from 'node:http'
import zlib from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'

const html = { 'Content-Type': 'text/html; charset=UTF-8' }
let seen: http.IncomingHttpHeaders = {}
let origin: HttpOrigin
let gateway: Gateway

const pages: Readonly<Record<string, (response: http.ServerResponse) => void>> = {
  '/page': (response) =>
    void response
      .writeHead(200, { ...html, ETag: '"1"', 'Accept-Ranges': 'bytes' })
      .end('a inner b inner'),
  '/cut': (response) => {
    response.writeHead(200, html).write('é in')
    setImmediate(() => response.end('ner'))
  },
  '/image': (response) =>
    void response.writeHead(200, { 'Content-Type': 'image/png' }).end('inner'),
  '/packed': (response) =>
    void response
      .writeHead(200, { ...html, 'Content-Encoding': 'gzip' })
      .end(zlib.gzipSync('inner')),
  '/latin1': (response) =>
    void response.writeHead(200, { 'Content-Type': 'text/html; charset=latin1' }).end('inner'),
  '/broken': (response) =>
    void response.writeHead(200, html).end(Buffer.from('inner \xff', 'latin1')),
  '/long': (response) => void response.writeHead(200, html).end('inner '.repeat(500)),
  // In one write, and most of it behind the byte that is one too many.
  '/chunks': ({ socket }) => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n'
    void socket!.write(`${head}${`64\r\n${'c'.repeat(100)}\r\n`.repeat(40)}0\r\n\r\n`)
  },
  '/sorry': (response) => void response.writeHead(200, html).end('sorry'),
  '/bomb': (response) => void response.writeHead(200, html).end('!'.repeat(900)),
}

beforeAll(async () => {
  origin = await startHttpOrigin((request, response) => {
    seen = request.headers
    pages[request.url!]!(response)
  })
  const rewrite = (more: object) => ({
    bodyRewrite: {
      replacements: [
        { literal: 'inner', replacement: 'outer $&' },
        { literal: '!', replacement: 'x'.repeat(1000) },
      ],
      maxBytes: 1000,
      ...more,
    },
  })
  const router = (host: string, ...middlewares: string[]) => {
    return { rule: `Host(\`${host}.test\`)`, entryPoints: ['web'], service: 'origin', middlewares }
  }
  gateway = await startGateway({
    routes: {
      http: {
        routers: {
          pass: router('pass', 'pass'),
          fail: router('fail', 'fail'),
          both: router('both', 'small', 'pass'),
          page: router('page', 'page', 'fail'),
        },
        middlewares: {
          pass: rewrite({}),
          fail: rewrite({ whenTooLong: 'fail' }),
          small: { compress: { minResponseBodyBytes: 1 } },
          page: { errors: { status: ['500'], service: 'origin', query: '/sorry' } },
        },
        services: { origin: { loadBalancer: { servers: [{ url: origin.url }] } } },
      },
    },
  })
})

afterAll(async () => {
  await gateway?.stop()
  await origin?.stop()
})

interface Got {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly bytes: Buffer
}

function get(path: string, host = 'pass', method = 'GET'): Promise<Got> {
  return new Promise((resolve, reject) => {
    const headers = { Host: `${host}.test`, 'Accept-Encoding': 'gzip', Range: 'bytes=0-3' }
    const options = { port: gateway.port, host: '127.0.0.1', path, method, headers, agent: false }
    const request = http.request(options, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          bytes: Buffer.concat(pieces),
        }),
      )
    })
    request.on('error', reject).end()
  })
}

test('Every text is replaced, the head is true of it, and the server was asked for plain text', async () => {
  const { headers, bytes } = await get('/page')
  expect(bytes.toString()).toBe('a outer $& b outer $&')
  expect(headers).toMatchObject({ 'content-length': String(bytes.length), etag: 'W/"1"' })
  expect(headers['accept-ranges']).toBe(undefined)
  expect(seen['accept-encoding']).toBe('identity')
  expect(seen.range).toBe(undefined)
  const head = await get('/page', 'pass', 'HEAD')
  expect(head.headers['content-length']).toBe(undefined)
})

test('A text is found where the server has cut it', async () => {
  expect((await get('/cut')).bytes.toString()).toBe('é outer $&')
})

test.each([
  ['/image', 'inner'],
  ['/latin1', 'inner'],
  ['/long', 'inner '.repeat(500)],
  ['/bomb', '!'.repeat(900)],
])('%s passes as it came', async (path, body) => {
  expect((await get(path)).bytes.toString()).toBe(body)
})

test('What is encoded or no UTF-8 passes byte for byte', async () => {
  expect(zlib.gunzipSync((await get('/packed')).bytes).toString()).toBe('inner')
  expect((await get('/broken')).bytes.toString('latin1')).toBe('inner \xff')
})

test('What is too long is 500 if that is wanted, and all of it is counted', async () => {
  const { status, bytes } = await get('/long', 'fail')
  expect(status).toBe(500)
  expect(bytes.toString()).toContain('RESPONSE_BODY_TOO_LARGE')
  const page = (await gateway.admin('/metrics')).body
  const count = (outcome: string) =>
    metricSum(page, 'sluice_body_rewrite_responses_total', `outcome="${outcome}"`)
  expect(count('too_long')).toBe(3)
  expect(count('not_text')).toBe(1)
  expect(count('rewritten')).toBeGreaterThan(1)
})

test('compress in front of it compresses what it has made', async () => {
  for (const path of ['/page', '/cut']) {
    const { headers, bytes } = await get(path, 'both')
    expect(headers['content-encoding']).toBe('gzip')
    expect(zlib.gunzipSync(bytes).toString()).toContain('outer $&')
    expect(Number(headers['content-length'])).toBe(bytes.length)
  }
})

test('a page in the place of what is too long is whole, whatever of the old body was read with it', async () => {
  const { status, bytes } = await get('/chunks', 'page')
  expect([status, bytes.toString()]).toEqual([500, 'sorry'])
})
