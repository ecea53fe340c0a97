// Rows 10 to 14: what servers do wrong.

import { startGateway } from '../../support/gateway.ts'
import { freePorts, routesTo } from '../../support/gateway.ts'
import { startScriptedOrigin } from '../../support/origin.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { StoodStill } from '../../support/stood-still.ts'
import { type FaultRow, finding } from '../contract.ts'
import { startLedgerOrigin, startTraffic } from '../ledger.ts'
import { pause } from '../ledger.ts'

const timeouts = { dialTimeout: '2s', responseHeaderTimeout: '1s' }
const transport = { forwardingTimeouts: timeouts, stallTimeout: '1s' }

async function ask(
  port: number,
  method = 'GET',
  body = '',
): Promise<{ status: number; ms: number }> {
  const from = performance.now()
  const init = { method, body: body === '' ? null : body }
  const response = await fetch(`http://127.0.0.1:${port}/`, init)
  await response.arrayBuffer()
  return { status: response.status, ms: performance.now() - from }
}

const refuses: FaultRow = {
  number: 10,
  name: 'A server refuses connections',
  accept: 'another is asked where one is up; else 502 within 100 ms',
  smoke: true,
  run: async () => {
    const [closed = 0] = await freePorts(1)
    const good = await startLedgerOrigin()
    const dead = `http://127.0.0.1:${closed}`
    const pair = await startGateway({ routes: routesTo([dead, good.url]) })
    const alone = await startGateway({ routes: routesTo([dead]) })
    const answers = []
    for (let i = 0; i < 50; i++)
      answers.push(await ask(pair.port, i % 2 === 0 ? 'GET' : 'POST', ''))
    const failed = []
    for (let i = 0; i < 20; i++) failed.push(await ask(alone.port))
    await Promise.all([pair.stop(), alone.stop()])
    await good.stop()
    const served = answers.filter(({ status }) => status === 200).length
    const times = failed.map(({ ms }) => ms).toSorted((a, b) => a - b)
    const median = times[10]!
    const all502 = failed.every(({ status }) => status === 502)
    return finding(
      served === 50 && all502 && median < 100,
      `${served} of 50 served by the other one; alone: 502 ${all502}, ${median.toFixed(1)} ms`,
    )
  },
}

const resets: FaultRow = {
  number: 11,
  name: 'A server resets before any byte of its answer',
  accept: 'a GET on a kept connection is asked once more; no POST is delivered twice',
  smoke: true,
  run: async ({ full }) => {
    // Every third request is taken whole, and its connection reset.
    let count = 0
    const origin = await startLedgerOrigin((request, response) => {
      if (++count % 3 === 0) request.socket.resetAndDestroy()
      else response.end('ok')
    })
    const gateway = await startGateway({ routes: routesTo([origin.url]) })
    const traffic = startTraffic({ port: gateway.port, perSecond: 200, postShare: 0.5 })
    await pause(full ? 60_000 : 8000)
    await traffic.stop()
    await gateway.stop()
    await origin.stop()
    const posts = traffic.ended.filter(({ method }) => method === 'POST')
    const twice = posts.filter(({ id }) => (origin.seen.get(id) ?? 0) > 1).length
    const gets = traffic.ended.filter(({ method }) => method === 'GET')
    const asked = gets.filter(({ id }) => (origin.seen.get(id) ?? 0) > 1).length
    const most = Math.max(...gets.map(({ id }) => origin.seen.get(id) ?? 0))
    return finding(
      twice === 0 && asked > 0 && most <= 2,
      `${posts.length} POST, ${twice} delivered twice; ${gets.length} GET, ${asked} asked once more, ${most} times at the most`,
    )
  },
}

const cutBody: FaultRow = {
  number: 12,
  name: 'A server resets in the middle of a body',
  accept: 'the client can tell, always; the connection is not used again',
  smoke: true,
  run: async () => {
    const origin = await startScriptedOrigin(async (connection) => {
      const { head } = await connection.readRequest()
      const chunked = head.startsWith('GET /chunked')
      const framing = chunked ? 'Transfer-Encoding: chunked' : 'Content-Length: 1000'
      connection.send(
        `HTTP/1.1 200 OK\r\n${framing}\r\n\r\n${chunked ? '5\r\nhello\r\n' : 'hello'}`,
      )
      await pause(20)
      connection.reset()
    })
    const gateway = await startGateway({ routes: routesTo([origin.url]) })
    let clean = 0
    for (let i = 0; i < 40; i++) {
      const client = await connectRaw(gateway.port)
      client.send(`GET /${i % 2 === 0 ? 'chunked' : 'length'} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
      await client.untilEnded()
      if (client.received.endsWith('0\r\n\r\n')) clean++
      client.destroy()
    }
    await gateway.stop()
    const opened = origin.connections.length
    await origin.stop()
    return finding(
      clean === 0 && opened === 40,
      `${clean} of 40 looked whole; ${opened} connections`,
    )
  },
}

const hangs: FaultRow = {
  number: 13,
  name: 'A server takes requests and never answers',
  accept: '504 at the set time, 10 % more or less',
  smoke: true,
  run: async () => {
    const origin = await startScriptedOrigin()
    const gateway = await startGateway({ routes: routesTo([origin.url], transport) })
    const still = new StoodStill()
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(gateway.port)))
    const stood = still.ms
    still.stop()
    await gateway.stop()
    await origin.stop()
    const times = answers.map(({ ms }) => ms)
    const [least, most] = [Math.min(...times), Math.max(...times)]
    const all504 = answers.every(({ status }) => status === 504)
    // The clock of deadlines ticks ten times a second, and 50 requests begin within a few turns.
    return finding(
      all504 && least >= 900 && most <= 1300 + stood,
      `504 ${all504}; ${least.toFixed(0)} to ${most.toFixed(0)} ms of 1000`,
    )
  },
}

const trickles: FaultRow = {
  number: 14,
  name: 'A server trickles its body, then stalls',
  accept: 'a byte now and then is no stall; silence ends the exchange, and the client can tell',
  smoke: false,
  run: async () => {
    const origin = await startScriptedOrigin(async (connection) => {
      await connection.readRequest()
      connection.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n')
      for (let i = 0; i < 6; i++) {
        await pause(500)
        connection.send('x')
      }
    })
    const gateway = await startGateway({ routes: routesTo([origin.url], transport) })
    const from = performance.now()
    const client = await connectRaw(gateway.port)
    client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    await client.untilEnded(15_000)
    const ms = performance.now() - from
    const got = client.received.split('\r\n\r\n')[1]?.length ?? 0
    client.destroy()
    await gateway.stop()
    await origin.stop()
    return finding(
      got === 6 && ms > 3500,
      `${got} of 6 bytes passed, ended after ${ms.toFixed(0)} ms`,
    )
  },
}

export const upstreamRows: readonly FaultRow[] = [refuses, resets, cutBody, hangs, trickles]
