// Times of more than 24.8 days, which Node's timers can't count, are long times in whatever they are configured for.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { eventually } from '../../support/wait.ts'

const LONG = '720h'
const PAUSE_MS = 100 // of whoever is asked: longer than the 1 ms that Node makes of a long time

const asked = new Map<string, number>()
const held: (() => void)[] = [] // answers to /held
let origin: HttpOrigin
let gateway: Gateway

beforeAll(async () => {
  origin = await startHttpOrigin((request, response) => {
    const path = request.url!
    asked.set(path, timesOf(path) + 1)
    const answer = (): unknown => response.end('served')
    if (path === '/held') held.push(answer)
    else setTimeout(answer, PAUSE_MS)
  })
  gateway = await startGateway({
    web: { transport: { lifeCycle: { graceTimeOut: LONG } } },
    routes: routes(),
    flags: ['--entryPoints.traefik.transport.lifeCycle.graceTimeOut=1s'],
  })
})

afterAll(async () => {
  await gateway.stop('SIGKILL')
  await origin.stop()
})

function timesOf(path: string): number {
  return asked.get(path) ?? 0
}

function routes(): Keys {
  const service = (path: string, interval: string): Keys => {
    const healthCheck = { path, interval, timeout: LONG }
    const servers = [{ url: origin.url }]
    return { loadBalancer: { serversTransport: 'patient', servers, healthCheck } }
  }
  return {
    http: {
      routers: {
        all: { rule: 'PathPrefix(`/`)', service: 'seldom' },
        guarded: { rule: 'Path(`/guarded`)', service: 'seldom', middlewares: ['auth'] },
      },
      middlewares: { auth: { forwardAuth: { address: `${origin.url}/auth`, timeout: LONG } } },
      services: { seldom: service('/seldom', LONG), often: service('/often', '100ms') },
      serversTransports: { patient: { forwardingTimeouts: { dialTimeout: LONG } } },
    },
  }
}

test('checks are made once in that time, and wait so long for an answer', async () => {
  await eventually('checks of the other service', () => timesOf('/often') > 5)
  expect(timesOf('/seldom')).toBe(1)
  expect(gateway.stderr()).not.toContain('is down')
})

test('an authentication server may take its time', async () => {
  const answer = await fetch(`http://127.0.0.1:${gateway.port}/guarded`)
  expect([answer.status, await answer.text(), timesOf('/auth')]).toEqual([200, 'served', 1])
})

test('requests in flight have it to end at a shutdown', async () => {
  const answer = fetch(`http://127.0.0.1:${gateway.port}/held`).then((one) => one.text())
  const outcome = answer.catch(() => 'cut off')
  await eventually('the request to arrive', () => held.length === 1)
  gateway.child.kill('SIGTERM')
  // Others are refused: the time has begun.
  await eventually('the listener to be closed', () =>
    fetch(`http://127.0.0.1:${gateway.port}/`).then(
      () => false,
      () => true,
    ),
  )
  held[0]!()
  expect(await outcome).toBe('served')
  await gateway.untilExit()
  expect(gateway.exit).toEqual({ code: 0, signal: null })
})
