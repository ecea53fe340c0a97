// Limits of connections and heads: what is refused, with what, and that it recovers.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { metricSum } from '../../support/metrics.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { type Scene, echo, requestText, startScene } from '../../support/scene.ts'
import type { GatewayOptions } from '../../support/gateway.ts'
import { eventually } from '../../support/wait.ts'

let scene: Scene | null = null

afterEach(async () => {
  await scene?.stop()
  scene = null
})

async function start(options: GatewayOptions): Promise<Scene> {
  scene = await startScene({}, options, echo)
  return scene
}

async function ask(client: RawClient): Promise<number> {
  client.send(requestText())
  return (await client.readResponse()).status
}

async function errors(running: Scene, code: string): Promise<number> {
  const { body } = await running.gateway.admin('/metrics')
  return metricSum(body, 'sluice_errors_total', `code="${code}"`)
}

test('connections above connectionsMax are shed with 503, counted, and taken again when there is room', async () => {
  const running = await start({ web: { transport: { limits: { connectionsMax: 4 } } } })
  const clients = await Promise.all(Array.from({ length: 4 }, () => running.client()))
  for (const client of clients) expect(await ask(client)).toBe(200)
  for (let i = 0; i < 5; i++) {
    const shed = await running.client()
    shed.send(requestText())
    const answer = await shed.readResponse()
    expect([answer.status, answer.headers.get('connection')]).toEqual([503, 'close'])
    expect(answer.headers.get('retry-after')).toBe('1')
    await shed.untilEnded()
  }
  expect(await errors(running, 'SHED_CONNECTIONS')).toBe(5)
  expect(await ask(clients[0]!)).toBe(200)
  clients[1]!.destroy()
  await eventually('a new connection to be served', async () => {
    return (await ask(await running.client())) === 200
  })
})

test('a head above headBytesMax is a 431, a request line above it a 414, too many headers a 431', async () => {
  const limits = { headBytesMax: 2048, headerCountMax: 10 }
  const running = await start({ web: { transport: { limits } } })
  const cases = [
    [431, 'HEADERS_TOO_LARGE', `GET / HTTP/1.1\r\nHost: a.test\r\nX: ${'x'.repeat(3000)}\r\n\r\n`],
    [414, 'TARGET_TOO_LONG', `GET /${'x'.repeat(3000)} HTTP/1.1\r\nHost: a.test\r\n\r\n`],
    [431, 'HEADERS_TOO_MANY', `GET / HTTP/1.1\r\nHost: a.test\r\n${'A: b\r\n'.repeat(10)}\r\n`],
  ] as const
  for (const [status, code, text] of cases) {
    const client = await running.client()
    client.send(text)
    const answer = await client.readResponse()
    expect([answer.status, answer.body.includes(code)]).toEqual([status, true])
    await client.untilEnded()
    expect(await errors(running, code)).toBe(1)
  }
  expect(running.origin.connections.length).toBe(0)
})

test('a head that is not complete within headerTimeout is a 408, however it trickles', async () => {
  const respondingTimeouts = { headerTimeout: '400ms' }
  const running = await start({ web: { transport: { respondingTimeouts } } })
  const client = await running.client()
  const from = performance.now()
  client.send('GET / HTTP/1.1\r\n')
  const timer = setInterval(() => client.send('A: b\r\n'), 50)
  const answer = await client.readResponse()
  clearInterval(timer)
  expect(answer.status).toBe(408)
  expect(performance.now() - from).toBeGreaterThan(290)
  expect(performance.now() - from).toBeLessThan(10_000) // while it trickled on
  await client.untilEnded()
})

function limitDescriptors(pid: number, count: number): void {
  execFileSync('prlimit', [`--pid=${pid}`, `--nofile=${count}:${count}`])
}

// User and system time of all threads: fields 14 and 15 of /proc/PID/stat, in ticks of 10 ms.
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

test('out of file descriptors the gateway goes on, does not spin, and recovers', async () => {
  const running = await start({})
  const { gateway } = running
  const kept = await running.client()
  expect(await ask(kept)).toBe(200)
  const { body } = await gateway.admin('/metrics')
  const open = metricSum(body, 'process_open_fds')
  limitDescriptors(gateway.child.pid!, open + 12)
  const clients: RawClient[] = []
  const refused = (): RawClient[] => clients.filter((client) => client.received.includes('503'))
  // The new limit is known within a quarter of a second.
  await eventually('a connection to be refused', async () => {
    clients.push(await connectRaw(gateway.port))
    return refused().length > 0
  })
  for (let i = 0; i < 40; i++) clients.push(await connectRaw(gateway.port))
  await eventually('all further ones to be refused', () => refused().length > 40)
  expect(refused()[0]!.received).toMatch(/^HTTP\/1\.1 503 .*Connection: close/s)
  expect(await ask(kept)).toBe(200)
  const cpuBefore = cpuSeconds(gateway.child.pid!)
  const from = performance.now()
  await eventually('some time to pass', async () => {
    expect(await ask(kept)).toBe(200)
    return performance.now() - from > 1000
  })
  expect(cpuSeconds(gateway.child.pid!) - cpuBefore).toBeLessThan(0.6)
  for (const client of clients) client.destroy()
  await eventually('new connections to be served again', async () => {
    const client = await connectRaw(gateway.port)
    client.send(requestText())
    const answer = await client.readResponse(false, 1000).catch(() => null)
    client.destroy()
    return answer?.status === 200
  })
  const after = (await gateway.admin('/metrics')).body
  expect(metricSum(after, 'process_max_fds')).toBe(open + 12)
  const counted = metricSum(after, 'sluice_accept_errors_total', 'entrypoint="web"')
  expect(counted).toBeGreaterThanOrEqual(refused().length)
})
