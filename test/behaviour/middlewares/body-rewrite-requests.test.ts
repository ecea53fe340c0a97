// bodyRewrite of requests: the server gets the new body with its length, or the client is told that it is too long.

import http from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Gateway, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { eventually } from '../../support/wait.ts'

interface Seen {
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

let seen: Seen[] = []
let origin: HttpOrigin
let copies: HttpOrigin
let copied: string[] = []

const keep =
  (to: (seen: Seen) => number): http.RequestListener =>
  (request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const { headers } = request
      const status = to({ headers, body: Buffer.concat(pieces).toString('latin1') })
      response.writeHead(status, { 'Content-Type': 'text/plain' }).end('inner')
    })
  }

beforeAll(async () => {
  origin = await startHttpOrigin(
    keep((one) => {
      seen.push(one)
      return one.headers['x-fail'] !== undefined && seen.length === 1 ? 503 : 200
    }),
  )
  copies = await startHttpOrigin(keep(({ body }) => (copied.push(body), 200)))
})

afterAll(async () => {
  await origin?.stop()
  await copies?.stop()
})

// Engine uws takes no body without a length.
describe.each(['node', 'uws'] as const)('engine %s', (engine) => {
  const lengths = engine === 'node' ? [true, false] : [true]
  let gateway: Gateway

  beforeAll(async () => {
    const requests = (more: object) => ({
      bodyRewrite: {
        requests: {
          replacements: [
            { literal: 'outer', replacement: 'inner' },
            { regex: '"card":"([0-9]{4})[0-9]+"', replacement: '"card":"$1..."' },
            { regex: '^gone$', replacement: '' },
            { literal: '!', replacement: 'x'.repeat(1000) },
          ],
          maxBytes: 1000,
          ...more,
        },
      },
    })
    const router = (host: string, ...middlewares: string[]) => {
      return {
        rule: `Host(\`${host}.test\`)`,
        entryPoints: ['web'],
        service: 'origin',
        middlewares,
      }
    }
    gateway = await startGateway({
      engine,
      routes: {
        http: {
          routers: {
            pass: router('pass', 'pass'),
            fail: router('fail', 'fail'),
            again: router('again', 'again', 'pass'),
            copied: router('copied', 'copied', 'pass'),
            behind: router('behind', 'pass', 'copied'),
            whole: router('whole', 'whole', 'pass'),
          },
          middlewares: {
            pass: requests({}),
            fail: requests({ whenTooLong: 'fail' }),
            again: { retry: { attempts: 2, status: ['503'], retryNonIdempotentMethod: true } },
            copied: { mirror: { service: 'copies', when: 'after' } },
            whole: { buffering: { memRequestBodyBytes: 2000 } },
          },
          services: {
            origin: { loadBalancer: { servers: [{ url: origin.url }] } },
            copies: { loadBalancer: { servers: [{ url: copies.url }] } },
          },
        },
      },
    })
  })

  afterAll(() => gateway?.stop())

  // With `length` false in pieces of one byte, and nobody says how many.
  async function post(host: string, body: string, more: object = {}, length = true) {
    seen = []
    copied = []
    const headers = { Host: `${host}.test`, 'Content-Type': 'application/json', ...more }
    const options = { port: gateway.port, host: '127.0.0.1', method: 'POST', headers, agent: false }
    const bytes = Buffer.from(body, 'latin1')
    return new Promise<[status: number, text: string]>((resolve, reject) => {
      const request = http.request(options, (response) => {
        let text = ''
        response.on('data', (piece: Buffer) => (text += piece.toString()))
        response.on('end', () => resolve([response.statusCode!, text]))
      })
      request.on('error', reject)
      if (length) request.end(bytes)
      else {
        const next = (at: number): void => {
          if (at >= bytes.length) request.end()
          else request.write(bytes.subarray(at, at + 1), () => next(at + 1))
        }
        next(0)
      }
    })
  }

  const count = async (name: string, outcome: string): Promise<number> =>
    metricSum(
      (await gateway.admin('/metrics')).body,
      'sluice_body_rewrite_requests_total',
      `middleware="${name}@file",outcome="${outcome}"`,
    )

  test.each(lengths)('the server gets the new body and its length (known: %s)', async (known) => {
    const body = '{"url":"outer","card":"1234567890"}'
    const digest = { 'Content-Digest': 'sha-256=:AA==:' }
    expect(await post('pass', body, digest, known)).toEqual([200, 'inner'])
    const [{ headers, body: got }] = seen as [Seen]
    expect(got).toBe('{"url":"inner","card":"1234..."}')
    expect(headers['content-length']).toBe(String(got.length))
    expect(headers['transfer-encoding']).toBe(undefined)
    expect(headers['content-digest']).toBe(undefined)
    expect(headers['accept-encoding']).toBe(undefined) // responses stay as they are
  })

  test('a body that is empty then is sent as an empty one', async () => {
    expect(await post('pass', 'gone')).toEqual([200, 'inner'])
    expect(seen).toMatchObject([{ body: '', headers: { 'content-length': '0' } }])
  })

  test.each([
    ['another type', 'outer', { 'Content-Type': 'image/png' }],
    ['a coding', 'outer', { 'Content-Encoding': 'gzip' }],
    ['another charset', 'outer', { 'Content-Type': 'text/plain; charset=latin1' }],
    ['no-transform', 'outer', { 'Cache-Control': 'no-transform' }],
    ['no UTF-8', 'outer \xff', {}],
    ['what is too long', 'outer '.repeat(500), {}],
    ['a bomb', '!'.repeat(900), {}],
  ])('%s passes as it came', async (_, body, more) => {
    for (const known of lengths) {
      expect(await post('pass', body, more, known)).toEqual([200, 'inner'])
      expect(seen.map((one) => one.body === body)).toEqual([true])
    }
  })

  test('what is too long is 413 if that is wanted, no server gets it, and it is counted', async () => {
    for (const known of lengths) {
      for (const body of ['outer '.repeat(500), '!'.repeat(900)]) {
        const [status, text] = await post('fail', body, {}, known)
        expect([status, text.includes('BODY_TOO_LARGE'), seen.length]).toEqual([413, true, 0])
      }
    }
    expect(await count('fail', 'too_long')).toBe(2 * lengths.length)
    expect(await count('pass', 'not_text')).toBe(lengths.length)
  })

  test.skipIf(engine === 'uws')(
    'of a body that was let go on there is no copy, and no empty one',
    async () => {
      const mirrored = async (outcome: string): Promise<number> => {
        const labels = [`outcome="${outcome}"`, 'service="copies@file"']
        const { body } = await gateway.admin('/metrics')
        return metricSum(body, 'sluice_mirrored_requests_total', ...labels)
      }
      const before = [await mirrored('sent'), await mirrored('dropped')]
      await post('behind', 'a'.repeat(1500), {}, false)
      await eventually('it to be dropped', async () => (await mirrored('dropped')) > before[1]!)
      expect([await mirrored('sent'), copied]).toEqual([before[0], []])
      await post('behind', 'outer', {}, false)
      await eventually('a copy', () => copied.length > 0)
      expect(copied).toEqual(['inner'])
    },
  )

  test('it is the new body that is sent again and copied, and one that buffering has kept', async () => {
    expect(await post('again', 'outer', { 'X-Fail': '1' })).toEqual([200, 'inner'])
    expect(seen.map(({ body }) => body)).toEqual(['inner', 'inner'])
    for (const known of lengths) {
      await post('copied', 'outer', {}, known)
      await eventually('the copy', () => copied.length > 0)
      expect(copied).toEqual(['inner'])
    }
    expect(await post('whole', 'outer', {}, lengths.length === 1)).toEqual([200, 'inner'])
    expect(seen.map(({ body }) => body)).toEqual(['inner'])
    expect((await post('again', 'outer '.repeat(500), {}, lengths.length === 1))[0]).toBe(200)
    expect(seen.map(({ body }) => body === 'outer '.repeat(500))).toEqual([true])
  })
})
