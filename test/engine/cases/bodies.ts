// test/engine/cases/bodies.ts: request and response bodies, trailers, Expect, slow readers on both sides.

import { existsSync, readFileSync } from 'node:fs'
import { expect } from 'vitest'
import type { RawClient } from '../../support/raw-client.ts'
import { untilStill } from '../../support/wait.ts'
import type { Case } from '../suite.ts'
import { type World, answer, chunk, request } from '../world.ts'

const MANY = 24 * 1024 * 1024
const PIECE = Buffer.alloc(64 * 1024, 'abcdefghijklmnopqrstuvwxyz012345')
// More than kernels hold for two connections (36 MiB each on the machines of the project) when a reader stops.
const FAR_TOO_MUCH = 256 * 1024 * 1024
const GROWTH_MAX = 64 * 1024 * 1024 // of the gateway: its young generation grows by 32 MiB, all held bytes are few

const echo = (world: World) =>
  world.path(async (connection, head) => {
    const { body, trailers } = await connection.readBody(head)
    connection.send(answer(`${body}|${trailers}`))
  })

export const bodyCases: readonly Case[] = [
  {
    name: 'passes a request body of known length, in any pieces',
    run: async (world) => {
      const path = echo(world)
      const client = await world.connect()
      client.send(request(path, 'Content-Length: 10\r\n', 'POST'))
      for (const piece of ['he', 'llo', ' you!']) {
        client.send(piece)
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect((await client.readResponse()).body).toBe('hello you!|')
      client.send(request(path, 'Content-Length: 3\r\n', 'POST') + 'two')
      expect((await client.readResponse()).body).toBe('two|')
    },
  },
  {
    name: 'keeps the connection after a request with Content-Length: 0',
    run: async (world) => {
      const path = echo(world)
      const client = await world.connect()
      for (let i = 0; i < 2; i++) {
        client.send(request(path, 'Content-Length: 0\r\n', 'POST'))
        const { body, headers } = await client.readResponse()
        expect([body, headers.get('connection') ?? '']).toEqual(['|', ''])
      }
      expect(client.ended).toBe(false)
    },
  },
  {
    name: 'passes a chunked request body',
    chunked: true,
    run: async (world) => {
      const client = await world.connect()
      client.send(request(echo(world), 'Transfer-Encoding: chunked\r\n', 'POST'))
      client.send(chunk('hello '))
      await new Promise((resolve) => setImmediate(resolve))
      client.send(chunk('world') + '0\r\n\r\n')
      expect((await client.readResponse()).body).toBe('hello world|')
    },
  },
  {
    name: 'keeps the connection after a chunked request',
    chunked: true,
    run: async (world) => {
      const path = echo(world)
      const client = await world.connect()
      for (let i = 0; i < 2; i++) {
        client.send(
          request(path, 'Transfer-Encoding: chunked\r\n', 'POST') + chunk('a') + '0\r\n\r\n',
        )
        expect((await client.readResponse()).body).toBe('a|')
      }
    },
  },
  {
    name: 'reads chunk extensions as extensions',
    chunked: true,
    run: async (world) => {
      const client = await world.connect()
      client.send(request(echo(world), 'Transfer-Encoding: chunked\r\n', 'POST'))
      client.send('5;a=b\r\nhello\r\n0;last\r\n\r\n')
      expect((await client.readResponse()).body).toBe('hello|')
    },
  },
  {
    name: 'passes request trailers',
    chunked: true,
    run: async (world) => {
      const client = await world.connect()
      client.send(request(echo(world), 'Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n', 'POST'))
      client.send(chunk('body') + '0\r\nX-Sum: 42\r\n\r\n')
      expect((await client.readResponse()).body).toBe('body|X-Sum: 42\r\n')
    },
  },
  {
    name: 'passes response trailers',
    run: async (world) => {
      const path = world.path((connection) =>
        connection.send(
          `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('body')}0\r\nX-Sum: 42\r\n\r\n`,
        ),
      )
      const client = await world.connect()
      client.send(request(path, 'TE: trailers\r\n'))
      const { body, trailers } = await client.readResponse()
      expect([body, trailers]).toEqual(['body', ['X-Sum: 42']])
    },
  },
  {
    name: 'passes a chunked response piece by piece, as it comes',
    run: async (world) => {
      let client: RawClient | null = null
      const path = world.path(async (connection) => {
        connection.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' + chunk('first'))
        await client!.untilText('first')
        connection.send(chunk('second') + '0\r\n\r\n')
      })
      client = await world.connect()
      client.send(request(path))
      const { body, framing } = await client.readResponse()
      expect([body, framing]).toEqual(['firstsecond', 'chunked'])
      client.send(request(echo(world)))
      expect((await client.readResponse()).status).toBe(200)
    },
  },
  {
    name: 'sends a response that ends with its connection in chunks',
    run: async (world) => {
      const path = world.path((connection) => {
        connection.send('HTTP/1.1 200 OK\r\n\r\nto the end').end()
      })
      const client = await world.connect()
      client.send(request(path))
      const { body, framing } = await client.readResponse()
      expect([body, framing]).toEqual(['to the end', 'chunked'])
      expect(client.ended).toBe(false)
    },
  },
  {
    name: 'passes a large response whole',
    run: async (world) => {
      const path = world.path((connection) => sendMany(connection, MANY))
      const client = await world.connect()
      client.send(request(path))
      await readMany(client, MANY)
      client.send(request(echo(world)))
      expect((await client.readResponse()).status).toBe(200)
    },
  },
  {
    name: 'passes a large request whole',
    run: async (world) => {
      const path = world.path(async (connection) => {
        await readMany(connection, MANY)
        connection.send(answer('all of it'))
      })
      const client = await world.connect()
      client.send(request(path, `Content-Length: ${MANY}\r\n`, 'POST'))
      await sendBytes(client, MANY)
      expect((await client.readResponse()).body).toBe('all of it')
    },
  },
  {
    name: 'pauses the server while the client does not read',
    run: async (world) => {
      const sender: RawClient[] = []
      const path = world.path((connection) => {
        sender.push(connection)
        return sendMany(connection, FAR_TOO_MUCH)
      })
      const client = await world.connect()
      client.send(request(path))
      await client.until('the head', () => client.receivedBytes > 0)
      client.socket.pause()
      const before = residentBytes(world)
      await untilStill('what the server could send', () => sender[0]!.sentBytes)
      expect(sender[0]!.sentBytes).toBeLessThan(FAR_TOO_MUCH / 2)
      expect(residentBytes(world) - before).toBeLessThan(GROWTH_MAX)
      client.socket.resume()
      await readMany(client, FAR_TOO_MUCH)
    },
  },
  {
    name: 'pauses the client while the server does not read',
    run: async (world) => {
      const reader: RawClient[] = []
      const path = world.path(async (connection) => {
        connection.socket.pause()
        reader.push(connection)
        await readMany(connection, FAR_TOO_MUCH)
        connection.send(answer('all of it'))
      })
      const client = await world.connect()
      client.send(request(path, `Content-Length: ${FAR_TOO_MUCH}\r\n`, 'POST'))
      const before = residentBytes(world)
      const sending = sendBytes(client, FAR_TOO_MUCH)
      await untilStill('what the client could send', () => client.sentBytes)
      expect(client.sentBytes).toBeLessThan(FAR_TOO_MUCH / 2)
      expect(residentBytes(world) - before).toBeLessThan(GROWTH_MAX)
      reader[0]!.socket.resume()
      await sending
      expect((await client.readResponse()).body).toBe('all of it')
    },
  },
  {
    name: 'passes Expect: 100-continue on and the 100 of the server back',
    run: async (world) => {
      let seen = ''
      const path = world.path(async (connection, head) => {
        seen = head.toLowerCase()
        connection.send('HTTP/1.1 100 Continue\r\n\r\n')
        const { body } = await connection.readBody(head)
        connection.send(answer(body))
      })
      const client = await world.connect()
      client.send(request(path, 'Expect: 100-continue\r\nContent-Length: 4\r\n', 'POST'))
      expect((await client.readResponse()).status).toBe(100)
      client.send('body')
      expect((await client.readResponse()).body).toBe('body')
      expect(seen).toContain('expect: 100-continue')
      expect(client.received).toBe('')
    },
  },
  {
    name: 'lets the server refuse a body that was only announced',
    run: async (world) => {
      const path = world.path((connection) => connection.send(answer('no', '', '413 Too Large')))
      const client = await world.connect()
      client.send(request(path, 'Expect: 100-continue\r\nContent-Length: 400000\r\n', 'POST'))
      expect((await client.readResponse()).status).toBe(413)
    },
  },
  {
    name: 'passes the answer on while the upload is unfinished',
    run: async (world) => {
      const path = world.path((connection) =>
        connection.send(answer('enough', '', '413 Too Large')),
      )
      const client = await world.connect()
      client.send(request(path, 'Content-Length: 1000000\r\n', 'POST') + 'x'.repeat(1000))
      const { status, body } = await client.readResponse()
      expect([status, body]).toEqual([413, 'enough'])
      await world.assertSound()
    },
  },
  {
    name: 'answers an unfinished chunked upload and takes nothing of it for a request',
    chunked: true,
    run: async (world) => {
      let stolen = 0
      const path = world.path((connection) =>
        connection.send(answer('enough', '', '413 Too Large')),
      )
      const evil = world.path((connection) => {
        stolen++
        connection.send(answer('evil'))
      })
      const client = await world.connect()
      client.send(request(path, 'Transfer-Encoding: chunked\r\n', 'POST') + chunk('abc'))
      expect((await client.readResponse()).status).toBe(413)
      client.send('0\r\nA:' + request(evil))
      await world.assertSound()
      expect(stolen).toBe(0)
    },
  },
]

// Linux only, as is CI; elsewhere the figure is 0 and the test holds the rest.
function residentBytes(world: World): number {
  const path = `/proc/${world.gateway.child.pid}/statm`
  return existsSync(path) ? Number(readFileSync(path, 'utf8').split(' ')[1]) * 4096 : 0
}

async function sendMany(connection: RawClient, size: number): Promise<void> {
  connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
  await sendBytes(connection, size)
}

async function sendBytes(to: RawClient, size: number): Promise<void> {
  for (let left = size; left > 0; left -= PIECE.length) {
    const more = to.socket.write(left < PIECE.length ? PIECE.subarray(0, left) : PIECE)
    if (!more)
      await to.until('room to write', () => to.closed || !to.socket.writableNeedDrain, 60_000)
    if (to.closed) return
  }
}

// Reads a head, when one is there, and `size` bytes of PIECE after PIECE without keeping them.
async function readMany(from: RawClient, size: number): Promise<void> {
  let read = 0
  let inHead = from.received !== '' || from.receivedBytes === 0
  await from.until(
    `${size} bytes`,
    () => {
      if (inHead && from.received.startsWith('HTTP/1.1')) {
        const end = from.received.indexOf('\r\n\r\n')
        if (end < 0) return false
        from.take(end + 4)
      }
      inHead = inHead && read === 0 && from.received === ''
      read += checked(from.take(from.received.length), read)
      return read === size
    },
    60_000,
  )
}

const PATTERN = PIECE.latin1Slice(0, 32)

function checked(text: string, at: number): number {
  for (const i of [0, text.length >> 1, text.length - 1]) {
    if (i >= 0 && i < text.length && text[i] !== PATTERN[(at + i) % 32]) {
      throw new Error(`byte ${at + i} is ${JSON.stringify(text[i])}`)
    }
  }
  return text.length
}
