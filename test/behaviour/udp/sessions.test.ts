import { describe, expect, onTestFinished, test } from 'vitest'
import type { UdpServicePlan } from '../../../config/protocol-plans.ts'
import { DESCRIPTORS_MAX } from '../../../core/shared/control.ts'
import { echo, peer, serviceOf, startWorker } from '../../support/udp-worker.ts'
import { Wait, eventually } from '../../support/wait.ts'

function untilCounted(isThere: () => boolean): Promise<void> {
  return eventually('the counts to be right', isThere)
}

const dropped = 'sluice_udp_dropped_datagrams_total'

describe('a session', () => {
  test('passes datagrams both ways unchanged, empty and large ones too', async () => {
    const server = await peer(echo)
    const worker = await startWorker([serviceOf([server.port])])
    const client = await peer()
    const sent = ['', 'hello', '\0\xff'.repeat(20_000)]
    for (const [i, text] of sent.entries()) {
      client.send(text, worker.listener.port)
      await client.until(i + 1)
    }
    expect(client.texts).toEqual(sent)
    expect(client.got.every(({ from }) => from === worker.listener.port)).toBe(true)
    expect(new Set(server.got.map(({ from }) => from)).size).toBe(1)
    expect(worker.count('sluice_udp_sessions_total')).toBe(1)
    expect(worker.count('sluice_udp_received_datagrams_total')).toBe(3)
    expect(worker.count('sluice_udp_sent_datagrams_total')).toBe(3)
  })

  test('belongs to one client: each has another port at the server and gets its own answers', async () => {
    const server = await peer((text) => `to ${text}`)
    const worker = await startWorker([serviceOf([server.port])])
    const clients = await Promise.all(Array.from({ length: 50 }, () => peer()))
    for (let round = 0; round < 3; round++) {
      for (const [i, client] of clients.entries())
        client.send(`${i}.${round}`, worker.listener.port)
      await Promise.all(clients.map((client) => client.until(round + 1)))
    }
    for (const [i, client] of clients.entries())
      expect(client.texts).toEqual([`to ${i}.0`, `to ${i}.1`, `to ${i}.2`])
    expect(new Set(server.got.map(({ from }) => from)).size).toBe(50)
    expect(worker.count('open_connections', 'UDP')).toBe(50)
  })

  test('ends after udp.timeout without a datagram, and not while answers come', async () => {
    const server = await peer()
    const worker = await startWorker([serviceOf([server.port])], { timeoutMs: 2000 })
    const [quiet, busy] = [await peer(), await peer()]
    busy.send('busy', worker.listener.port)
    await server.until(1)
    const { from: behind } = server.got[0]!
    const from = performance.now()
    quiet.send('quiet', worker.listener.port)
    await server.until(2)
    const gone = new Wait()
    const watch = setInterval(() => {
      server.send('still here', behind)
      gone.look()
    }, 20)
    onTestFinished(() => clearInterval(watch))
    await gone.until(
      () => worker.listener.size === 1,
      () => `one session, not ${worker.listener.size}`,
    )
    expect(performance.now() - from).toBeGreaterThan(1850)
    busy.send('again', worker.listener.port)
    await server.until(3)
    expect(server.got[2]!.from).toBe(behind)
    expect(worker.count('open_connections', 'UDP')).toBe(1)
  })

  test('takes no datagram from anybody but its server', async () => {
    const server = await peer(echo)
    const stranger = await peer()
    const worker = await startWorker([serviceOf([server.port])])
    const client = await peer()
    client.send('one', worker.listener.port)
    await client.until(1)
    stranger.send('from a stranger', server.got[0]!.from)
    client.send('two', worker.listener.port)
    await client.until(2)
    expect(client.texts).toEqual(['one', 'two'])
  })

  test('of a name waits for its address and loses nothing that came meanwhile, up to a bound', async () => {
    const server = await peer()
    const servers = [{ address: `dns.example:${server.port}` }]
    const worker = await startWorker([{ kind: 'loadBalancer', name: 'dns@file', servers }])
    const asked: ((addresses: string[]) => void)[] = []
    const names = { resolve: (...args: unknown[]) => asked.push(args[3] as (typeof asked)[number]) }
    Object.assign(worker.context, { names })
    const client = await peer()
    const sent = Array.from({ length: 20 }, (_, i) => `${i}`)
    for (const text of sent) client.send(text, worker.listener.port)
    await untilCounted(() => worker.count(dropped, 'send') === 4)
    expect(asked).toHaveLength(1)
    asked[0]!(['127.0.0.1'])
    await server.until(16)
    expect(server.texts).toEqual(sent.slice(0, 16))
  })
})

describe('servers', () => {
  test('take turns by sessions, and by weight', async () => {
    const [a, b] = [await peer(() => 'a'), await peer(() => 'b')]
    const weighted: UdpServicePlan = {
      kind: 'weighted',
      name: 'all@file',
      services: [
        { name: 'a@file', weight: 3 },
        { name: 'b@file', weight: 1 },
      ],
    }
    const children = [serviceOf([a.port], 'a@file'), serviceOf([b.port], 'b@file')]
    const worker = await startWorker([weighted, ...children])
    const answers: string[] = []
    for (let i = 0; i < 8; i++) {
      const client = await peer()
      client.send('?', worker.listener.port)
      await client.until(1)
      answers.push(client.texts[0]!)
    }
    expect(answers.filter((answer) => answer === 'a')).toHaveLength(6)
  })

  async function workerOfDeadAndLive() {
    const dead = await peer()
    const live = await peer(echo)
    const ports = [dead.port, live.port]
    await dead.close()
    return startWorker([serviceOf(ports)])
  }

  test('that are not there end the session, and the next datagram meets the next server', async () => {
    const worker = await workerOfDeadAndLive()
    const client = await peer()
    client.send('one', worker.listener.port)
    await untilCounted(() => worker.count(dropped, 'unreachable') === 1)
    expect(worker.listener.size).toBe(0)
    client.send('two', worker.listener.port)
    await client.until(1)
    expect(client.texts).toEqual(['two'])
  })

  test('that are not there are left by a client whose datagrams come in pairs as well', async () => {
    const worker = await workerOfDeadAndLive()
    const client = await peer()
    await eventually('an answer', async () => {
      client.send('one', worker.listener.port)
      client.send('two', worker.listener.port)
      return client.got.length > 0
    })
    expect(worker.count(dropped, 'unreachable')).toBeGreaterThan(0)
    expect(worker.listener.size).toBe(1)
  })

  test('or routers that are missing drop datagrams, which are counted', async () => {
    const worker = await startWorker([])
    const client = await peer()
    const other = await startWorker([serviceOf([])])
    client.send('x', worker.listener.port)
    client.send('x', other.listener.port)
    await untilCounted(
      () => worker.count(dropped, 'no_router') === 1 && other.count(dropped, 'no_server') === 1,
    )
    expect(worker.listener.size + other.listener.size).toBe(0)
  })

  test('are those of the new configuration for new sessions, and sessions keep theirs', async () => {
    const [before, after] = [await peer(() => 'before'), await peer(() => 'after')]
    const worker = await startWorker([serviceOf([before.port])])
    const [one, two] = [await peer(), await peer()]
    one.send('?', worker.listener.port)
    await one.until(1)
    worker.adopt([serviceOf([after.port])])
    one.send('?', worker.listener.port)
    two.send('?', worker.listener.port)
    await Promise.all([one.until(2), two.until(1)])
    expect([one.texts, two.texts]).toEqual([['before', 'before'], ['after']])
  })
})

describe('bounds', () => {
  test('a client above the most sessions is not served, those that are go on', async () => {
    const server = await peer(echo)
    const worker = await startWorker([serviceOf([server.port])], {
      sessionsMax: 3,
      timeoutMs: 2000,
    })
    const clients = await Promise.all(Array.from({ length: 3 }, () => peer()))
    for (const client of clients) {
      client.send('in', worker.listener.port)
      await client.until(1)
    }
    const late = await peer()
    late.send('late', worker.listener.port)
    for (const client of clients) {
      client.send('again', worker.listener.port)
      await client.until(2)
    }
    expect(worker.count(dropped, 'sessions_max')).toBe(1)
    expect(late.got).toHaveLength(0)
    await untilCounted(() => worker.listener.size === 0)
    late.send('late', worker.listener.port)
    await late.until(1)
  })
})

test('the last descriptors of the process are not for new clients', async () => {
  const server = await peer(echo)
  const worker = await startWorker([serviceOf([server.port])])
  const control = new Int32Array(worker.context.plan.control)
  Atomics.store(control, DESCRIPTORS_MAX, 10)
  const client = await peer()
  client.send('one', worker.listener.port)
  await untilCounted(() => worker.count(dropped, 'descriptors') === 1)
  expect(worker.listener.size).toBe(0)
  Atomics.store(control, DESCRIPTORS_MAX, 0)
  client.send('two', worker.listener.port)
  await client.until(1)
  expect(client.texts).toEqual(['two'])
})

describe('several workers on one address', () => {
  test('share the clients, each of which stays with one of them', async () => {
    const server = await peer(echo)
    const first = await startWorker([serviceOf([server.port])])
    const { port } = first.listener
    const second = await startWorker([serviceOf([server.port])], { port, index: 1 })
    const clients = await Promise.all(Array.from({ length: 64 }, () => peer()))
    for (let round = 0; round < 3; round++) {
      for (const client of clients) client.send(`${round}`, port)
      await Promise.all(clients.map((client) => client.until(round + 1)))
    }
    expect(first.listener.size + second.listener.size).toBe(64)
    expect(first.listener.size).toBeGreaterThan(5)
    expect(second.listener.size).toBeGreaterThan(5)
    expect(new Set(server.got.map(({ from }) => from)).size).toBe(64)
  })

  test('go on when one is replaced: every client still gets its answers', async () => {
    const server = await peer(echo)
    const first = await startWorker([serviceOf([server.port])])
    const { port } = first.listener
    const second = await startWorker([serviceOf([server.port])], { port, index: 1 })
    const clients = await Promise.all(Array.from({ length: 64 }, () => peer()))
    const ask = async (round: number): Promise<void> => {
      for (const client of clients) client.send(`${round}`, port)
      await Promise.all(clients.map((client) => client.until(round + 1)))
    }
    await ask(0)
    first.listener.close() // it has died, with its sessions
    await ask(1)
    expect(second.listener.size).toBe(64)
    const third = await startWorker([serviceOf([server.port])], { port, index: 0 })
    await ask(2)
    expect(third.listener.size).toBeGreaterThan(5)
    // An answer to a session whose client now meets another worker still comes from the same address.
    const ports = new Set(server.got.slice(64, 128).map(({ from }) => from))
    for (const from of ports) server.send('late answer', from)
    await Promise.all(clients.map((client) => client.until(4)))
    for (const client of clients) expect(client.got.every(({ from }) => from === port)).toBe(true)
  })
})

describe('the end', () => {
  test('waits for sessions no longer than the grace, serves meanwhile, and closes at once without any', async () => {
    const server = await peer(echo)
    const worker = await startWorker([serviceOf([server.port])])
    const idle = await startWorker([serviceOf([server.port])])
    await idle.listener.drain()
    const client = await peer()
    client.send('one', worker.listener.port)
    await client.until(1)
    const from = performance.now()
    const drained = worker.listener.drain()
    const late = await peer()
    client.send('two', worker.listener.port)
    late.send('new', worker.listener.port)
    await Promise.all([client.until(2), late.until(1)])
    await drained
    expect(performance.now() - from).toBeGreaterThan(250)
    expect(worker.listener.size).toBe(0)
    expect(worker.context.sweeper.size).toBe(0)
  })

  test('an address that is taken is told with its name', async () => {
    const taken = await peer()
    await expect(startWorker([], { port: taken.port })).rejects.toThrow(/EADDRINUSE.*127\.0\.0\.1/)
  })
})
