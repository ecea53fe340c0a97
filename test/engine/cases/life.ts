// test/engine/cases/life.ts: reloads and the end of the gateway, seen by a client in the middle of things.

import { expect } from 'vitest'
import { type Keys, routesTo } from '../../support/gateway.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'
import type { Case } from '../suite.ts'
import { type World, answer, request } from '../world.ts'

// The routes of the world, with a header that says which edition they are.
function edition(world: World, number: number): Keys {
  const routes = routesTo([world.origin.url]) as { http: { routers: { all: Keys } } & Keys }
  const { all } = routes.http.routers
  return {
    http: {
      ...routes.http,
      routers: { all: { ...all, middlewares: ['edition'] } },
      middlewares: {
        edition: { headers: { customResponseHeaders: { 'X-Edition': String(number) } } },
      },
    },
  }
}

export const lifeCases: readonly Case[] = [
  {
    name: 'adopts new routes on a kept connection without failing a request',
    run: async (world) => {
      const path = world.path((connection) => connection.send(answer('x')))
      const client = await world.connect()
      for (let number = 1; number <= 5; number++) {
        world.gateway.writeRoutes(edition(world, number))
        let seen = ''
        while (seen !== String(number)) {
          client.send(request(path))
          const { status, headers } = await client.readResponse()
          expect(status).toBe(200)
          seen = headers.get('x-edition') ?? ''
        }
      }
      expect(client.ended).toBe(false)
    },
  },
  {
    name: 'serves an exchange to its end while the routes change',
    run: async (world) => {
      let goOn: () => void = ignore
      const slow = world.path(async (connection) => {
        connection.send('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf')
        await new Promise<void>((resolve) => (goOn = resolve))
        connection.send('half')
      })
      const path = world.path((connection) => connection.send(answer('x')))
      const waiting = await world.connect()
      waiting.send(request(slow))
      await waiting.untilText('half')
      world.gateway.writeRoutes(edition(world, 77))
      const other = await world.connect()
      for (let seen = ''; seen !== '77';) {
        other.send(request(path))
        seen = (await other.readResponse()).headers.get('x-edition') ?? ''
      }
      goOn()
      expect((await waiting.readResponse()).body).toBe('halfhalf')
    },
  },
  {
    name: 'ends what is in flight when it is told to stop, closes idle connections and takes no new ones',
    ownGateway: true,
    run: async (world) => {
      let goOn: () => void = ignore
      const slow = world.path(async (connection) => {
        await new Promise<void>((resolve) => (goOn = resolve))
        connection.send(answer('finished'))
      })
      const quick = world.path((connection) => connection.send(answer('x')))
      const idle = await world.connect()
      idle.send(request(quick))
      await idle.readResponse()
      const waiting = await world.connect()
      waiting.send(request(slow))
      await eventually('the request to wait at the server', () => goOn !== ignore)
      world.gateway.child.kill('SIGTERM')
      await world.gateway.untilStderr('shutting down')
      await refused(world.gateway.port)
      goOn()
      const { body, headers } = await waiting.readResponse()
      expect([body, headers.get('connection')]).toEqual(['finished', 'close'])
      await idle.untilEnded()
      await world.gateway.untilExit()
      expect(world.gateway.exit).toEqual({ code: 0, signal: null })
    },
  },
]

function ignore(): void {}

// Nobody listens any more.
async function refused(port: number): Promise<void> {
  for (;;) {
    const client = await connectRaw(port).catch((error: NodeJS.ErrnoException) => error)
    if (!(client instanceof Error)) {
      client.destroy()
      continue
    }
    // A reset: it was accepted by the kernel, for a listener that was closed a moment later.
    const { code } = client as NodeJS.ErrnoException
    expect(['ECONNREFUSED', 'ECONNRESET']).toContain(code)
    if (code === 'ECONNREFUSED') return
  }
}
