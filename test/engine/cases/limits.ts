// test/engine/cases/limits.ts: what is too large, too many or too slow.

import { expect } from 'vitest'
import { eventually } from '../../support/wait.ts'
import type { Case } from '../suite.ts'
import { answer, chunk, request } from '../world.ts'

const times = (keys: object) => ({ web: { transport: { respondingTimeouts: keys } } })
const limits = (keys: object) => ({ web: { transport: { limits: keys } } })

export const limitCases: readonly Case[] = [
  {
    name: 'answers 431 to a head that is too large',
    options: limits({ headBytesMax: 8192 }),
    run: async (world) => {
      const path = world.path((connection) => connection.send(answer('x')))
      const client = await world.connect()
      client.send(request(path, `X-Large: ${'x'.repeat(7000)}\r\n`))
      expect((await client.readResponse()).status).toBe(200)
      client.send(request(path, `X-Large: ${'x'.repeat(8192)}\r\n`))
      expect((await client.readResponse()).status).toBe(431)
      await client.untilEnded()
      await world.assertSound()
    },
  },
  {
    name: 'answers 414 to a request line that is too large',
    options: limits({ headBytesMax: 8192 }),
    run: async (world) => {
      const client = await world.connect()
      client.send(request('/' + 'x'.repeat(9000)))
      expect((await client.readResponse()).status).toBe(414)
      await client.untilEnded()
    },
  },
  {
    name: 'answers 431 to too many headers',
    options: limits({ headerCountMax: 20 }),
    run: async (world) => {
      const path = world.path((connection) => connection.send(answer('x')))
      const client = await world.connect()
      client.send(request(path, 'X-A: b\r\n'.repeat(19)))
      expect((await client.readResponse()).status).toBe(200)
      client.send(request(path, 'X-A: b\r\n'.repeat(20)))
      expect((await client.readResponse()).status).toBe(431)
    },
  },
  {
    name: 'refuses connections beyond connectionsMax and takes them again when there is room',
    options: limits({ connectionsMax: 2 }),
    run: async (world) => {
      const path = world.path((connection) => connection.send(answer('x')))
      const clients = [await world.connect(), await world.connect()]
      for (const client of clients) {
        client.send(request(path))
        expect((await client.readResponse()).status).toBe(200)
      }
      const third = await world.connect()
      await third.untilEnded()
      if (third.received !== '') expect(third.received).toMatch(/^HTTP\/1\.1 503 /)
      for (const client of clients) client.destroy()
      await eventually('room for another one', () =>
        world.assertSound().then(
          () => true,
          () => false,
        ),
      )
    },
  },
  {
    name: 'answers 408 to a head that is not complete in time',
    options: times({ headerTimeout: '300ms' }),
    run: async (world) => {
      const client = await world.connect()
      client.send('GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ')
      expect((await client.readResponse()).status).toBe(408)
      await client.untilEnded()
    },
  },
  {
    name: 'closes a connection that sends no request',
    options: times({ idleTimeout: '2s' }),
    run: async (world) => {
      const fresh = await world.connect()
      const used = await world.connect()
      used.send(request(world.path((connection) => connection.send(answer('x')))))
      await used.readResponse()
      await Promise.all([fresh.untilEnded(), used.untilEnded()])
      expect(fresh.received + used.received).toBe('')
    },
  },
  {
    name: 'closes a connection that sends no request after its compiled-in time',
    run: async (world) => {
      const fresh = await world.connect()
      await fresh.untilEnded(40_000)
      expect(fresh.received).toBe('')
    },
  },
  {
    name: 'gives up on a request body that stalls, and the server does not take it for whole',
    options: times({ bodyStallTimeout: '300ms' }),
    run: async (world) => {
      let rest = ''
      const path = world.path(async (connection) => {
        await connection.untilEnded()
        rest = connection.received
      })
      const client = await world.connect()
      client.send(request(path, 'Content-Length: 100\r\n', 'POST') + 'half')
      expect((await client.readResponse()).status).toBe(408)
      await client.untilEnded()
      await eventually('the server to see the cut', () => rest === 'half')
      await world.assertSound()
    },
  },
  {
    name: 'does not give up on a request body that is slow but moves',
    options: times({ bodyStallTimeout: '2s', headerTimeout: '2s' }),
    run: async (world) => {
      const path = world.path(async (connection, head) => {
        connection.send(answer((await connection.readBody(head)).body))
      })
      const client = await world.connect()
      client.send(request(path, 'Content-Length: 8\r\n', 'POST'))
      for (let i = 0; i < 8; i++) {
        client.send('x')
        await new Promise((resolve) => setTimeout(resolve, 300)) // the slowness is the case
      }
      expect((await client.readResponse()).body).toBe('xxxxxxxx')
    },
  },
  {
    name: 'gives up on a client that does not read',
    options: times({ writeStallTimeout: '500ms' }),
    run: async (world) => {
      let closed = false
      const path = world.path(async (connection) => {
        connection.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
        const piece = chunk('x'.repeat(256 * 1024))
        const { socket } = connection
        // One that is destroyed never needs a drain, and tells that it is closed in a later turn only.
        while (!connection.closed && !socket.destroyed) {
          connection.send(piece)
          await connection.until('room', () => connection.closed || !socket.writableNeedDrain)
        }
        closed = true
      })
      const client = await world.connect()
      client.send(request(path))
      await client.until('the head', () => client.receivedBytes > 0)
      client.socket.pause()
      await eventually('the gateway to leave the server', () => closed)
    },
  },
]
