// test/engine/cases/exchanges.ts: heads, keep-alive, pipelining, HTTP/1.0, informational answers, upgrades.

import { expect } from 'vitest'
import type { Case } from '../suite.ts'
import { answer, chunk, request } from '../world.ts'

export const exchangeCases: readonly Case[] = [
  {
    name: 'serves one request after the other on a kept connection',
    run: async (world) => {
      const path = world.path((connection) =>
        connection.send(answer('hello', 'X-From: origin\r\n')),
      )
      const client = await world.connect()
      for (let i = 0; i < 5; i++) {
        client.send(request(path))
        const { status, body, headers } = await client.readResponse()
        expect([status, body, headers.get('x-from')]).toEqual([200, 'hello', 'origin'])
        expect(headers.get('connection') ?? 'keep-alive').toBe('keep-alive')
        expect(headers.get('date')).toMatch(/GMT$/)
      }
      expect(client.ended).toBe(false)
    },
  },
  {
    name: 'sends the server one Host, no hop-by-hop header and who asked',
    run: async (world) => {
      let head = ''
      const path = world.path((connection, received) => {
        head = received
        connection.send(answer(''))
      })
      const client = await world.connect()
      client.send(
        request(
          path,
          'Connection: X-Hop\r\nX-Hop: 1\r\nX-Keep: 2\r\nX-Forwarded-For: 192.0.2.9\r\n',
        ),
      )
      await client.readResponse()
      const lines = head.toLowerCase().split('\r\n')
      expect(lines.filter((line) => line.startsWith('host:'))).toEqual(['host: engine.test'])
      expect(lines).toContain('x-keep: 2')
      expect(lines).toContain('x-forwarded-for: 127.0.0.1')
      expect(lines.some((line) => /^(connection|x-hop):/.test(line))).toBe(false)
    },
  },
  {
    name: 'takes a head that arrives byte by byte',
    run: async (world) => {
      const path = world.path((connection) => connection.send(answer('pieces')))
      const client = await world.connect()
      for (const character of request(path, 'X-Long: abc\r\n')) {
        client.send(character)
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect((await client.readResponse()).body).toBe('pieces')
    },
  },
  {
    name: 'takes a head that arrives line by line',
    run: async (world) => {
      const path = world.path((connection) => connection.send(answer('lines')))
      const client = await world.connect()
      for (const line of request(path, 'X-Long: abc\r\n').split(/(?<=\r\n)/)) {
        client.send(line)
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect((await client.readResponse()).body).toBe('lines')
    },
  },
  {
    name: 'answers pipelined requests in order',
    run: async (world) => {
      const first = world.path((connection) => connection.send(answer('first')))
      const second = world.path((connection) => connection.send(answer('second')))
      const client = await world.connect()
      client.send(request(first) + request(second) + request(first))
      const bodies = []
      for (let i = 0; i < 3; i++) bodies.push((await client.readResponse()).body)
      expect(bodies).toEqual(['first', 'second', 'first'])
    },
  },
  {
    name: 'closes when the client asks for it, and says so',
    run: async (world) => {
      const path = world.path((connection) => connection.send(answer('last')))
      const client = await world.connect()
      client.send(request(path, 'Connection: close\r\n'))
      const { headers, body } = await client.readResponse()
      expect([body, headers.get('connection')]).toEqual(['last', 'close'])
      await client.untilEnded()
      expect(client.received).toBe('')
    },
  },
  {
    name: 'answers HEAD with the length of the body and without the body',
    run: async (world) => {
      const path = world.path((connection) =>
        connection.send('HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n'),
      )
      const client = await world.connect()
      for (let i = 0; i < 2; i++) {
        client.send(request(path, '', 'HEAD'))
        const { headers } = await client.readResponse(true)
        expect(headers.get('content-length')).toBe('1234')
      }
      expect(client.received).toBe('')
      expect(client.ended).toBe(false)
    },
  },
  {
    name: 'sends 204 and 304 without a body and keeps the connection',
    run: async (world) => {
      const nothing = world.path((connection) => connection.send('HTTP/1.1 204 No Content\r\n\r\n'))
      const same = world.path((connection) =>
        connection.send('HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'),
      )
      const client = await world.connect()
      client.send(request(nothing))
      const first = await client.readResponse()
      expect([first.status, first.headers.get('content-length')]).toEqual([204, undefined])
      client.send(request(same))
      const second = await client.readResponse()
      expect([second.status, second.headers.get('etag')]).toEqual([304, '"a"'])
      client.send(request(nothing))
      expect((await client.readResponse()).status).toBe(204)
      expect(client.ended).toBe(false)
    },
  },
  {
    name: 'passes header bytes beyond ASCII in responses as they are',
    run: async (world) => {
      const path = world.path((connection) => connection.send(answer('x', 'X-Name: caf\xe9\r\n')))
      const client = await world.connect()
      client.send(request(path))
      expect((await client.readResponse()).headers.get('x-name')).toBe('caf\xe9')
    },
  },
  {
    name: 'keeps header bytes beyond ASCII in requests as they are, or refuses the request',
    run: async (world) => {
      let head = ''
      const path = world.path((connection, received) => {
        head = received
        connection.send(answer('x'))
      })
      const client = await world.connect()
      client.send(request(path, 'X-Name: a\xc3\xa9b\r\n'))
      expect((await client.readResponse()).status).toBe(200)
      expect(head).toContain('a\xc3\xa9b')
      head = ''
      client.send(request(path, 'X-Name: a\xe9b\r\n'))
      const { status } = await client.readResponse()
      if (status === 200) expect(head).toContain('a\xe9b')
      else expect([status, head]).toEqual([400, ''])
    },
  },
  {
    name: 'passes 103 on before the final answer',
    run: async (world) => {
      const path = world.path((connection) =>
        connection.send('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' + answer('after')),
      )
      const client = await world.connect()
      client.send(request(path))
      const hints = await client.readResponse()
      expect([hints.status, hints.headers.get('link')]).toEqual([103, '</a>'])
      expect((await client.readResponse()).body).toBe('after')
    },
  },
  {
    name: 'gives the final answer also when the server sends 1xx before it',
    run: async (world) => {
      const path = world.path((connection) =>
        connection.send('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' + answer('after')),
      )
      const client = await world.connect()
      client.send(request(path))
      let response = await client.readResponse()
      while (response.status < 200) response = await client.readResponse()
      expect(response.body).toBe('after')
    },
  },
  {
    name: 'serves HTTP/1.0: closes unless asked to keep, and never sends chunks',
    run: async (world) => {
      const sized = world.path((connection) => connection.send(answer('old')))
      const chunked = world.path((connection) =>
        connection.send(
          `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('to the')}${chunk(' end')}0\r\n\r\n`,
        ),
      )
      const client = await world.connect()
      client.send(`GET ${sized} HTTP/1.0\r\nHost: engine.test\r\nConnection: keep-alive\r\n\r\n`)
      const kept = await client.readResponse()
      expect([kept.body, kept.headers.get('connection')]).toEqual(['old', 'keep-alive'])
      client.send(`GET ${chunked} HTTP/1.0\r\nHost: engine.test\r\n\r\n`)
      await client.untilEnded()
      const { framing, body } = await client.readResponse()
      expect([framing, body]).toEqual(['close', 'to the end'])
    },
  },
  {
    name: 'serves the absolute form and sends its host',
    run: async (world) => {
      let head = ''
      const path = world.path((connection, received) => {
        head = received
        connection.send(answer('absolute'))
      })
      const client = await world.connect()
      client.send(`GET http://engine.test${path} HTTP/1.1\r\nHost: engine.test\r\n\r\n`)
      expect((await client.readResponse()).body).toBe('absolute')
      expect(head.startsWith(`GET ${path} HTTP/1.1\r\n`)).toBe(true)
    },
  },
  {
    name: 'answers a client that has half-closed',
    run: async (world) => {
      const path = world.path(async (connection) => {
        await client.until('half-close to be sent', () => client.socket.writableFinished)
        connection.send(answer('still there'))
      })
      const client = await world.connect()
      client.send(request(path)).end()
      expect((await client.readResponse()).body).toBe('still there')
      await client.untilEnded()
    },
  },
  {
    name: 'relays an upgrade untouched, and nothing before the server has agreed',
    run: async (world) => {
      let early = ''
      const path = world.path(async (connection) => {
        // Once another request has gone through, what came with the first would have been sent on.
        await world.assertSound()
        early = connection.received
        connection.send(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n',
        )
        await connection.untilText('PING\x00\xff')
        connection.received = ''
        connection.send('\x81\x00PONG')
        await connection.untilEnded()
        connection.end()
      })
      const client = await world.connect()
      client.send(request(path, 'Connection: Upgrade\r\nUpgrade: echo\r\n') + 'PING')
      const { status, headers } = await client.readResponse()
      expect([status, headers.get('upgrade')]).toEqual([101, 'echo'])
      expect(early).toBe('')
      client.send('\x00\xff')
      await client.untilText('\x81\x00PONG')
      client.end()
      await client.untilEnded()
    },
  },
  {
    name: 'answers a request for an upgrade with a status when there is none',
    run: async (world) => {
      const path = world.path((connection) => connection.send(answer('no upgrade here')))
      const client = await world.connect()
      client.send(request(path, 'Connection: Upgrade\r\nUpgrade: websocket\r\n'))
      const { status } = await client.readResponse()
      expect([200, 501]).toContain(status)
    },
  },
]
