// requestHeaderModifier and responseHeaderModifier.
import { expect, it } from 'vitest'
import { requestOf, respond, sentLines } from '../exchange.fixture.ts'
import { RequestHeaderModifier, ResponseHeaderModifier } from './header-modifier.ts'

const options = {
  set: { 'X-Set': 'new', 'X-Empty': '', 'X-Both': 'set' },
  add: { 'X-Add': 'more', 'X-Both': 'added' },
  remove: ['x-gone', 'Accept'],
}

it('sets, adds and removes headers of a request, whatever their case', () => {
  const lines = ['x-set: old', 'X-ADD: first', 'X-Gone: a', 'x-gone: b', 'accept: */*', 'X-Keep: k']
  const exchange = requestOf('GET / HTTP/1.1', lines)
  new RequestHeaderModifier('m', options).onRequest(exchange)
  expect(sentLines(exchange.request)).toEqual([
    'Host: shop.example',
    'X-ADD: first',
    'X-Keep: k',
    'X-Set: new',
    'X-Empty: ',
    'X-Both: set',
    'X-Add: more',
    'X-Both: added',
  ])
})

it('does the same with a response, and leaves the request alone', () => {
  const middleware = new ResponseHeaderModifier('m', options)
  const exchange = requestOf('GET / HTTP/1.1', ['X-Gone: a'])
  middleware.onRequest(exchange)
  respond(exchange, 200, ['X-Gone: a', 'X-Set: old'])
  middleware.onResponse(exchange)
  expect(exchange.request.get('x-gone')).toBe('a')
  expect(sentLines(exchange.response)).toEqual([
    'X-Set: new',
    'X-Empty: ',
    'X-Both: set',
    'X-Add: more',
    'X-Both: added',
  ])
})
