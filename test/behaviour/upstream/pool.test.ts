// Connections to servers: reused, bounded, given up when idle or old, and never used after an unclean end.

import { afterEach, expect, test } from 'vitest'
import type { Keys } from '../../support/gateway.ts'
import type { RawClient } from '../../support/raw-client.ts'
import { type Scene, echo, requestText, responseText, startScene } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

let scene: Scene | null = null

afterEach(async () => {
  await scene?.stop()
  scene = null
})

async function start(transport: Keys = {}, serve?: Parameters<typeof startScene>[2]) {
  scene = await startScene(transport, {}, serve)
  return scene
}

async function ask(client: RawClient, text = requestText()) {
  client.send(text)
  return client.readResponse()
}

test('one connection serves request after request of many clients', async () => {
  const { client, origin } = await start({}, echo)
  for (let i = 0; i < 20; i++) expect((await ask(await client())).body).toBe('GET / HTTP/1.1')
  expect(origin.connections.length).toBe(1)
})

test('requests at the same time get connections of their own, and maxIdleConnsPerHost of them are kept', async () => {
  const { client, origin, gateway } = await start({ maxIdleConnsPerHost: 3 })
  const clients = await Promise.all(Array.from({ length: 8 }, () => client()))
  for (const each of clients) each.send(requestText())
  const connections = await Promise.all(clients.map((_, i) => origin.connection(i)))
  for (const connection of connections) {
    await connection.readRequest()
    connection.send(responseText('ok'))
  }
  for (const each of clients) expect((await each.readResponse()).body).toBe('ok')
  await eventually('all but three to be closed', () => {
    return connections.filter((connection) => connection.ended).length === 5
  })
  expect(gateway.exit).toBe(null)
})

test('maxIdleConnsPerHost -1 keeps no connection', async () => {
  const { client, origin } = await start({ maxIdleConnsPerHost: -1 }, echo)
  const one = await client()
  for (let i = 0; i < 3; i++) await ask(one)
  expect(origin.connections.length).toBe(3)
})

test('an idle connection is closed after idleConnTimeout', async () => {
  const { client, origin } = await start({ forwardingTimeouts: { idleConnTimeout: '300ms' } }, echo)
  const one = await client()
  const from = performance.now()
  await ask(one)
  await origin.connections[0]!.untilEnded()
  expect(performance.now() - from).toBeGreaterThan(150)
  expect(performance.now() - from).toBeLessThan(10_000) // 90 s by default
})

test('a connection older than its lifetime takes no more requests', async () => {
  const { client, origin } = await start({ lifetime: '400ms' }, echo)
  const one = await client()
  const from = performance.now()
  await ask(one)
  await eventually('another connection to be opened', async () => {
    expect((await ask(one)).status).toBe(200)
    return origin.connections.length > 1
  })
  expect(performance.now() - from).toBeGreaterThan(250)
})

test('a server that closes idle connections is no error for any client', async () => {
  const { client, origin } = await start({}, async (connection) => {
    await connection.readRequest()
    connection.send(responseText('ok')).end()
  })
  const one = await client()
  for (let i = 0; i < 50; i++) expect((await ask(one)).body).toBe('ok')
  expect(origin.connections.length).toBe(50)
})

test('Connection: close of the server ends the connection after the response', async () => {
  const { client, origin } = await start({}, async (connection) => {
    await connection.readRequest()
    connection.send(responseText('ok', 'Connection: close\r\n'))
  })
  const one = await client()
  for (let i = 0; i < 3; i++) {
    const answer = await ask(one)
    expect([answer.body, answer.headers.get('connection')]).toEqual(['ok', undefined])
  }
  expect(origin.connections.length).toBe(3)
})

test('bytes behind a response end the connection, and reach nobody', async () => {
  const { client, origin } = await start({}, async (connection) => {
    await connection.readRequest()
    connection.send(responseText('ok') + 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison')
  })
  const one = await client()
  for (let i = 0; i < 5; i++) expect((await ask(one)).body).toBe('ok')
  expect(origin.connections.length).toBe(5)
})

test('bytes on an idle connection end it, and reach nobody', async () => {
  const { client, origin } = await start()
  const one = await client()
  one.send(requestText())
  const first = await origin.connection(0)
  await first.readRequest()
  first.send(responseText('ok'))
  expect((await one.readResponse()).body).toBe('ok')
  first.send('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n')
  await first.untilEnded()
  one.send(requestText())
  const second = await origin.connection(1)
  await second.readRequest()
  second.send(responseText('also ok'))
  expect((await one.readResponse()).body).toBe('also ok')
})

test('a client that leaves ends the connection that its response is on', async () => {
  const { client, origin } = await start()
  const one = await client()
  one.send(requestText())
  const connection = await origin.connection(0)
  await connection.readRequest()
  connection.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome')
  await one.untilText('some')
  one.reset()
  await connection.untilEnded()
})

test('a client that leaves by closing is noticed with the next bytes for it', async () => {
  const { client, origin } = await start()
  const one = await client()
  one.send(requestText())
  const connection = await origin.connection(0)
  await connection.readRequest()
  connection.send('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nsome')
  await one.untilText('some')
  one.destroy()
  await eventually('the connection to end', () => {
    connection.send('more')
    return connection.ended || connection.closed
  })
})
