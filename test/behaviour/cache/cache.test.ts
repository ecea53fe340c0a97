// httpCache as its clients and its server see it, in one worker.

import type http from 'node:http'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CacheScene, fresh, startCacheScene } from '../../support/cache-scene.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'

let scene: CacheScene

const behind = (host: string) => {
  return { rule: `Host(\`${host}.test\`)`, entryPoints: ['web'], service: 'origin' }
}

beforeAll(async () => {
  scene = await startCacheScene({
    cache: { cacheStatus: true, store: { memory: { limit: '4Mi', entryLimit: '1Mi' } } },
    chain: ['edge', 'cache', 'inner'],
    middlewares: {
      edge: { headers: { customResponseHeaders: { 'X-Edge': 'yes' } } },
      inner: { headers: { customRequestHeaders: { 'X-Inner': 'yes' } } },
      whole: { buffering: {} },
      small: { compress: {} },
      links: { bodyRewrite: { replacements: [{ literal: 'a', replacement: 'b' }] } },
    },
    routers: {
      whole: { ...behind('whole'), middlewares: ['whole', 'cache'] },
      small: { ...behind('small'), middlewares: ['small', 'cache'] },
      wholeWithin: { ...behind('whole-within'), middlewares: ['cache', 'whole'] },
      linksWithin: { ...behind('links-within'), middlewares: ['cache', 'links', 'whole'] },
    },
  })
})

afterAll(() => scene.stop())

test('a response with a lifetime is served again without its server', async () => {
  const first = await scene.ask('/plain')
  const second = await scene.ask('/plain')
  expect(first).toMatchObject({ status: 200, body: '/plain 1', cache: 'MISS' })
  expect(second).toMatchObject({ status: 200, body: '/plain 1', cache: 'HIT' })
  expect(first.headers['cache-status']).toBe('sluice; fwd=uri-miss; stored')
  // Both are whole seconds, rounded down; a machine that stands still for a second is not the cache's fault.
  const [, ttl] = /^sluice; hit; ttl=(\d+)$/.exec(String(second.headers['cache-status']))!
  expect([59, 60]).toContain(Number(ttl) + Number(second.headers.age))
  expect(second.headers).toMatchObject({ 'content-length': '8', 'x-edge': 'yes' })
  expect(second.headers.date).toBe(first.headers.date)
  expect(scene.count('/plain')).toBe(1)
})

test('HEAD, conditions and ranges are answered from the stored GET', async () => {
  scene.answer('/whole', (response) =>
    response.writeHead(200, { ...fresh, ETag: '"v1"' }).end('0123456789'),
  )
  await scene.ask('/whole')
  const head = await scene.ask('/whole', {}, 'HEAD')
  expect(head).toMatchObject({ status: 200, body: '', cache: 'HIT' })
  expect(head.headers['content-length']).toBe('10')
  expect(await scene.ask('/whole', { 'If-None-Match': '"v1"' })).toMatchObject({ status: 304 })
  expect(await scene.ask('/whole', { Range: 'bytes=2-4' })).toMatchObject({
    status: 206,
    body: '234',
  })
  expect(await scene.ask('/whole', { Range: 'bytes=99-' })).toMatchObject({ status: 416 })
  expect(scene.count('/whole')).toBe(1)
})

test('HEAD knows no ranges', async () => {
  scene.answer('/head-range', (response) => response.writeHead(200, fresh).end('0123456789'))
  await scene.ask('/head-range')
  for (const range of ['bytes=2-4', 'bytes=99-']) {
    const { status, headers } = await scene.ask('/head-range', { Range: range }, 'HEAD')
    expect([range, status, headers['content-length']]).toEqual([range, 200, '10'])
    expect(headers['content-range']).toBe(undefined)
  }
  expect(scene.count('/head-range')).toBe(1)
})

test('a range that its server does not have says nothing to the next client', async () => {
  scene.answer('/no-range', (response, request) => {
    if (request.headers.range === undefined) response.writeHead(200, fresh).end('hello')
    else response.writeHead(416, { ...fresh, 'Content-Range': 'bytes */5' }).end()
  })
  expect(await scene.ask('/no-range', { Range: 'bytes=99-' })).toMatchObject({ status: 416 })
  expect(await scene.ask('/no-range')).toMatchObject({ status: 200, body: 'hello', cache: 'MISS' })
})

test('what must not be shared is not stored', async () => {
  const cases: [string, http.OutgoingHttpHeaders, Record<string, string>][] = [
    ['/none', {}, {}],
    ['/no-store', { 'Cache-Control': 'no-store, max-age=60' }, {}],
    ['/private', { 'Cache-Control': 'private, max-age=60' }, {}],
    ['/odd', { 'Cache-Control': 'max-age=60, @, private' }, {}],
    ['/odd-field', { 'Cache-Control': 'private="a b", max-age=60' }, {}],
    ['/odd-line', { 'Cache-Control': ['max-age=60', '"x"', 'no-store'] }, {}],
    ['/cookie', { ...fresh, 'Set-Cookie': 'a=b' }, {}],
    ['/star', { ...fresh, Vary: '*' }, {}],
    ['/authorized', fresh, { Authorization: 'Basic eDp5' }],
  ]
  for (const [path, headers, sent] of cases) {
    scene.answer(path, (response) => response.writeHead(200, headers).end('x'))
    await scene.ask(path, sent)
    expect([path, (await scene.ask(path, sent)).cache]).toEqual([path, 'MISS'])
  }
})

test('what was stored for everybody is not given to whoever shows a name', async () => {
  await scene.ask('/named')
  expect(await scene.ask('/named', { Authorization: 'Basic eDp5' })).toMatchObject({
    body: '/named 2',
    cache: 'MISS',
  })
  expect(await scene.ask('/named')).toMatchObject({ body: '/named 1', cache: 'HIT' })
})

test('a response that is cut off is not stored, nor one of another length than announced', async () => {
  scene.answer('/cut', (response) => {
    response.writeHead(200, { ...fresh, 'Content-Length': '100' })
    response.write('only this')
    setImmediate(() => response.destroy())
  })
  await scene.ask('/cut').catch(() => null)
  await scene.ask('/cut').catch(() => null)
  expect(scene.count('/cut')).toBe(2)
})

test('a response that ends with its connection is not stored, whatever has changed it on the way', async () => {
  scene.answer('/closed', (_response, { socket }) =>
    socket.end(
      'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Type: text/html\r\n\r\n<html>half of',
    ),
  )
  for (const host of ['plain', 'whole-within', 'links-within']) {
    const headers = { Host: `${host}.test` }
    const { headers: told } = await scene.ask('/closed', headers)
    expect([host, told['cache-status']]).toEqual([host, 'sluice; fwd=uri-miss; detail=framing'])
    expect([host, (await scene.ask('/closed', headers)).cache]).toEqual([host, 'MISS'])
  }
  expect(scene.count('/closed')).toBe(6)
})

test('a client that leaves in the middle leaves nothing behind', async () => {
  let finish = (): void => {}
  scene.answer('/left', (response, _request, count) => {
    response.writeHead(200, fresh)
    response.write('a'.repeat(100_000))
    if (count > 1) response.end()
    else finish = () => response.end()
  })
  const client = await connectRaw(scene.gateway.port)
  client.send('GET /left HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
  await client.until('some of the body', () => client.receivedBytes > 50_000)
  client.destroy()
  finish()
  expect((await scene.ask('/left')).body.length).toBe(100_000)
  expect(scene.count('/left')).toBe(2)
})

test('success of an unsafe method ends what is stored of its URL and of what it names', async () => {
  for (const path of ['/item', '/items', '/other']) await scene.ask(path)
  scene.answer('/item', (response, request, count) => {
    if (request.method === 'GET') return response.writeHead(200, fresh).end(`new ${count}`)
    if (count === 2) return response.writeHead(500).end()
    return response
      .writeHead(204, { Location: '/items', 'Content-Location': 'http://x.example/other' })
      .end()
  })
  expect((await scene.ask('/item', {}, 'DELETE')).cache).toBe('BYPASS')
  expect((await scene.ask('/item')).cache).toBe('HIT') // it failed
  await scene.ask('/item', {}, 'DELETE')
  expect(await scene.ask('/item')).toMatchObject({ cache: 'MISS', body: 'new 4' })
  expect((await scene.ask('/items')).cache).toBe('MISS')
  expect((await scene.ask('/other')).cache).toBe('HIT')
})

test('the fields that Vary names choose among the responses of a URL', async () => {
  scene.answer('/vary', (response, request) =>
    response
      .writeHead(200, { ...fresh, Vary: 'X-Lang' })
      .end(String(request.headers['x-lang'] ?? 'none')),
  )
  for (const language of ['de', 'en']) await scene.ask('/vary', { 'X-Lang': language })
  await scene.ask('/vary')
  const count = scene.count('/vary')
  for (const language of ['de', 'en'])
    expect(await scene.ask('/vary', { 'X-Lang': language })).toMatchObject({
      body: language,
      cache: 'HIT',
    })
  expect(await scene.ask('/vary')).toMatchObject({ body: 'none', cache: 'HIT' })
  expect(scene.count('/vary')).toBe(count)
})

test('what is stale is validated, and its head renewed', async () => {
  scene.answer('/validated', (response, request) => {
    const renewed = request.headers['if-none-match'] === '"v1"'
    const headers = { 'Cache-Control': 'max-age=0', ETag: '"v1"', 'X-Renewed': String(renewed) }
    response.writeHead(renewed ? 304 : 200, headers).end(renewed ? undefined : 'body')
  })
  await scene.ask('/validated')
  const second = await scene.ask('/validated')
  expect(second).toMatchObject({ status: 200, body: 'body', cache: 'HIT' })
  expect(second.headers).toMatchObject({ 'x-renewed': 'true', 'x-edge': 'yes' })
  expect(second.headers['cache-status']).toBe('sluice; fwd=stale; fwd-status=304')
  expect(await scene.ask('/validated', { 'If-None-Match': '"v1"' })).toMatchObject({ status: 304 })
  expect(scene.count('/validated')).toBe(3)
})

test.each([
  ['buffering', 'whole', {}],
  ['compress', 'small', { 'Accept-Encoding': 'gzip' }],
])('what %s in front holds the head of is whole after a validation', async (_, host, headers) => {
  const body = `${'text '.repeat(1000)}`
  scene.answer(`/held-${host}`, (response, request) => {
    const renewed = request.headers['if-none-match'] === '"v1"'
    const head = { 'Cache-Control': 'max-age=0', ETag: '"v1"', 'Content-Type': 'text/plain' }
    response.writeHead(renewed ? 304 : 200, head).end(renewed ? undefined : body)
  })
  for (let i = 0; i < 2; i++) {
    const asked = await scene.ask(`/held-${host}`, { Host: `${host}.test`, ...headers })
    const bytes = Buffer.from(asked.body, 'latin1')
    const text = asked.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes
    expect([asked.status, text.toString()]).toEqual([200, body])
  }
  expect(scene.count(`/held-${host}`)).toBe(2)
})

test('what may be served while it is renewed is served at once, and asked for as the client did', async () => {
  scene.answer('/refreshed', (response, _request, count) =>
    response
      .writeHead(200, { 'Cache-Control': 'max-age=0, stale-while-revalidate=600' })
      .end(`version ${count}`),
  )
  await scene.ask('/refreshed?a=1')
  expect(await scene.ask('/refreshed?a=1', {}, 'HEAD')).toMatchObject({ status: 200, cache: 'HIT' })
  await eventually('the refresh', () => scene.count('/refreshed') >= 2)
  const { method, url, headers } = scene.requests.filter((r) => r.url?.startsWith('/refreshed'))[1]!
  expect([method, url, headers['x-inner']]).toEqual(['GET', '/refreshed?a=1', 'yes'])
  expect(headers['x-forwarded-for']).toBe('127.0.0.1')
  await eventually('the new version', async () => {
    return (await scene.ask('/refreshed?a=1')).body !== 'version 1'
  })
})

test('what is stale stands in for an error of the server, which is then left alone for a moment', async () => {
  scene.answer('/failing', (response, request, count) => {
    if (count === 1)
      response.writeHead(200, { 'Cache-Control': 'max-age=0, stale-if-error=600' }).end('good')
    else if (count === 2) response.writeHead(503).end('bad')
    else request.socket.destroy()
  })
  await scene.ask('/failing')
  const from = performance.now()
  expect(await scene.ask('/failing')).toMatchObject({ status: 200, body: 'good', cache: 'HIT' })
  expect(await scene.ask('/failing')).toMatchObject({ status: 200, body: 'good', cache: 'HIT' })
  // A moment is a second, after which it is asked once more.
  const moments = Math.floor((performance.now() - from) / 1000)
  expect([2, 2 + Math.min(moments, 1)]).toContain(scene.count('/failing'))
  const asked = await scene.ask('/failing', { 'Cache-Control': 'no-cache' })
  expect(asked.status).toBe(502) // that client wants the server's word
})

test('clients may ask for more than freshness, and for nothing but what is stored', async () => {
  expect(await scene.ask('/strict', { 'Cache-Control': 'only-if-cached' })).toMatchObject({
    status: 504,
  })
  await scene.ask('/strict')
  expect((await scene.ask('/strict', { 'Cache-Control': 'only-if-cached' })).cache).toBe('HIT')
  expect((await scene.ask('/strict', { Pragma: 'no-cache' })).body).toBe('/strict 2')
  expect((await scene.ask('/strict', { 'Cache-Control': 'no-store' })).cache).toBe('BYPASS')
})

test('a long response reaches a slow reader whole', async () => {
  const body = 'x'.repeat(900_000)
  scene.answer('/long', (response) => response.writeHead(200, fresh).end(body))
  await scene.ask('/long')
  const client = await connectRaw(scene.gateway.port)
  client.socket.pause()
  client.send('GET /long HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n')
  client.destroy() // one that never reads does no harm
  const slow = await connectRaw(scene.gateway.port)
  slow.socket.pause()
  slow.send(`GET /long HTTP/1.1\r\nHost: 127.0.0.1:${scene.gateway.port}\r\n\r\n`)
  await eventually('the hit to be counted', async () => {
    slow.socket.read(10_000)
    return (await scene.metric('sluice_cache_requests_total', 'outcome="hit"')) > 0
  })
  slow.socket.resume()
  const response = await slow.readResponse()
  expect(response.body.length).toBe(900_000)
  expect(response.headers.get('x-cache-status')).toBe('HIT')
  slow.destroy()
})

test('a response above the bound of one entry is passed on and not stored', async () => {
  const body = 'x'.repeat(1_200_000)
  scene.answer('/huge', (response) => {
    response.writeHead(200, fresh)
    for (let at = 0; at < body.length; at += 100_000) response.write(body.slice(at, at + 100_000))
    response.end()
  })
  for (let i = 0; i < 2; i++) expect((await scene.ask('/huge')).body.length).toBe(body.length)
  expect(scene.count('/huge')).toBe(2)
})

test('the oldest give way when there is no more room', async () => {
  const body = 'x'.repeat(500_000)
  for (let i = 0; i < 20; i++) {
    scene.answer(`/room/${i}`, (response) => response.writeHead(200, fresh).end(body))
    await scene.ask(`/room/${i}`)
  }
  expect((await scene.ask('/room/19')).cache).toBe('HIT')
  expect((await scene.ask('/room/0')).cache).toBe('MISS')
  expect(await scene.metric('sluice_cache_evicted_total')).toBeGreaterThan(10)
  expect(await scene.metric('sluice_cache_bytes')).toBeLessThanOrEqual(4 * 1024 * 1024)
  expect(await scene.metric('sluice_cache_entries')).toBeGreaterThan(1)
})
