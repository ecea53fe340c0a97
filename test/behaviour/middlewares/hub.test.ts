// queryParam and forceCase, through a gateway, under both of their names; filters of the Gateway API.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MiddlewareScene, startMiddlewareScene } from '../../support/middleware-scene.ts'
import { responseText } from '../../support/scene.ts'

let scene: MiddlewareScene

beforeAll(async () => {
  scene = await startMiddlewareScene(
    {
      tenant: { queryParam: { set: [{ name: 'tenant', fromHeader: 'X-Tenant' }] } },
      plain: { plugin: { queryParam: { remove: [{ name: 'debug' }] } } },
      asked: {
        requestHeaderModifier: { set: { 'X-A': 'set' }, add: { 'X-B': '2' }, remove: ['x-c'] },
      },
      given: { responseHeaderModifier: { add: { 'X-Id': '8' } } },
      cased: { plugin: { forcecase: { headers: ['SOAPAction', 'x-ID'] } } },
    },
    { reply: ({ head }) => responseText(head, 'X-Id: 7\r\n') },
  )
})

afterAll(() => scene.stop())

test('the server sees the query that was made', async () => {
  const given = await scene.ask('GET', '/tenant?tenant=other&a=1', ['X-Tenant: me & you'])
  expect(given.body).toMatch(/^GET \/tenant\?a=1&tenant=me\+%26\+you HTTP/)
  const absent = await scene.ask('GET', '/tenant?tenant=other')
  expect(absent.body).toMatch(/^GET \/tenant HTTP/)
  const removed = await scene.ask('GET', '/plain?a=%7e&debug=1')
  expect(removed.body).toMatch(/^GET \/plain\?a=~? ?/)
  expect(removed.body).not.toContain('debug')
})

test('headers are spelled as they were asked for, in both directions', async () => {
  const { lines, body } = await scene.ask('GET', '/cased', ['soapaction: go', 'X-ID: 1'])
  expect(body).toContain('\r\nSOAPAction: go\r\n')
  expect(body).toContain('\r\nx-ID: 1\r\n')
  expect(lines).toContain('x-ID: 7')
})

test('headers of requests and of responses are set, added and removed', async () => {
  const { body } = await scene.ask('GET', '/asked', ['X-A: 1', 'X-B: 1', 'X-C: 1'])
  expect(body).toMatch(/\r\nX-B: 1\r\n[^]*X-A: set\r\nX-B: 2\r\n/)
  expect(body).not.toMatch(/x-c/i)
  const { headers } = await scene.ask('GET', '/given')
  expect(headers.get('x-id')).toBe('7, 8')
})
