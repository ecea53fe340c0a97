// Servers that a worker made for a generation which it never served are not kept.

import { expect, test } from 'vitest'
import { emptyGeneration } from '../../../config/generation.ts'
import type { Keys } from '../../support/gateway.ts'
import { adopt, builderOf, generationOf, newContext } from '../../support/live.ts'

function routesTo(...ports: number[]): Keys {
  const servers = ports.map((port) => ({ url: `http://127.0.0.1:${port}` }))
  return {
    http: {
      routers: { all: { rule: 'PathPrefix(`/`)', service: 'origin' } },
      services: { origin: { loadBalancer: { servers } } },
    },
  }
}

// What a worker knows besides, such as the server of the admin API.
function started() {
  const context = newContext()
  const first = generationOf(routesTo(1), 1)
  adopt(context, emptyGeneration(), first)
  return { context, first, before: context.servers.size }
}

test('a generation that is refused leaves no server behind, and takes none that is in use', () => {
  const { context, first, before } = started()
  const used = context.generation.service('origin@file')!.servers[0]!
  for (let number = 2; number < 30; number++) {
    const builder = builderOf(context, first, generationOf(routesTo(1, 1000 + number), number))
    expect(context.servers.size).toBe(before + 1)
    builder.discard()
  }
  expect(context.servers.size).toBe(before)
  expect(used.users).toBe(1)
})

test('a generation that is superseded before it was adopted leaves no server behind', () => {
  const { context, first, before } = started()
  for (let number = 2; number < 30; number++) {
    const builder = builderOf(context, first, generationOf(routesTo(1000 + number), number))
    while (!builder.finishStep(100)) continue
    context.prepare(builder.next)
  }
  expect(context.servers.size).toBe(before + 1) // that of the last one, which may still be adopted
  adopt(context, first, generationOf(routesTo(1), 30))
  expect(context.servers.size).toBe(before)
})

test('a server that the next generation names as well stays the same while the one before goes', () => {
  const { context, first } = started()
  const server = context.generation.service('origin@file')!.servers[0]!
  const second = generationOf(routesTo(1, 2), 2)
  adopt(context, first, second)
  expect(context.generation.service('origin@file')!.servers[0]).toBe(server)
  expect(server.users).toBe(1)
  adopt(context, second, generationOf(routesTo(2), 3))
  expect(server.users).toBe(0)
})

test('servers of a service that could not be made are dropped with its generation', () => {
  const { context, before } = started()
  const builder = builderOf(context, emptyGeneration(), generationOf(routesTo(1), 2))
  const transport = builder.next.transports.values().next().value!
  context.servers.get('http://127.0.0.1:7', transport)
  expect(context.servers.size).toBe(before + 1)
  builder.discard()
  expect(context.servers.size).toBe(before)
})
