// Coalesced requests share connections only to a server that has proved itself, and never again once it failed.

import { afterEach, expect, test } from 'vitest'
import { type OriginConnection } from '../../support/origin.ts'
import { type RawClient } from '../../support/raw-client.ts'
import { type Scene, echo, requestText, responseText, startScene } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

const PROOFS = 40 // more than the gateway asks for
let scene: Scene | null = null

afterEach(async () => {
  await scene?.stop()
  scene = null
})

// No server is slow because the machine stood still, but where a test wants that.
async function start(
  serve: (connection: OriginConnection) => unknown,
  slowAfter = '20s',
): Promise<Scene> {
  const coalesce = { connections: 2, depth: 16, slowAfter }
  scene = await startScene({ coalesce }, {}, serve)
  return scene
}

async function prove(client: RawClient): Promise<void> {
  for (let i = 0; i < PROOFS; i++) {
    client.send(requestText('GET', '/proof'))
    expect((await client.readResponse()).status).toBe(200)
  }
}

function targetOf(head: string): string {
  return head.split(' ')[1]!
}

// Sends one request from each client at the same time and reads all answers.
async function askAtOnce(clients: readonly RawClient[], round: number) {
  for (const [i, client] of clients.entries()) client.send(requestText('GET', `/c${i}r${round}`))
  return Promise.all(clients.map((client) => client.readResponse()))
}

// Requests of all clients leave in one turn when they arrive in one, which takes a few rounds on a busy machine.
async function askUntil(isThere: () => boolean, clients: readonly RawClient[]): Promise<void> {
  for (let round = 0; !isThere(); round++) {
    expect(round, 'rounds without a shared connection').toBeLessThan(50)
    await askAtOnce(clients, 1000 + round)
  }
}

test('a server that proved itself gets the requests of many clients on few connections', async () => {
  const running = await start(echo)
  const clients = await Promise.all(Array.from({ length: 16 }, () => running.client()))
  await prove(clients[0]!)
  await askAtOnce(clients, 0) // opens what is missing
  const before = running.origin.connections.length
  for (let round = 1; round < 20; round++) {
    for (const [i, answer] of (await askAtOnce(clients, round)).entries()) {
      expect(answer.body).toBe(`GET /c${i}r${round} HTTP/1.1`)
    }
  }
  expect(running.origin.connections.length - before).toBeLessThanOrEqual(2)
})

test('requests with a body, unsafe methods and upgrades never share a connection', async () => {
  const seen: string[] = []
  const running = await start(async (connection) => {
    for (;;) {
      const { head } = await connection.readRequest(60_000)
      // A second request that is here already was sent before this answer: they share.
      if (connection.received !== '')
        seen.push(head.split(' ')[0]!, connection.received.split(' ')[0]!)
      connection.send(responseText('ok'))
    }
  })
  const clients = await Promise.all(Array.from({ length: 16 }, () => running.client()))
  await prove(clients[0]!)
  for (let round = 0; round < 10; round++) {
    for (const [i, client] of clients.entries()) {
      client.send(i % 2 === 0 ? requestText('GET', '/g') : requestText('POST', '/p', '', 'body'))
    }
    for (const client of clients) expect((await client.readResponse()).body).toBe('ok')
  }
  expect(seen).not.toContain('POST')
})

type Harm = (connection: OriginConnection, target: string) => void

const harms: readonly (readonly [string, Harm])[] = [
  ['closes early', (connection) => connection.destroy()],
  ['resets', (connection) => connection.reset()],
  [
    'sends more than it said',
    (connection, target) => void connection.send(responseText(target) + 'x'),
  ],
  ['sends no HTTP', (connection) => void connection.send('nonsense\r\n\r\n')],
  [
    'ends within a body',
    (connection, target) => {
      connection.send(`HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n${target}`)
      connection.end()
    },
  ],
]

test.each(harms)(
  'a server that %s under coalescing is never trusted again, and no client gets the answer of another',
  async (_what, harm) => {
    let harmAt = -1
    let served = 0
    let shared = 0
    const running = await start(async (connection) => {
      for (;;) {
        const { head } = await connection.readRequest(60_000)
        if (served++ === harmAt) harm(connection, targetOf(head))
        else connection.send(responseText(targetOf(head)))
        if (connection.received !== '') shared++
      }
    })
    const clients = await Promise.all(Array.from({ length: 16 }, () => running.client()))
    await prove(clients[0]!)
    await askUntil(() => shared > 0, clients)
    harmAt = served + 3
    for (const [i, client] of clients.entries()) client.send(requestText('GET', `/c${i}r2`))
    await Promise.all(clients.map((client, i) => expectOwnOrError(client, `/c${i}r2`)))
    for (const client of clients) client.destroy()
    const fresh = await Promise.all(Array.from({ length: 16 }, () => running.client()))
    await prove(fresh[0]!)
    shared = 0
    for (let round = 3; round < 8; round++) {
      for (const [i, answer] of (await askAtOnce(fresh, round)).entries()) {
        expect(answer.body).toBe(`/c${i}r${round}`)
      }
    }
    expect(shared).toBe(0)
  },
)

test.each([
  ['closes', (connection: OriginConnection) => connection.end()],
  ['resets', (connection: OriginConnection) => connection.reset()],
])(
  'a server that %s shared connections on which nothing is under way is trusted on',
  async (_what, leave) => {
    let shared = 0
    const running = await start(async (connection) => {
      for (;;) {
        const { head } = await connection.readRequest(60_000)
        if (connection.received !== '') shared++
        connection.send(responseText(targetOf(head)))
      }
    })
    const clients = await Promise.all(Array.from({ length: 16 }, () => running.client()))
    await prove(clients[0]!)
    await askUntil(() => shared > 0, clients)
    for (const connection of running.origin.connections) leave(connection)
    // The one that is left asks the supervisor for this page.
    await eventually('the gateway to have no connection to the server', async () =>
      /^sluice_upstream_connections 1$/m.test((await running.gateway.admin('/metrics')).body),
    )
    shared = 0
    for (let round = 2; round < 8; round++) {
      for (const [i, answer] of (await askAtOnce(clients, round)).entries()) {
        expect(answer.body).toBe(`/c${i}r${round}`)
      }
    }
    await askUntil(() => shared > 0, clients)
  },
)

test('a server that sends a byte on a shared connection that is idle is never trusted again', async () => {
  let shared = 0
  const running = await start(async (connection) => {
    for (;;) {
      const { head } = await connection.readRequest(60_000)
      if (connection.received !== '') shared++
      connection.send(responseText(targetOf(head)))
    }
  })
  const clients = await Promise.all(Array.from({ length: 16 }, () => running.client()))
  await prove(clients[0]!)
  await askUntil(() => shared > 0, clients)
  const open = running.origin.connections.filter((connection) => !connection.closed)
  for (const connection of open) connection.send('H')
  await Promise.all(open.map((connection) => connection.untilEnded()))
  await prove(clients[0]!)
  shared = 0
  for (let round = 0; round < 5; round++) await askAtOnce(clients, round)
  expect(shared).toBe(0)
})

// The client's own answer, a 5xx of the gateway, or an end without a whole answer. Returns whether it was its own.
async function expectOwnOrError(client: RawClient, target: string): Promise<boolean> {
  const answer = await client.readResponse().catch(() => null)
  if (answer === null) {
    expect(client.ended || client.closed).toBe(true)
    return false
  }
  if (answer.status >= 500) return false
  expect(answer.body).toBe(target)
  return true
}

test('a server that is slow under coalescing is never trusted again, and those behind are asked anew', async () => {
  let hang = false
  let shared = 0
  const running = await start(async (connection) => {
    for (;;) {
      const { head } = await connection.readRequest(60_000)
      if (hang) {
        hang = false
        await new Promise((resolve) => setTimeout(resolve, 3500))
      }
      if (connection.received !== '') shared++
      connection.send(responseText(targetOf(head)))
    }
  }, '2s')
  const clients = await Promise.all(Array.from({ length: 16 }, () => running.client()))
  await prove(clients[0]!)
  await askUntil(() => shared > 0, clients)
  hang = true
  for (const [i, answer] of (await askAtOnce(clients, 2)).entries()) {
    expect(answer.body).toBe(`/c${i}r2`)
  }
  await prove(clients[0]!)
  shared = 0
  for (let round = 3; round < 8; round++) await askAtOnce(clients, round)
  expect(shared).toBe(0)
})

// Answers with a body that never ends, a piece every 20 ms.
function flow(connection: OriginConnection): void {
  connection.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
  const timer = setInterval(() => {
    if (connection.closed) clearInterval(timer)
    else connection.send('4\r\nflow\r\n')
  }, 20)
}

// The first of two requests that share a connection is answered without end; everything else at once. Its client, and
// those behind it.
async function startFlowing(slowAfter: string) {
  let mayFlow = false
  let shared = 0
  const flowing: string[] = []
  const running = await start(async (connection) => {
    for (;;) {
      const { head } = await connection.readRequest(60_000)
      if (connection.received !== '') shared++
      if (mayFlow && connection.received !== '' && flowing.length === 0) {
        flowing.push(targetOf(head))
        return flow(connection)
      }
      connection.send(responseText(targetOf(head)))
    }
  }, slowAfter)
  const clients = await Promise.all(Array.from({ length: 16 }, () => running.client()))
  await prove(clients[0]!)
  await askUntil(() => shared > 0, clients)
  mayFlow = true
  for (let round = 0; flowing.length === 0; round++) {
    expect(round, 'rounds without a shared connection').toBeLessThan(50)
    for (const [i, client] of clients.entries()) client.send(requestText('GET', `/c${i}r${round}`))
    const isAnswered = (): boolean =>
      flowing.length > 0 || clients.every((client) => client.received.includes(`r${round}`))
    await eventually('a round to be answered or the flow to begin', isAnswered)
    if (flowing.length > 0) break
    for (const client of clients) await client.readResponse()
  }
  const at = Number(/^\/c(\d+)/.exec(flowing[0]!)![1])
  await clients[at]!.untilText('flow')
  return { flowing: clients[at]!, others: clients.filter((_, i) => i !== at) }
}

test('those behind an answer that does not end are asked anew when slowAfter is over', async () => {
  const { flowing, others } = await startFlowing('2s')
  for (const client of others) expect((await client.readResponse()).status).toBe(200)
  await flowing.until('the answer to go on', () => flowing.received.length > 3000)
  expect(flowing.closed).toBe(false)
})

test('those behind an answer whose client has left do not wait for all of it', async () => {
  const { flowing, others } = await startFlowing('60s')
  flowing.destroy()
  for (const client of others) expect((await client.readResponse()).status).toBe(200)
})

test('2,000 requests to a server that misbehaves at random never get the answer of another client', async () => {
  let served = 0
  let random = 12345
  const next = (): number => (random = (random * 1103515245 + 12345) % 2147483648)
  const running = await start(async (connection) => {
    for (;;) {
      const { head } = await connection.readRequest(60_000)
      const misbehaves = served++ > 200 && next() % 50 === 0
      if (misbehaves) harms[next() % harms.length]![1](connection, targetOf(head))
      else connection.send(responseText(targetOf(head)))
    }
  })
  let own = 0
  const worker = async (name: number): Promise<void> => {
    let client = await running.client()
    for (let i = 0; i < 125; i++) {
      const target = `/canary-${name}-${i}`
      client.send(requestText('GET', target))
      if (await expectOwnOrError(client, target)) own++
      if (client.ended || client.closed) client = await running.client()
    }
    client.destroy()
  }
  await Promise.all(Array.from({ length: 16 }, (_, name) => worker(name)))
  expect(own).toBeGreaterThan(1500)
})
