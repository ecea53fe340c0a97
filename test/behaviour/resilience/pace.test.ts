// Requests that wait for their turn in a real worker, whose loop says of itself what the test wants.

import { afterEach, beforeEach, expect, test } from 'vitest'
import { HIGH, LOW } from '../../../core/overload/stages.ts'
import { IN_FLIGHT } from '../../../core/shared/control.ts'
import { Admission } from '../../../workers/overload/admission.ts'
import { type HttpWorker, startHttpWorker } from '../../support/http-worker.ts'
import { type ScriptedOrigin, startScriptedOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { requestText, responseText } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

const busy = { turns: 10, activeMs: 1000, busy: 1 } // turns of 100 ms
const free = { turns: 100, activeMs: 10, busy: 0.1 }

let origin: ScriptedOrigin
let worker: HttpWorker
let order: string[] = [] // targets, as they came to the server
const clients: RawClient[] = []

beforeEach(async () => {
  order = []
  origin = await startScriptedOrigin(async (connection) => {
    for (;;) {
      const { head } = await connection.readRequest(60_000)
      order.push(head.split(' ')[1]!)
      connection.send(responseText('good'))
    }
  })
  worker = await startHttpWorker([origin.url])
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  worker.stop()
  await origin.stop()
})

// The worker's admission, paced from now on; `look` is what a tick of its sweeper does.
function paced(queueMax = 1000, queueTimeoutMs = 60_000) {
  const { context } = worker
  const loop = { look: busy, take: () => loop.look }
  const plan = { ...context.plan.overload, turnTargetMs: 5, queueMax, queueTimeoutMs }
  const admission = new Admission(context, plan, loop)
  Object.assign(context, { overload: admission })
  admission.onTick(context.sweeper.now)
  expect(admission.isActive).toBe(true)
  return { loop, admission }
}

function setClass(priority: number): void {
  Object.assign(worker.context.generation.routers.get('all@file')!, { priority })
}

async function connected(count: number): Promise<RawClient[]> {
  const made = await Promise.all(Array.from({ length: count }, () => connectRaw(worker.port)))
  clients.push(...made)
  return made
}

const statusOf = async (client: RawClient): Promise<number> => (await client.readResponse()).status

test('all that wait are served, in their order', async () => {
  paced()
  const all = await connected(40)
  all.forEach((client, i) => client.send(requestText('GET', `/${i}`)))
  expect(new Set(await Promise.all(all.map(statusOf)))).toEqual(new Set([200]))
  expect(order.length).toBe(40)
  expect(worker.context.rowCell(IN_FLIGHT)).toBe(0)
})

test('class high never waits', async () => {
  const { admission } = paced()
  const holds = admission.holds.bind(admission)
  const seen: string[] = []
  admission.holds = (exchange, priority) => {
    const held = holds(exchange, priority)
    seen.push(`${priority} ${held ? 'waits' : 'goes on'}`)
    return held
  }
  const all = await connected(30)
  setClass(LOW)
  all.slice(0, 20).forEach((client, i) => client.send(requestText('GET', `/low-${i}`)))
  expect(new Set(await Promise.all(all.slice(0, 20).map(statusOf)))).toEqual(new Set([200]))
  setClass(HIGH)
  all.slice(20).forEach((client, i) => client.send(requestText('GET', `/high-${i}`)))
  expect(new Set(await Promise.all(all.slice(20).map(statusOf)))).toEqual(new Set([200]))
  expect(seen.filter((line) => line === `${LOW} waits`).length).toBeGreaterThanOrEqual(1)
  expect(seen.filter((line) => line === `${HIGH} waits`)).toEqual([])
})

async function expectShed(client: RawClient): Promise<void> {
  const { status, body, headers } = await client.send(requestText('GET', '/')).readResponse()
  expect([status, body]).toEqual([503, 'Service Unavailable (SHED_QUEUE)\n'])
  expect(headers.get('retry-after')).toBe('1')
  expect(order).toEqual([])
  await eventually('nothing to be under way', () => worker.context.rowCell(IN_FLIGHT) === 0)
}

test('who finds no place to wait is answered 503 with Retry-After', async () => {
  paced(0)
  const [client] = await connected(1)
  await expectShed(client!)
})

test('who has waited for queueTimeout is answered 503 with Retry-After', async () => {
  const { admission } = paced(10, 1000)
  const holds = admission.holds.bind(admission)
  const { now } = worker.context.sweeper
  admission.holds = (exchange, priority) => {
    process.nextTick(() => admission.onTick(now + 100_000)) // before the next turn serves it
    return holds(exchange, priority)
  }
  const [client] = await connected(1)
  await expectShed(client!)
})

test('once turns are short again nobody waits, and nothing is looked at', async () => {
  const { loop, admission } = paced()
  loop.look = free
  for (let i = 0; i < 20; i++) admission.onTick(worker.context.sweeper.now)
  expect([admission.isActive, admission.stage]).toEqual([false, 0])
  const [client] = await connected(1)
  expect(await statusOf(client!.send(requestText('GET', '/')))).toBe(200)
})

test('a client that leaves while its request waits leaves nothing behind', async () => {
  paced()
  const all = await connected(60)
  all.forEach((client, i) => client.send(requestText('GET', `/${i}`)))
  all.forEach((client) => client.reset())
  await eventually('nothing to be under way', () => worker.context.rowCell(IN_FLIGHT) === 0)
})

test('of one turn only so many begin, though no look has seen a long one; the rest is served in the next', async () => {
  const { context } = worker
  const plan = { ...context.plan.overload, enabled: true }
  const admission = new Admission(context, plan, { take: () => free })
  Object.assign(context, { overload: admission })
  const looks = Array.from({ length: 300 }, () => admission.looksAt(1))
  expect([looks.indexOf(true), looks[299]]).toEqual([256, true])
  const held: boolean[] = []
  const holds = admission.holds.bind(admission)
  admission.holds = (exchange, priority) => {
    held.push(holds(exchange, priority))
    return held.at(-1)!
  }
  const [client] = await connected(1)
  expect(await statusOf(client!.send(requestText('GET', '/')))).toBe(200)
  expect(held).toEqual([true])
  expect(admission.isActive).toBe(false)
})

test('where overload is off, any number begins in a turn', () => {
  const plan = { ...worker.context.plan.overload, enabled: false }
  const admission = new Admission(worker.context, plan, { take: () => free })
  expect(Array.from({ length: 10_000 }, () => admission.looksAt(1)).includes(true)).toBe(false)
})
