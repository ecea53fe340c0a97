// test/engine/cases/failures.ts: what a client sees when a server fails: an error, or a response that is
// visibly cut, but never one that looks whole and isn't.

import { expect } from 'vitest'
import { freePorts, routesTo } from '../../support/gateway.ts'
import { eventually } from '../../support/wait.ts'
import type { Case } from '../suite.ts'
import { type Script, type World, answer, chunk, request } from '../world.ts'

const badAnswers: readonly (readonly [string, string])[] = [
  ['is no HTTP', 'SSH-2.0-x\r\n\r\n'],
  ['has two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
  [
    'has a length beside chunks',
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['has a control byte in a header', 'HTTP/1.1 200 OK\r\nX-A: b\0c\r\nContent-Length: 0\r\n\r\n'],
  [
    'switches protocols unasked',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
  ],
]

export const failureCases: readonly Case[] = [
  {
    name: 'answers 502 when the server refuses the connection',
    run: async (world) => {
      const [unused = 0] = await freePorts(1)
      world.gateway.writeRoutes(routesTo([`http://127.0.0.1:${unused}`]))
      await expectAnswer(world, 502)
      world.gateway.writeRoutes(routesTo([world.origin.url]))
      await expectAnswer(world, 200)
    },
  },
  {
    name: 'answers 502 when the server closes before its head',
    run: (world) => expectStatus(world, (connection) => connection.destroy(), 502),
  },
  {
    name: 'answers 502 when the server resets in the middle of its head',
    run: (world) =>
      expectStatus(
        world,
        (connection) => {
          connection.send('HTTP/1.1 200 OK\r\nX-A')
          connection.socket.end()
        },
        502,
      ),
  },
  ...badAnswers.map(([what, bytes]): Case => ({
    name: `answers 502 when the answer of the server ${what}`,
    run: (world) => expectStatus(world, (connection) => connection.send(bytes), 502),
  })),
  {
    name: 'cuts a response of known length whose server has died',
    run: async (world) => {
      const path = world.path(async (connection) => {
        connection.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
        await client.untilText('half')
        connection.destroy()
      })
      const client = await world.connect()
      client.send(request(path))
      await client.untilEnded()
      expect(client.received.split('\r\n\r\n')[1]).toBe('half')
      await world.assertSound()
    },
  },
  {
    name: 'cuts a chunked response whose server has died',
    run: async (world) => {
      const path = world.path(async (connection) => {
        connection.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' + chunk('half'))
        await client.untilText('half')
        connection.destroy()
      })
      const client = await world.connect()
      client.send(request(path))
      await client.untilEnded()
      expect(client.received).not.toContain('0\r\n\r\n')
      await world.assertSound()
    },
  },
  {
    name: 'closes the connection to the server when the client has gone',
    run: async (world) => {
      let left = false
      const path = world.path(async (connection) => {
        client.reset()
        await connection.untilEnded()
        left = true
      })
      const client = await world.connect()
      client.send(request(path))
      await eventually('the server to be left', () => left)
      await world.assertSound()
    },
  },
  {
    name: 'does not let a cut upload look whole to the server',
    chunked: true,
    run: async (world) => {
      let whole = false
      let ended: Promise<void> | null = null
      const path = world.path(async (connection, head) => {
        await connection.untilText('half')
        client.reset()
        ended = connection.untilEnded()
        await connection.readBody(head).then(
          () => (whole = true),
          () => {},
        )
      })
      const client = await world.connect()
      client.send(request(path, 'Transfer-Encoding: chunked\r\n', 'POST') + chunk('half'))
      await client.until('the server to see the end', () => client.closed)
      await world.assertSound()
      await ended
      expect(whole).toBe(false)
    },
  },
  {
    name: 'sends GET again when a reused connection died under it, and POST not',
    run: async (world) => {
      let calls = 0
      const path = world.path((connection) => {
        calls++
        // The first answer leaves a reusable connection, which dies at the next request.
        if (calls === 2) connection.destroy()
        else connection.send(answer(`call ${calls}`))
      })
      const client = await world.connect()
      client.send(request(path))
      expect((await client.readResponse()).body).toBe('call 1')
      client.send(request(path))
      expect((await client.readResponse()).body).toBe('call 3')
      calls = 1
      client.send(request(path, 'Content-Length: 2\r\n', 'POST') + 'ab')
      expect((await client.readResponse()).status).toBe(502)
      expect(calls).toBe(2)
    },
  },
]

async function expectStatus(world: World, script: Script, status: number): Promise<void> {
  const client = await world.connect()
  client.send(request(world.path(script)))
  expect((await client.readResponse()).status).toBe(status)
  await world.assertSound()
}

// The routes are read again some time after the file has changed.
async function expectAnswer(world: World, status: number): Promise<void> {
  const path = world.path((connection) => connection.send(answer('x')))
  const client = await world.connect()
  for (let i = 0; i < 2000; i++) {
    client.send(request(path))
    if ((await client.readResponse()).status === status) return
  }
  throw new Error(`never ${status}`)
}
