// What makes two questions of forwardAuth one: everything that is told, less what does not matter.
import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { requestOf } from '../middleware/exchange.fixture.ts'
import { headersForAuth } from './auth-request.ts'
import { QuestionKey, parsePart, type KeyOptions } from './question-key.ts'

interface Asked {
  readonly start?: string
  readonly headers?: readonly string[]
  readonly address?: string
  readonly secure?: boolean
}

function keyOf(options: Partial<KeyOptions>, asked: Asked = {}, told: readonly string[] = []) {
  const { start = 'GET /a?b=1 HTTP/1.1', headers = [], address = '192.0.2.7' } = asked
  const exchange = requestOf(start, headers)
  exchange.clientAddress = address
  exchange.secure = asked.secure ?? false
  const wanted = told.length === 0 ? null : new Set(told)
  const key = new QuestionKey({ ignore: [], cookies: [], ...options })
  return key.of('GET', headersForAuth(exchange, wanted, false))
}

const differences: readonly (readonly [part: string, asked: Asked])[] = [
  ['method', { start: 'POST /a?b=1 HTTP/1.1' }],
  ['path', { start: 'GET /b?b=1 HTTP/1.1' }],
  ['query', { start: 'GET /a?b=2 HTTP/1.1' }],
  ['query', { start: 'GET /a HTTP/1.1' }],
  ['query', { start: 'GET /a? HTTP/1.1' }],
  ['host', { headers: ['Host: other.example'] }],
  ['host', { headers: ['Host: shop.example:81'] }],
  ['ip', { address: '192.0.2.8' }],
  ['header.X-Key', { headers: ['X-Key: 1'] }],
  ['header.x-key', { headers: ['X-Key: 1', 'X-Key: 2'] }],
  ['', { headers: ['Authorization: Bearer a'] }],
  ['', { headers: ['Authorization: '] }],
  ['', { headers: ['Cookie: a=1'] }],
  ['', { headers: ['X_Key: 1'] }],
]

describe.each(differences)('a question that differs by "%s" (%j)', (part, asked) => {
  it('is another one, unless that does not matter', () => {
    expect(keyOf({}, asked)).not.toBe(keyOf({}))
    if (part !== '') expect(keyOf({ ignore: [part] }, asked)).toBe(keyOf({ ignore: [part] }))
    const others = differences.map(([other]) => other).filter((other) => other !== part)
    const ignore = others.filter((other) => parsePart(other) !== null && !/key/i.test(other))
    if (!ignore.includes(part)) expect(keyOf({ ignore }, asked)).not.toBe(keyOf({ ignore }))
  })
})

describe('the scheme', () => {
  it('matters, with the port that it implies', () => {
    expect(keyOf({}, { secure: true })).not.toBe(keyOf({}))
    expect(keyOf({ ignore: ['scheme'] }, { secure: true })).not.toBe(keyOf({ ignore: ['scheme'] }))
    const ignore = ['scheme', 'host']
    expect(keyOf({ ignore }, { secure: true })).toBe(keyOf({ ignore }))
  })
})

it('what the server is not told does not matter', () => {
  const other = { headers: ['X-Key: 1', 'Cookie: a=1'] }
  expect(keyOf({}, other, ['authorization'])).toBe(keyOf({}, {}, ['authorization']))
  expect(keyOf({}, other, ['cookie'])).not.toBe(keyOf({}, {}, ['cookie']))
})

describe('of cookies', () => {
  const cookies = ['session']
  const of = (...lines: string[]) => keyOf({ cookies }, { headers: lines })

  it('only those that are named matter', () => {
    expect(of('Cookie: session=a; x=1')).toBe(of('Cookie: x=2;session=a'))
    expect(of('Cookie: session=a')).not.toBe(of('Cookie: session=b'))
    expect(of('Cookie: session=a; session=b')).not.toBe(of('Cookie: session=b; session=a'))
    expect(of('Cookie: session=a; x=session=b')).toBe(of('Cookie: session=a'))
  })

  it.each([
    ['Cookie: x=1', 'Cookie: x=2'],
    ['Cookie: x=1, session=a', 'Cookie: x=1, session=b'], // some servers cut at commas
    ['Cookie: session="a;b"', 'Cookie: session="a;c"'],
    ['Cookie: SESSION=a', 'Cookie: SESSION=b'],
    ['Cookie: session', 'Cookie: sessio'],
  ])('all matter where none is found for certain: %s', (one, other) => {
    expect(of(one)).not.toBe(of(other))
  })
})

it('no two questions have one text, whatever stands in their lines', () => {
  const word = fc.stringMatching(/^[a-z:,;= -]{0,6}$/)
  const name = fc.constantFrom('a', 'a-b', 'cookie', 'authorization')
  const lines = fc.array(fc.tuple(name, word), { maxLength: 4 })
  const key = new QuestionKey({ ignore: [], cookies: [] })
  fc.assert(
    fc.property(lines, lines, (one, other) => {
      const same = JSON.stringify(one) === JSON.stringify(other)
      expect(key.of('GET', one) === key.of('GET', other)).toBe(same)
    }),
  )
})
