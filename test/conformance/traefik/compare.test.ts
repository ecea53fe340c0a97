import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { parseResponse } from '../../support/raw-client.ts'
import { responseText } from '../../support/scene.ts'
import { ABSENT, differencesOf } from './compare.ts'
import type { Served } from './origins.ts'
import type { Seen } from './pair.ts'

function seen(text: string, served: readonly Served[] = []): Seen {
  return { interim: [], answer: parseResponse(text, false, true)!.response, served }
}

const asked = (...headers: string[]): Served => ({
  origin: 'a',
  line: 'GET / HTTP/1.1',
  headers,
  body: '',
})

test('Names of headers have no case and no order, their values have both', () => {
  const one = seen(responseText('x', 'A: 1\r\nB: 2\r\nB: 3\r\n'), [asked('X: 1', 'Y: 2')])
  const other = seen(responseText('x', 'b: 2\r\nb: 3\r\na: 1\r\n'), [asked('y: 2', 'x: 1')])
  expect(differencesOf(one, other)).toEqual([])
  const swapped = seen(responseText('x', 'A: 1\r\nB: 3\r\nB: 2\r\n'), [asked('X: 1', 'Y: 2')])
  expect(differencesOf(one, swapped)).toEqual([
    { part: 'header b', traefik: '2 | 3', sluice: '3 | 2' },
  ])
})

test('What only one of them has is a difference, on both sides of the gateway', () => {
  const one = seen(responseText('x', 'A: 1\r\n'), [asked('X: 1')])
  const other = seen(responseText('x'), [asked(), asked()])
  expect(differencesOf(one, other).map(({ part, sluice }) => [part, sluice])).toEqual([
    ['header a', ABSENT],
    ['requests', 'a a'],
    ['request 1 header x', ABSENT],
    ['request 2 line', 'GET / HTTP/1.1'],
    ['request 2 body', ''],
  ])
})

test('Status, body and a missing answer are seen', () => {
  const one = seen(responseText('x'))
  const other = seen(responseText('yy', '', '404 Not Found'))
  expect(differencesOf(one, other).map(({ part }) => part)).toEqual([
    'status',
    'reason',
    'body',
    'header content-length',
  ])
  const none: Seen = { interim: [], answer: null, served: [] }
  expect(differencesOf(one, none)[0]).toEqual({
    part: 'status',
    traefik: '200',
    sluice: 'no answer',
  })
})

test('Dates and remaining times are masked, compressed bodies unpacked', () => {
  const packed = (level: number, headers: string) =>
    seen(
      responseText(
        gzipSync('a'.repeat(5000), { level }).latin1Slice(),
        `Content-Encoding: gzip\r\n${headers}`,
      ),
    )
  const one = packed(1, 'Date: Mon, 01 Jan 2024 00:00:00 GMT\r\nX-Retry-In: 1.5s\r\n')
  const other = packed(9, 'Date: Tue, 02 Jan 2024 00:00:00 GMT\r\nX-Retry-In: 59.9s\r\n')
  expect(differencesOf(one, other)).toEqual([])
})
