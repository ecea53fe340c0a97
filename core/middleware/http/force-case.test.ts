// forceCase: how headers are spelled that pass.
import { expect, it } from 'vitest'
import { requestOf, respond, sentLines } from '../exchange.fixture.ts'
import { requestHead } from '../../h1/write.ts'
import { ForceCase } from './force-case.ts'

const middleware = new ForceCase('c', { headers: ['SOAPAction', 'ETAG', 'x-ID', 'ACCEPT'] })

it('spells the named headers of a request, known and unknown ones, and keeps their order', () => {
  const exchange = requestOf('GET / HTTP/1.1', ['soapaction: a', 'Accept: b', 'X-Id: 1', 'x-id: 2'])
  exchange.request.add('X-ID', '3')
  middleware.onRequest(exchange)
  expect(sentLines(exchange.request)).toEqual([
    'Host: shop.example',
    'SOAPAction: a',
    'x-ID: 1',
    'x-ID: 2',
    'x-ID: 3',
    'ACCEPT: b',
  ])
})

it('spells those of a response', () => {
  const exchange = requestOf('GET / HTTP/1.1')
  respond(exchange, 200, ['ETag: "1"', 'Server: origin'])
  middleware.onResponse(exchange)
  expect(sentLines(exchange.response).toSorted()).toEqual(['ETAG: "1"', 'Server: origin'])
})

it('leaves a head alone that is spelled right', () => {
  const exchange = requestOf('GET / HTTP/1.1', ['x-ID: 1'])
  middleware.onRequest(exchange)
  expect(exchange.request.extraCount).toBe(0)
})

it('saves no header from being dropped that the client meant for this connection only', () => {
  const exchange = requestOf('GET / HTTP/1.1', ['Connection: X-Id', 'X-Id: 1'])
  middleware.onRequest(exchange)
  expect(requestHead(exchange, '')).not.toMatch(/x-id/i)
})
