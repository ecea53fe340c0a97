// bodyRewrite with expressions: groups, however the body is cut, and nothing that a server sends holds up the worker.

import http from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'

const html = { 'Content-Type': 'text/html; charset=utf-8' }
const MEBIBYTE = 1024 * 1024
const evil: Readonly<Record<string, string>> = {
  '/square': 'a'.repeat(MEBIBYTE), // of a.*b|a, which nobody knows how to do in less
  '/copies': 'c'.repeat(MEBIBYTE), // V8 took 3.7 s for (?:c{16}){16}d
  '/words': 'word '.repeat(MEBIBYTE / 5),
}
let origin: HttpOrigin
let gateway: Gateway

const expressions: Readonly<Record<string, readonly [regex: string, replacement: string]>> = {
  groups: ['(\\w+)@(\\w+)\\.test', '$2 <- $1, $$, ${1}x, [$9]'],
  names: ['(?P<year>[0-9]{4})-(?P<month>[0-9]{2})', '${month}/$year'],
  empty: ['x*', '-'],
  lines: ['(?m)^', '> '],
  square: ['a.*b|a', 'x'],
  copies: ['(?:c{16}){16}d', 'x'],
  words: ['(\\w+)', '<$1>'],
  bomb: ['(?s).+', '$0$0$0$0$0'],
}

beforeAll(async () => {
  origin = await startHttpOrigin((request, response) => {
    const text = evil[request.url!] ?? decodeURIComponent(request.url!.slice(1))
    response.writeHead(200, html)
    if (request.headers['x-cut'] === undefined) return void response.end(text)
    const bytes = Buffer.from(text)
    const next = (at: number): void => {
      if (at === bytes.length) response.end()
      else response.write(bytes.subarray(at, at + 1), () => next(at + 1))
    }
    next(0)
  })
  const rewrite = ([regex, replacement]: readonly [string, string], more: object = {}) => ({
    bodyRewrite: { replacements: [{ regex, replacement }], ...more },
  })
  const router = (host: string, middleware = host) => ({
    rule: `Host(\`${host}.test\`)`,
    entryPoints: ['web'],
    service: 'origin',
    middlewares: [middleware],
  })
  const names = Object.keys(expressions)
  gateway = await startGateway({
    routes: {
      http: {
        routers: {
          ...Object.fromEntries(names.map((name) => [name, router(name)])),
          both: router('both'),
          fail: router('fail'),
        },
        middlewares: {
          ...Object.fromEntries(names.map((name) => [name, rewrite(expressions[name]!)])),
          fail: rewrite(expressions['bomb']!, { maxBytes: 100, whenTooLong: 'fail' }),
          both: {
            bodyRewrite: {
              replacements: [
                { literal: 'inner', replacement: 'http://a.b/' },
                { regex: 'http://(\\w)\\.(\\w)/', replacement: '$2.$1 $literal' },
                { literal: 'b.a ', replacement: '$1' },
              ],
            },
          },
        },
        services: { origin: { loadBalancer: { servers: [{ url: origin.url }] } } },
      },
    },
  })
})

afterAll(async () => {
  await gateway?.stop()
  await origin?.stop()
})

function get(
  host: string,
  path: string,
  more: object = {},
): Promise<[status: number, text: string]> {
  return new Promise((resolve, reject) => {
    const headers = { Host: `${host}.test`, ...more }
    const options = { port: gateway.port, host: '127.0.0.1', path, headers, agent: false }
    const request = http.get(options, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('error', reject)
      response.on('end', () => resolve([response.statusCode!, Buffer.concat(pieces).toString()]))
    })
    request.on('error', reject)
  })
}

const of = (text: string): string => `/${encodeURIComponent(text)}`

test.each([
  ['groups', 'ann@shop.test, bob@inn.test', 'shop <- ann, $, annx, [], inn <- bob, $, bobx, []'],
  ['names', 'on 2024-05-17 é', 'on 05/2024-17 é'],
  ['empty', 'axxb', '-a-b-'],
  ['lines', 'a\nb', '> a\n> b'],
  ['both', 'see inner', 'see $1'],
])('%s in %j', async (host, text, expected) => {
  expect(await get(host, of(text))).toEqual([200, expected])
  expect(await get(host, of(text), { 'X-Cut': '1' })).toEqual([200, expected])
})

test('a replacement that makes too much of a body is not made, and is 500 if that is wanted', async () => {
  const text = 'x'.repeat(90)
  expect(await get('bomb', of(text))).toEqual([200, text.repeat(5)]) // far from 4 MiB
  const [status, body] = await get('fail', of(text))
  expect([status, body.includes('RESPONSE_BODY_TOO_LARGE')]).toEqual([500, true])
})

test('what would take too long passes as it came and is counted, and the rest is done', async () => {
  const count = async (name: string, outcome: string) =>
    metricSum(
      (await gateway.admin('/metrics')).body,
      'sluice_body_rewrite_responses_total',
      `middleware="${name}@file"`,
      `outcome="${outcome}"`,
    )
  for (const name of ['square', 'words']) {
    const [status, text] = await get(name, `/${name}`)
    expect([status, text === evil[`/${name}`]]).toEqual([200, true])
    expect(await count(name, 'too_long')).toBe(1)
  }
  const [, copies] = await get('copies', '/copies')
  expect(copies === evil['/copies']).toBe(true) // nothing matches, and that was found out
  expect(await count('copies', 'rewritten')).toBe(1)
  expect(await get('words', of('short words'))).toEqual([200, '<short> <words>'])
})

test('the worker answers others while such bodies come', async () => {
  const slow = Array.from({ length: 4 }, () => get('square', '/square'))
  expect(await get('names', of('2024-05'))).toEqual([200, '05/2024'])
  for (const [status] of await Promise.all(slow)) expect(status).toBe(200)
})
