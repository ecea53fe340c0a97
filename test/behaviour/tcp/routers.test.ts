import { describe, expect, test } from 'vitest'
import {
  IN_FLIGHT,
  NO_SERVER,
  REFUSED_ADDRESS,
  SHED_CONNECTIONS,
  UPSTREAM_REFUSED,
} from '../../../core/errors.ts'
import { healthKey } from '../../../workers/health/board.ts'
import { freePorts } from '../../support/gateway.ts'
import {
  all,
  clientOf,
  relayTo,
  serverOf,
  untilNothingIsLeft,
  workerOf,
} from '../../support/tcp-scene.ts'
import { echo } from '../../support/tcp-server.ts'
import { routerOf, serviceOf, transportOf } from '../../support/tcp-worker.ts'

describe('servers', () => {
  test('take turns', async () => {
    const servers = await Promise.all(
      ['a', 'b', 'c'].map((name) => serverOf((socket) => socket.end(name))),
    )
    const ports = servers.map((server) => server.port)
    const worker = await workerOf({ routers: [routerOf(all)], services: [serviceOf(ports)] })
    const answers: string[] = []
    for (let i = 0; i < 6; i++) {
      const client = await clientOf(worker)
      await client.untilEnded()
      answers.push(client.received)
    }
    expect(answers.join('')).toBe('abcabc')
  })

  test('of weighted services get their shares', async () => {
    const [a, b] = await Promise.all(
      ['a', 'b'].map((name) => serverOf((socket) => socket.end(name))),
    )
    const worker = await workerOf({
      routers: [routerOf(all)],
      services: [
        {
          kind: 'weighted',
          name: 'db@file',
          services: [
            { name: 'a@file', weight: 3 },
            { name: 'b@file', weight: 1 },
          ],
        },
        serviceOf([a!.port], { name: 'a@file' }),
        serviceOf([b!.port], { name: 'b@file' }),
      ],
    })
    let answers = ''
    for (let i = 0; i < 8; i++) {
      const client = await clientOf(worker)
      await client.untilEnded()
      answers += client.received
    }
    expect(answers.replaceAll('b', '')).toHaveLength(6)
    expect(answers).toHaveLength(8)
  })

  test('that refuse are passed over once; then the client is closed and the failure is counted', async () => {
    const dead = await freePorts(2)
    const live = await serverOf(echo)
    const first = { routers: [routerOf(all)], services: [serviceOf([dead[0]!, live.port])] }
    const worker = await workerOf(first)
    for (let i = 0; i < 3; i++) {
      const client = await clientOf(worker)
      client.send('hello')
      await client.untilText('hello')
      client.destroy()
    }
    expect(worker.errors(UPSTREAM_REFUSED)).toBe(0)
    worker.adopt({ routers: [routerOf(all)], services: [serviceOf([...dead, live.port])] })
    const unlucky = await clientOf(worker)
    await unlucky.untilEnded()
    expect(worker.errors(UPSTREAM_REFUSED)).toBe(1)
    await untilNothingIsLeft(worker)
  })

  test('that are down get nothing, and when all are the client is closed', async () => {
    const check = {
      port: 0,
      send: '',
      expect: '',
      intervalMs: 1000,
      unhealthyIntervalMs: 1000,
      timeoutMs: 1000,
    }
    const [a, b] = await Promise.all(
      ['a', 'b'].map((name) => serverOf((socket) => socket.end(name))),
    )
    const service = serviceOf([a!.port, b!.port], { healthCheck: check })
    const worker = await workerOf({ routers: [routerOf(all)], services: [service] })
    const keys = [a!, b!].map(({ port }) => healthKey('tcp', 'db@file', `127.0.0.1:${port}`, check))
    worker.context.health.replace([keys[0]!], 0)
    for (let i = 0; i < 3; i++) {
      const client = await clientOf(worker)
      await client.untilEnded()
      expect(client.received).toBe('b')
    }
    worker.context.health.replace(keys, 0)
    const client = await clientOf(worker)
    await client.untilEnded()
    expect(client.received).toBe('')
    expect(worker.errors(NO_SERVER)).toBe(1)
    worker.context.health.replace([], 0)
    const again = await clientOf(worker)
    await again.untilEnded()
    expect(again.received).not.toBe('')
  })

  test('of a list that is empty close the client', async () => {
    const worker = await workerOf({ routers: [routerOf(all)], services: [serviceOf([])] })
    await (await clientOf(worker)).untilEnded()
    expect(worker.errors(NO_SERVER)).toBe(1)
  })

  test.each([1, 2] as const)('are told of the client by PROXY version %i', async (version) => {
    const server = await serverOf()
    const transport = transportOf({ proxyProtocol: version })
    const plans = { routers: [routerOf(all)], services: [serviceOf([server.port])] }
    const worker = await workerOf(
      { ...plans, transports: [transport] },
      {
        facts: {
          clientAddress: '192.0.2.7',
          clientPort: 4711,
          localAddress: '192.0.2.1',
          localPort: 5432,
        },
      },
    )
    const client = await clientOf(worker)
    client.send('hello')
    const behind = await server.next()
    await behind.untilText('hello')
    const header = Buffer.from(behind.received.slice(0, -5), 'latin1')
    if (version === 1)
      expect(header.toString()).toBe('PROXY TCP4 192.0.2.7 192.0.2.1 4711 5432\r\n')
    else
      expect(header.toString('latin1')).toContain(
        '\xc0\x00\x02\x07\xc0\x00\x02\x01\x12\x67\x15\x38',
      )
  })
})

describe('middlewares', () => {
  test('ipAllowList closes those that are not in its ranges', async () => {
    const server = await serverOf(echo)
    const allow = (range: string) => ({
      routers: [routerOf(all, { middlewares: ['allow@file'] })],
      services: [serviceOf([server.port])],
      middlewares: [
        { name: 'allow@file', kind: 'ipAllowList' as const, options: { sourceRange: [range] } },
      ],
    })
    const worker = await workerOf(allow('192.0.2.0/24'))
    const refused = await clientOf(worker)
    await refused.untilEnded()
    expect(worker.errors(REFUSED_ADDRESS)).toBe(1)
    expect(server.accepted).toHaveLength(0)
    worker.adopt(allow('127.0.0.0/8'))
    const client = await clientOf(worker)
    client.send('hello')
    await client.untilText('hello')
  })

  test('inFlightConn closes those above its amount until another one has ended', async () => {
    const server = await serverOf(echo)
    const worker = await workerOf({
      routers: [routerOf(all, { middlewares: ['few@file'] })],
      services: [serviceOf([server.port])],
      middlewares: [{ name: 'few@file', kind: 'inFlightConn', options: { amount: 2 } }],
    })
    const [one, two] = [await clientOf(worker), await clientOf(worker)]
    for (const client of [one, two]) {
      client.send('in')
      await client.untilText('in')
    }
    const third = await clientOf(worker)
    await third.untilEnded()
    expect(worker.errors(IN_FLIGHT)).toBe(1)
    one.end()
    await one.untilEnded()
    const fourth = await clientOf(worker)
    fourth.send('in')
    await fourth.untilText('in')
    for (const client of [two, fourth]) client.destroy()
    await untilNothingIsLeft(worker)
  })

  test('connections above connectionsMax are closed and leave no place taken', async () => {
    const server = await serverOf(echo)
    const worker = await relayTo(
      server,
      {},
      {
        bounds: { connectionsMax: 1 },
      },
    )
    const one = await clientOf(worker)
    one.send('in')
    await one.untilText('in')
    await (await clientOf(worker)).untilEnded()
    expect(worker.errors(SHED_CONNECTIONS)).toBe(1)
    one.destroy()
    await untilNothingIsLeft(worker)
  })
})

describe('a reload', () => {
  test('leaves connections alone whose router and server are gone, and sends new ones elsewhere', async () => {
    const [before, after] = [await serverOf(echo), await serverOf((socket) => socket.end('new'))]
    const worker = await relayTo(before)
    const client = await clientOf(worker)
    client.send('one')
    await client.untilText('one')
    const name = 'other@file'
    worker.adopt({
      routers: [routerOf(all, { name: 'r@file', service: name })],
      services: [serviceOf([after.port], { name })],
    })
    const next = await clientOf(worker)
    await next.untilEnded()
    expect(next.received).toBe('new')
    client.send('two')
    await client.untilText('onetwo')
  })

  test('shares services and routers that did not change, so that turns go on', async () => {
    const servers = await Promise.all(
      ['a', 'b', 'c'].map((name) => serverOf((socket) => socket.end(name))),
    )
    const router = routerOf(all)
    const service = serviceOf(servers.map((server) => server.port))
    const transports = [transportOf()]
    const worker = await workerOf({ routers: [router], services: [service], transports })
    let answers = ''
    for (let i = 0; i < 6; i++) {
      const other = serviceOf([1], { name: `other${i}@file` })
      worker.adopt({ routers: [router], services: [service, other], transports })
      const client = await clientOf(worker)
      await client.untilEnded()
      answers += client.received
    }
    expect(answers).toBe('abcabc')
  })
})
