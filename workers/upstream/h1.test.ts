// Deadlines of a connection to a server, by a clock and a socket of the test's own: what a kernel takes can't be forced.

import { expect, test } from 'vitest'
import { UPSTREAM_HEADER_TIMEOUT, UPSTREAM_STALL } from '../../core/errors.ts'
import { BODY_LENGTH } from '../../core/exchange.ts'
import { type LiveExchange, leaseExchange } from '../live-exchange.ts'
import type { Socket } from '../socket.ts'
import { H1Connection } from './h1.ts'
import { BUSY, CLOSED } from './phases.ts'
import type { Server } from './server.ts'

class Watched extends H1Connection {
  failedWith = 0

  protected override failOne(_exchange: LiveExchange, code: number): void {
    this.failedWith = code
  }
}

interface Stage {
  readonly connection: Watched
  readonly socket: { held: number; heldBytes: number }
  tick(now: number): number
}

const nothing = () => true

// A request that was read whole; the last 1000 bytes of it wait in our queue.
function asked(stallTimeoutMs: number, responseHeaderTimeoutMs: number): Stage {
  const sweeper = { now: 1000 }
  const transport = { stallTimeoutMs, responseHeaderTimeoutMs, lifetimeMs: 0 }
  const server = { context: { sweeper }, transport, forget: nothing, distrust: nothing }
  const verbs = { noDelay: nothing, resume: nothing, close: nothing, settle: nothing }
  const socket = { held: 0, heldBytes: 0, writeText: nothing, writeParts: nothing, ...verbs }
  const connection = new Watched(server as unknown as Server, sweeper.now)
  connection.opened(socket as unknown as Socket)
  const exchange = leaseExchange()
  exchange.bodyKind = BODY_LENGTH
  connection.begin(exchange, 'POST / HTTP/1.1\r\n\r\n', false)
  Object.assign(socket, { held: 1, heldBytes: 1000 })
  connection.sendEnd(exchange, null)
  const tick = (now: number): number => {
    sweeper.now = now
    connection.onTick(now)
    return connection.failedWith
  }
  return { connection, socket, tick }
}

test('a server that does not take the last bytes of a request is given up on after stallTimeout', () => {
  const { tick } = asked(500, 0)
  expect([tick(1100), tick(1500)]).toEqual([0, 0])
  expect(tick(1700)).toBe(UPSTREAM_STALL)
})

test('one that takes some of them is not, and has no such limit once it has all', () => {
  const { socket, tick } = asked(500, 0)
  expect(tick(1100)).toBe(0)
  socket.heldBytes = 400
  expect([tick(1500), tick(1900)]).toEqual([0, 0])
  Object.assign(socket, { held: 0, heldBytes: 0 })
  expect(tick(9000)).toBe(0)
})

test('responseHeaderTimeout holds meanwhile as it does otherwise', () => {
  expect(asked(0, 500).tick(1600)).toBe(UPSTREAM_HEADER_TIMEOUT)
  expect(asked(5000, 500).tick(1600)).toBe(UPSTREAM_HEADER_TIMEOUT)
})

// The client has left a tunnel; what it sent last is still on its way.
function ending(): Stage {
  const stage = asked(500, 0)
  const { connection } = stage
  const exchange = connection.exchange!
  exchange.wantsUpgrade = true
  const head = Buffer.from('HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: own\r\n\r\n')
  connection.onBytes(head, head.length)
  connection.cancel(exchange)
  return stage
}

test('a server has a minute for each piece of the last bytes of a tunnel', () => {
  const { connection, socket, tick } = ending()
  for (let now = 1100, left = 1000; left > 0; now += 50_000, left -= 100) {
    socket.heldBytes = left
    tick(now)
    expect(connection.state).toBe(BUSY)
  }
  tick(700_000)
  expect(connection.state).toBe(CLOSED)
})
