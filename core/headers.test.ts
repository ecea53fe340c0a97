// core/headers.test.ts: a head is looked up, changed and sent without editing its text.

import { describe, expect, test } from 'vitest'
import { Exchange } from './exchange.ts'
import { ACCEPT, HOST } from './header-ids.ts'
import type { Head } from './headers.ts'
import { linesOf } from './headers.ts'
import { RequestParser } from './h1/request.ts'

function headOf(...lines: string[]): Head {
  const exchange = new Exchange()
  exchange.reset()
  const bytes = Buffer.from(['GET / HTTP/1.1', 'Host: h', ...lines, '', ''].join('\r\n'))
  const limits = { headBytesMax: 100_000, headerCountMax: 1000 }
  expect(new RequestParser().parse(exchange, bytes, 0, bytes.length, limits)).toBe(bytes.length)
  return exchange.request
}

describe('a head', () => {
  test('finds known and unknown names, first and all, among lines and extras', () => {
    const head = headOf('X-A: 1', 'Accept: a', 'x-a: 2', 'ACCEPT: b')
    head.add('X-A', '3')
    expect([head.get('host'), head.get('x-a'), head.get('accept'), head.get('x-b')]).toEqual([
      'h',
      '1',
      'a',
      null,
    ])
    expect(head.getAll('x-a')).toEqual(['1', '2', '3'])
    expect(head.getAll('accept')).toEqual(['a', 'b'])
    expect([head.lineOf(HOST), head.lineOf(ACCEPT)]).toEqual([0, 2])
  })

  test('sends what stays in the order it came, then the extras', () => {
    const head = headOf('A: 1', 'B: 2', 'C: 3', 'D: 4')
    head.remove('a')
    head.remove('d')
    head.add('E', '5')
    expect(linesOf(head, 0)).toBe('GET / HTTP/1.1\r\nHost: h\r\nB: 2\r\nC: 3\r\nE: 5\r\n')
    expect(linesOf(head, head.linesStart)).toBe('Host: h\r\nB: 2\r\nC: 3\r\nE: 5\r\n')
  })

  test('replaces every line and extra of a name by one', () => {
    const head = headOf('X-A: 1', 'x-a: 2')
    head.add('X-a', '3')
    head.set('X-A', '4')
    expect(head.getAll('x-a')).toEqual(['4'])
    expect(linesOf(head, head.linesStart)).toBe('Host: h\r\nX-A: 4\r\n')
  })

  test('any choice of dropped lines gives the others', () => {
    const lines = ['A: 1', 'B: 2', 'C: 3', 'D: 4', 'E: 5']
    for (let mask = 0; mask < 64; mask++) {
      const head = headOf(...lines)
      for (let line = 0; line < 6; line++) if ((mask & (1 << line)) !== 0) head.drop(line)
      const kept = ['Host: h', ...lines].filter((_, line) => (mask & (1 << line)) === 0)
      expect(linesOf(head, head.linesStart)).toBe(kept.map((line) => line + '\r\n').join(''))
    }
  })

  test('grows beyond its first arrays', () => {
    const head = headOf(...Array.from({ length: 200 }, (_, i) => `X-${i}: ${i}`))
    expect(head.count).toBe(201)
    expect([head.get('x-0'), head.get('x-199')]).toEqual(['0', '199'])
  })
})
