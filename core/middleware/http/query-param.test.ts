// queryParam: what becomes of a query.
import { describe, expect, it } from 'vitest'
import { requestOf } from '../exchange.fixture.ts'
import { QueryParam, type QueryParamOptions } from './query-param.ts'

const nothing: QueryParamOptions = { set: [], append: [], remove: [], rename: [] }
const fixed = (name: string, value: string) => ({ name, value, fromHeader: '' })

function queryAfter(
  options: Partial<QueryParamOptions>,
  query: string,
  headers: string[] = [],
): string {
  const exchange = requestOf(`GET /a${query} HTTP/1.1`, headers)
  new QueryParam('q', { ...nothing, ...options }).onRequest(exchange)
  return exchange.hasQuery ? '?' + exchange.query : ''
}

describe('queryParam', () => {
  it.each([
    ['', '?x=1'],
    ['?x=2', '?x=1'],
    ['?x=2&y=3&x', '?y=3&x=1'],
    ['?%78=2&X=5', '?X=5&x=1'],
    ['?+=1&&y', '?+=1&&y&x=1'],
  ])('sets a parameter in place of all that the client sent of it: %s -> %s', (query, after) => {
    expect(queryAfter({ set: [fixed('x', '1')] }, query)).toBe(after)
  })

  it('escapes names and values', () => {
    const set = [fixed('a b', 'é&=#\r\n')]
    expect(queryAfter({ set }, '?a+b=1&a%20b=2')).toBe('?a+b=%C3%A9%26%3D%23%0D%0A')
  })

  it('takes a value from a header, and takes the client out of it when there is none', () => {
    const set = [{ name: 'user', value: '', fromHeader: 'X-User' }]
    expect(queryAfter({ set }, '?user=forged', ['X-User: ann&admin=1'])).toBe(
      '?user=ann%26admin%3D1',
    )
    expect(queryAfter({ set }, '?user=forged')).toBe('')
    expect(queryAfter({ set }, '?%75ser=forged&y=1')).toBe('?y=1')
  })

  it('appends beside what is there', () => {
    expect(queryAfter({ append: [fixed('x', '1')] }, '?x=0')).toBe('?x=0&x=1')
    expect(queryAfter({ append: [{ name: 'x', value: '', fromHeader: 'X-No' }] }, '?x=0')).toBe(
      '?x=0',
    )
  })

  it('removes by the name that a server would read, and keeps malformed escapes', () => {
    const remove = [{ name: 'debug' }]
    expect(queryAfter({ remove }, '?debug&a=1&%64ebug=2&debug=3')).toBe('?a=1')
    expect(queryAfter({ remove }, '?%zz=1&debugger=2')).toBe('?%zz=1&debugger=2')
    expect(queryAfter({ remove }, '?debug=1')).toBe('')
  })

  it('renames and leaves values as they were written', () => {
    const rename = [{ from: 'q', to: 'search text' }]
    expect(queryAfter({ rename }, '?q=%C3%A9+1&p=2&q')).toBe(
      '?search+text=%C3%A9+1&p=2&search+text',
    )
  })

  it('leaves a query without such parameters byte for byte', () => {
    const exchange = requestOf('GET /a?b=%7e&&c HTTP/1.1')
    const before = [exchange.query, exchange.pathChanged]
    new QueryParam('q', { ...nothing, remove: [{ name: 'x' }] }).onRequest(exchange)
    expect([exchange.query, exchange.pathChanged]).toEqual(before)
  })
})
