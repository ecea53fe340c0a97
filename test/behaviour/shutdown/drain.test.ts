// SIGTERM: /ready says so first, what is in flight ends well, what does not end is cut.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Gateway, type Keys, routesTo, startGateway } from '../../support/gateway.ts'
import { type ScriptedOrigin, startScriptedOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'

const REQUEST = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'
let origin: ScriptedOrigin
let gateway: Gateway | null = null
const clients: RawClient[] = []

beforeAll(async () => {
  origin = await startScriptedOrigin()
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  if (gateway !== null && gateway.exit === null) await gateway.stop('SIGKILL')
  gateway = null
})

afterAll(() => origin.stop())

async function start(acceptGrace: string, grace: string): Promise<Gateway> {
  const lifeCycle: Keys = { requestAcceptGraceTimeout: acceptGrace, graceTimeOut: grace }
  gateway = await startGateway({
    workers: 2,
    web: { transport: { lifeCycle } },
    routes: routesTo([origin.url]),
    static: { accessLog: {} },
    flags: [`--entryPoints.traefik.transport.lifeCycle.graceTimeOut=${grace}`],
  })
  return gateway
}

async function connect(running: Gateway): Promise<RawClient> {
  const client = await connectRaw(running.port)
  clients.push(client)
  return client
}

// A client whose request has reached the server, and the server's side of it.
async function inFlight(running: Gateway) {
  const client = await connect(running)
  const next = origin.connections.length
  client.send(REQUEST)
  const server = await origin.connection(next)
  await server.readRequest()
  return { client, server }
}

test('requests in flight end well, with Connection: close, and the exit code is 0', async () => {
  const running = await start('0s', '10s')
  const { client, server } = await inFlight(running)
  running.child.kill('SIGTERM')
  await running.untilStderr('shutting down')
  await eventually('new connections to be refused', () =>
    connectRaw(running.port).then(
      (extra) => (extra.destroy(), false),
      () => true,
    ),
  )
  server.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n').send('done')
  const answer = await client.readResponse()
  expect([answer.status, answer.body]).toEqual([200, 'done'])
  expect(answer.headers.get('connection')).toBe('close')
  await client.untilEnded()
  await running.untilExit()
  expect(running.exit).toEqual({ code: 0, signal: null })
  expect(running.stdout()).toContain('"GET / HTTP/1.1" 200')
})

test('/ready is 503 first, while requests are still accepted for requestAcceptGraceTimeout', async () => {
  const running = await start('4s', '10s')
  const { client, server } = await inFlight(running)
  const from = performance.now()
  running.child.kill('SIGTERM')
  await eventually('/ready to be 503', async () => (await running.admin('/ready')).status === 503)
  expect((await running.admin('/ping')).status).toBe(503)
  const fresh = await inFlight(running)
  fresh.server.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  expect((await fresh.client.readResponse()).status).toBe(200)
  server.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  expect((await client.readResponse()).status).toBe(200)
  expect(performance.now() - from).toBeLessThan(4000)
  await running.untilExit()
  expect(performance.now() - from).toBeGreaterThan(3990)
  expect(running.exit?.code).toBe(0)
})

test('what is not over after graceTimeOut is cut, and the exit code is 1', async () => {
  const running = await start('0s', '700ms')
  const { client } = await inFlight(running)
  const from = performance.now()
  running.child.kill('SIGTERM')
  await running.untilExit()
  expect(performance.now() - from).toBeGreaterThan(690)
  expect(performance.now() - from).toBeLessThan(8000) // the default is 10 s
  expect(running.exit).toEqual({ code: 1, signal: null })
  await client.untilEnded()
  expect(client.received).toBe('')
})

test('idle keep-alive connections do not hold the shutdown up', async () => {
  const running = await start('0s', '10s')
  const { client, server } = await inFlight(running)
  server.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  await client.readResponse()
  const from = performance.now()
  running.child.kill('SIGTERM')
  await client.untilEnded()
  expect(client.fault).toBe('')
  await running.untilExit()
  expect(performance.now() - from).toBeLessThan(8000) // of the 10 s that they would be waited for
  expect(running.exit?.code).toBe(0)
})

test('an upload in flight goes on while the gateway shuts down', async () => {
  const running = await start('0s', '10s')
  const client = await connect(running)
  const next = origin.connections.length
  client.send('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhello')
  const server = await origin.connection(next)
  await server.readRequestHead()
  running.child.kill('SIGTERM')
  await running.untilStderr('shutting down')
  client.send('world')
  await server.until('the whole body', () => server.received === 'helloworld')
  server.send('HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n')
  expect((await client.readResponse()).status).toBe(201)
  await running.untilExit()
  expect(running.exit?.code).toBe(0)
})

test('a second SIGTERM changes nothing', async () => {
  const running = await start('0s', '10s')
  const { client, server } = await inFlight(running)
  running.child.kill('SIGTERM')
  await running.untilStderr('shutting down')
  running.child.kill('SIGTERM')
  server.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone')
  expect((await client.readResponse()).body).toBe('done')
  await running.untilExit()
  expect(running.exit?.code).toBe(0)
})
