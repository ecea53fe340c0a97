// requestRedirect, URLRewrite and contentType, through a gateway of either engine.

import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { metricSum } from '../../support/metrics.ts'
import { type MiddlewareScene, startMiddlewareScene } from '../../support/middleware-scene.ts'
import { responseText } from '../../support/scene.ts'

const PNG = '\x89PNG\r\n\x1a\n....'

// /typed/X answers X without a Content-Type, unless X is of those.
function reply(target: string): string | null {
  if (target.endsWith('/png')) return responseText(PNG)
  if (target.endsWith('/html')) return responseText('<!doctype html><p>long '.padEnd(2000, '.'))
  if (target.endsWith('/chunked'))
    return 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n<p>\r\n2\r\nhi\r\n0\r\nX-End: 1\r\n\r\n'
  if (target.endsWith('/own')) return responseText(PNG, 'Content-Type: a/b\r\n')
  if (target.endsWith('/nosniff')) return responseText(PNG, 'X-Content-Type-Options: nosniff\r\n')
  if (target.endsWith('/empty')) return responseText('')
  return null
}

const middlewares = {
  moved: {
    requestRedirect: { scheme: 'https', hostname: 'b.test', path: '', pathPrefix: '/moved' },
  },
  other: { requestRedirect: { port: 8083, path: '/é', statusCode: 308 } },
  inner: { URLRewrite: { hostname: 'inner.test:81', path: '/v2', pathPrefix: '/inner' } },
  whole: { URLRewrite: { path: '/one' } },
  typed: { contentType: {} },
  untyped: { contentType: { autoDetect: false } },
  packed: { compress: { encodings: ['gzip'], minResponseBodyBytes: 100 } },
}

describe.each(['node', 'uws'] as const)('by engine %s', (engine) => {
  let scene: MiddlewareScene

  beforeAll(async () => {
    scene = await startMiddlewareScene(middlewares, {
      engine,
      static: { metrics: { prometheus: {} } },
      lists: { first: ['packed', 'typed'], last: ['typed', 'packed'] },
      reply: ({ head, body }) => reply(head.split(' ')[1]!) ?? responseText(head + body),
    })
  })

  afterAll(() => scene.stop())

  test.each([
    ['/moved/x/?a=%2F', 302, 'https://b.test/x/?a=%2F'],
    ['/moved', 302, 'https://b.test/'],
    ['/other/x', 308, 'http://a.test:8083/%C3%A9'],
  ])('%s is answered %i with %s', async (target, status, location) => {
    const response = await scene.ask('POST', target, ['Host: a.test:8080'], 'body')
    expect([response.status, response.headers.get('location')]).toEqual([status, location])
  })

  test('the server is sent another path and another host', async () => {
    const inner = await scene.ask('GET', '/inner/x%2F?a=1')
    expect(inner.body).toMatch(/^GET \/v2\/x%2F\?a=1 HTTP\/1\.1\r\n[^]*Host: inner\.test:81\r\n/i)
    expect(inner.body).toMatch(/X-Forwarded-Host: a\.test\r\n/i)
    expect((await scene.ask('GET', '/innermost')).body).toMatch(/^GET \/innermost /)
    expect((await scene.ask('GET', '/whole/x?a=1')).body).toMatch(/^GET \/one\?a=1 /)
  })

  test.each([
    ['/typed/png', 'image/png', PNG],
    ['/typed/chunked', 'text/html; charset=utf-8', '<p>hi'],
    ['/typed/own', 'a/b', PNG],
    ['/typed/nosniff', undefined, PNG],
    ['/typed/empty', undefined, ''],
    ['/untyped/png', undefined, PNG],
  ])('%s has the type %s', async (target, type, body) => {
    const response = await scene.ask('GET', target)
    expect([response.status, response.headers.get('content-type')]).toEqual([200, type])
    expect(response.body).toBe(body)
  })

  test.each(['first', 'last'])('%s of compress and contentType: no wrong type', async (name) => {
    const page = await scene.ask('GET', `/${name}/html`, ['Accept-Encoding: gzip'])
    expect(page.headers.get('content-encoding')).toBe('gzip')
    const type = name === 'first' ? 'text/html; charset=utf-8' : undefined
    expect(page.headers.get('content-type')).toBe(type)
    expect(gunzipSync(Buffer.from(page.body, 'latin1')).toString()).toMatch(/^<!doctype html>/)
  })

  test('what was guessed is counted', async () => {
    const { body } = await scene.gateway.admin('/metrics')
    const counted = metricSum(body, 'sluice_content_types_detected_total', 'typed@file')
    expect(counted).toBe(3)
  })
})
