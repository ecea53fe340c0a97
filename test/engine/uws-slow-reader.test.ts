// What uWebSockets.js itself buffers for a client that reads slowly: none of it stays behind.

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OriginConnection } from '../support/origin.ts'
import type { RawClient } from '../support/raw-client.ts'
import { eventually, untilStill } from '../support/wait.ts'
import { World, chunk, request } from './world.ts'

const PIECE = chunk('x'.repeat(16 * 1024))
const ALL = 64 * 1024 * 1024 // more than kernels take
const HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
const AROUND = 16 // pieces: four reads of the gateway
const WITHIN_MS = 8000 // what stays behind would come when the connection ends by its timeout, 10 s at the earliest

let world: World

beforeAll(async () => {
  world = await World.start('uws')
})
afterAll(async () => world.stop())

async function askWithoutReading(path: string): Promise<RawClient> {
  const client = await world.connect()
  client.socket.pause()
  client.send(request(path))
  return client
}

// In pieces: what reaches a client that does not read.
async function kernelPieces(): Promise<number> {
  let server: OriginConnection | null = null
  const path = world.path((connection) => {
    server = connection
    connection.send(HEAD + PIECE.repeat(ALL / PIECE.length))
    return connection.untilEnded(60_000)
  })
  const client = await askWithoutReading(path)
  await untilStill('what the server could send', () => server?.sentBytes ?? 0)
  server!.reset() // the gateway throws away what it has itself
  client.socket.resume()
  await client.untilEnded()
  return Math.floor(client.receivedBytes / PIECE.length)
}

// One of these is held up by its very last bytes: then nobody's next write sends what uWebSockets.js has kept.
test('a client that reads again gets all that was sent, though the server has nothing to add', async () => {
  const enough = await kernelPieces()
  const counts = Array.from({ length: 2 * AROUND }, (_, i) => enough - AROUND + i)
  const taken: number[] = []
  const clients = await Promise.all(
    counts.map((count) =>
      askWithoutReading(
        world.path(async (connection) => {
          connection.send(HEAD + PIECE.repeat(count))
          const { socket } = connection
          await connection.until('the kernel', () => socket.writableLength === 0)
          taken.push(count)
          await connection.untilEnded(60_000)
        }),
      ),
    ),
  )
  await eventually('all to be sent', () => taken.length === counts.length)
  for (const client of clients) client.socket.resume()
  const all = clients.map((client, i) => {
    const bytes = counts[i]! * (PIECE.length - 8)
    return client.until(`${bytes} bytes`, () => client.receivedBytes >= bytes, WITHIN_MS)
  })
  await Promise.all(all)
  expect(clients.filter((client) => client.ended)).toEqual([])
  world.closeClients()
}, 60_000)
