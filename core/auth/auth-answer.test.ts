import { expect, test } from 'vitest'
import { Head } from '../headers.ts'
import { requestOf } from '../middleware/exchange.fixture.ts'
import { AuthAnswer } from './auth-answer.ts'

const options = {
  url: 'http://127.0.0.1:1',
  path: '/',
  authResponseHeaders: [],
  addAuthCookiesToResponse: [],
  headerField: '',
  preserveLocationHeader: false,
}

test.each([
  ['HEAD', '', '7', 7], // the server was asked with HEAD
  ['HEAD', 'verdict', '7', 7],
  ['HEAD', '', '7, 7', 0],
  ['HEAD', '', '-7', 0],
  ['GET', '', '7', 0],
  ['GET', 'no', '2', 2],
])(
  'A refusal of %s with body "%s" and length %s has the length %i',
  (method, body, said, length) => {
    const exchange = requestOf(`${method} /a HTTP/1.1`)
    const headers = new Head()
    headers.add('Content-Length', said)
    new AuthAnswer(options, null).give(exchange, { status: 403, headers, body: Buffer.from(body) })
    expect([exchange.status, exchange.responseLength]).toEqual([403, length])
    expect(exchange.response.has('content-length')).toBe(false)
  },
)
