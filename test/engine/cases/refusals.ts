// test/engine/cases/refusals.ts: every request that two servers could read in two ways is refused, and nothing
// of it, nor anything hidden behind it, reaches a server.

import { expect } from 'vitest'
import type { RawClient } from '../../support/raw-client.ts'
import type { Case } from '../suite.ts'
import { type World, answer, chunk, request } from '../world.ts'

interface Refusal {
  readonly name: string
  readonly head: (path: string) => string
  readonly body?: string
  readonly status: readonly number[] // 0: the connection is closed without an answer
}

const post = (path: string, lines: string) => request(path, lines, 'POST')
const CHUNKED = 'Transfer-Encoding: chunked\r\n'

const refusals: readonly Refusal[] = [
  { name: 'an empty header name', head: (p) => request(p, ': x\r\n'), status: [400] },
  {
    name: 'two different Content-Lengths',
    head: (p) => post(p, 'Content-Length: 3\r\nContent-Length: 30\r\n'),
    body: 'abc',
    status: [400, 0],
  },
  {
    name: 'two equal Content-Lengths',
    head: (p) => post(p, 'Content-Length: 3\r\nContent-Length: 3\r\n'),
    body: 'abc',
    status: [400, 0],
  },
  {
    name: 'a list of Content-Lengths',
    head: (p) => post(p, 'Content-Length: 3, 3\r\n'),
    body: 'abc',
    status: [400, 0],
  },
  {
    name: 'a signed Content-Length',
    head: (p) => post(p, 'Content-Length: +3\r\n'),
    body: 'abc',
    status: [400, 0],
  },
  {
    name: 'an empty Content-Length',
    head: (p) => post(p, 'Content-Length: \r\n'),
    status: [400, 0],
  },
  {
    name: 'Content-Length beside Transfer-Encoding',
    head: (p) => post(p, CHUNKED + 'Content-Length: 3\r\n'),
    body: '0\r\n\r\n',
    status: [400, 0],
  },
  ...['identity', 'gzip', 'xchunked', 'gzip, chunked', 'chunked, chunked'].map((coding) => ({
    name: `Transfer-Encoding: ${coding}`,
    head: (p: string) => post(p, `Transfer-Encoding: ${coding}\r\n`),
    body: '0\r\n\r\n',
    status: [400, 501, 0],
  })),
  {
    name: 'a second Transfer-Encoding line',
    head: (p) => post(p, CHUNKED + CHUNKED),
    body: '0\r\n\r\n',
    status: [400, 501, 0],
  },
  {
    name: 'an empty Transfer-Encoding beside Content-Length',
    head: (p) => post(p, 'Transfer-Encoding: \r\nContent-Length: 3\r\n'),
    body: 'abc',
    status: [400, 501, 0],
  },
  { name: 'two Hosts', head: (p) => request(p, 'Host: other.test\r\n'), status: [400] },
  { name: 'an empty Host', head: (p) => `GET ${p} HTTP/1.1\r\nHost:\r\n\r\n`, status: [400] },
  { name: 'no Host', head: (p) => `GET ${p} HTTP/1.1\r\n\r\n`, status: [400, 0] },
  {
    name: 'a Host that is none',
    head: (p) => `GET ${p} HTTP/1.1\r\nHost: a b\r\n\r\n`,
    status: [400],
  },
  { name: 'a method that is no token', head: (p) => request(p, '', 'G(T'), status: [400, 0] },
  { name: 'a raw "#" in the target', head: (p) => request(p + '#x'), status: [400] },
  { name: 'DEL in the target', head: (p) => request(p + '\x7f'), status: [400] },
  { name: 'a byte beyond ASCII in the target', head: (p) => request(p + '\xe9'), status: [400] },
  { name: 'a half percent escape in the path', head: (p) => request(p + '%2'), status: [400] },
  { name: 'a space before the colon', head: (p) => request(p, 'X-A : b\r\n'), status: [400, 0] },
  { name: 'a folded header line', head: (p) => request(p, 'X-A: b\r\n c\r\n'), status: [400, 0] },
  { name: 'NUL in a header value', head: (p) => request(p, 'X-A: b\0c\r\n'), status: [400, 0] },
  {
    name: 'a bare CR in a header value',
    head: (p) => request(p, 'X-A: b\rX-B: c\r\n'),
    status: [400, 0],
  },
  {
    name: 'a bare LF after a header line',
    head: (p) => request(p, 'X-A: b\nX-B: c\r\n'),
    status: [400, 0],
  },
  { name: 'HTTP/1.2', head: (p) => `GET ${p} HTTP/1.2\r\nHost: a\r\n\r\n`, status: [505, 0] },
  {
    name: 'the preface of HTTP/2',
    head: () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    status: [400, 505, 0],
  },
  {
    name: 'CONNECT',
    head: () => 'CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n',
    status: [501, 505, 0],
  },
]

// What a server sees of a refused chunked body is cut off: never a whole request.
const chunkFaults: readonly (readonly [string, string])[] = [
  ['a chunk size that is no number', 'g\r\nabc\r\n0\r\n\r\n'],
  ['a chunk size ":"', ':\r\n0123456789\r\n0\r\n\r\n'],
  ['a bare LF after a chunk size', '5\nhello\r\n0\r\n\r\n'],
  ['words after a chunk size', '5 junk\r\nhello\r\n0\r\n\r\n'],
  ['an empty chunk size line', '\r\n0\r\n\r\n'],
  ['chunk data that is longer than its size', '3\r\nabcXY0\r\n\r\n'],
]

export const refusalCases: readonly Case[] = [
  ...refusals.map((refusal): Case => ({
    name: `refuses ${refusal.name}`,
    run: (world) => expectRefusal(world, refusal),
  })),
  ...chunkFaults.map(([what, body]): Case => ({
    name: `refuses ${what}`,
    run: (world) => expectCut(world, body),
  })),
  {
    name: 'answers 411 to a chunked request, whole or not, when its client is not said to be trusted',
    run: async (world) => {
      for (const body of [
        '',
        chunk('abc'),
        chunk('abc') + '0\r\n\r\n',
        '3;a=b\r\nabc\r\n0\r\n\r\n',
      ]) {
        const client = await world.connect()
        let asked = 0
        const path = world.path(() => asked++)
        client.send(post(path, CHUNKED) + body)
        const { status, headers } = await client.readResponse()
        expect([status, headers.get('connection')]).toEqual([411, 'close'])
        await world.assertSound()
        expect(asked).toBe(0)
        client.destroy()
      }
      const { body } = await world.gateway.admin('/metrics')
      const [, count] = /^sluice_errors_total\{.*"CHUNKED_ENGINE".*\} (\d+)$/m.exec(body) ?? []
      expect(Number(count)).toBeGreaterThanOrEqual(4)
    },
  },
  {
    name: 'accepts Transfer-Encoding: Chunked',
    chunked: true,
    run: async (world) => {
      const path = world.path(async (connection, head) => {
        connection.send(answer((await connection.readBody(head)).body))
      })
      const client = await world.connect()
      client.send(post(path, 'Transfer-Encoding: Chunked\r\n') + chunk('abc') + '0\r\n\r\n')
      expect((await client.readResponse()).body).toBe('abc')
    },
  },
  {
    name: 'never takes a trailer section for a request, in one piece or in two',
    chunked: true,
    run: async (world) => {
      let stolen = 0
      const evil = world.path((connection) => {
        stolen++
        connection.send(answer('evil'))
      })
      const path = world.path(async (connection, head) => {
        await connection.readBody(head)
        connection.send(answer('done'))
      })
      const streamed = world.path(async (connection, head) => {
        await connection.readBody(head)
        connection.send(
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' + chunk('done') + '0\r\n\r\n',
        )
      })
      for (const [name, to] of [
        ['A:', path],
        ['A:', streamed],
        ['XX', path],
        ['X-Long: 1\r\nA:', path],
      ] as const) {
        const start = post(to, CHUNKED) + chunk('abc') + '0\r\n'
        const trailer = name + request(evil)
        const whole = await world.connect()
        whole.send(start + trailer)
        const cut = await world.connect()
        cut.send(start + trailer.slice(0, 2))
        await world.assertSound() // the first piece has been read by now
        cut.send(trailer.slice(2))
        await Promise.all([endOrAnswer(whole), endOrAnswer(cut)])
      }
      await world.assertSound()
      expect(stolen).toBe(0)
    },
  },
  {
    name: 'never routes what is hidden behind a refused request',
    run: async (world) => {
      let stolen = 0
      const evil = world.path((connection) => {
        stolen++
        connection.send(answer('evil'))
      })
      const clients = refusals.map(async ({ head, body = '' }) => {
        const client = await world.connect()
        client.send(head('/refused') + body + request(evil))
        await client.untilEnded(20_000)
      })
      await Promise.all(clients)
      await world.assertSound()
      expect(stolen).toBe(0)
    },
  },
]

function endOrAnswer(client: RawClient): Promise<void> {
  return client.until(
    'an end or an answer',
    () => client.ended || client.closed || client.receivedBytes > 0,
    20_000,
  )
}

async function expectRefusal(world: World, { head, body = '', status }: Refusal): Promise<void> {
  let asked = 0
  const path = world.path((connection) => {
    asked++
    connection.send(answer('should not be asked'))
  })
  const client = await world.connect()
  client.send(head(path) + body)
  await client.untilEnded(20_000)
  const given = client.received === '' ? 0 : Number(client.received.split(' ', 2)[1])
  expect(status).toContain(given)
  await world.assertSound()
  expect(asked).toBe(0)
}

async function expectCut(world: World, body: string): Promise<void> {
  let whole = 0
  const path = world.path(async (connection, head) => {
    await connection.readBody(head)
    whole++
    connection.send(answer('a whole request'))
  })
  const client = await world.connect()
  client.send(post(path, CHUNKED) + body)
  await client.untilEnded(20_000)
  const answers = world.engine === 'uws' ? /^HTTP\/1\.1 411 / : /^HTTP\/1\.1 (400|502) /
  if (client.received !== '') expect(client.received).toMatch(answers)
  await world.assertSound()
  expect(whole).toBe(0)
}
