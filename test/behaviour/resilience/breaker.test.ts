// A real gateway with two workers: its breaker opens for both, answers fast while a server hangs, and shows its state.

import { afterEach, expect, test } from 'vitest'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { startHttpOrigin } from '../../support/origin.ts'
import { type Response, connectRaw } from '../../support/raw-client.ts'
import { requestText } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

const stops: (() => unknown)[] = []
let health: 'well' | 'failing' | 'hanging' = 'well'
let asked = 0

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

// Only who waits for a server that hangs needs a short time for it.
async function gatewayWith(breaker: Keys, responseHeaderTimeout = '20s'): Promise<Gateway> {
  health = 'well'
  const origin = await startHttpOrigin((_request, response) => {
    asked++
    if (health === 'hanging') return
    response.writeHead(health === 'well' ? 200 : 500).end()
  })
  stops.push(() => origin.stop())
  const loadBalancer = { serversTransport: 'quick', servers: [{ url: origin.url }] }
  const gateway = await startGateway({
    workers: 2,
    routes: {
      http: {
        routers: {
          all: {
            rule: 'PathPrefix(`/`)',
            entryPoints: ['web'],
            service: 'origin',
            middlewares: ['fuse'],
          },
          other: { rule: 'Path(`/of-the-service`)', entryPoints: ['web'], service: 'all' },
        },
        middlewares: { fuse: { circuitBreaker: breaker } },
        services: {
          origin: { loadBalancer },
          all: { middlewares: ['fuse'], loadBalancer }, // as the router is called
        },
        serversTransports: { quick: { forwardingTimeouts: { responseHeaderTimeout } } },
      },
    },
  })
  stops.push(() => gateway.stop())
  return gateway
}

// By a connection of its own, so that both workers get their part.
async function ask(gateway: Gateway, path = '/'): Promise<Response> {
  const client = await connectRaw(gateway.port)
  const answer = await client.send(requestText('GET', path, 'Connection: close\r\n')).readResponse()
  client.destroy()
  return answer
}

async function untilOpen(gateway: Gateway, path = '/'): Promise<void> {
  await eventually('the breaker to open', async () =>
    (await ask(gateway, path)).body.includes('CIRCUIT_OPEN'),
  )
}

test('it opens for all workers, shows its state, and closes again by itself', async () => {
  const gateway = await gatewayWith({
    expression: 'ResponseCodeRatio(500, 600, 0, 600) > 0.5',
    fallbackDuration: '6s', // longer than what is asked of it while it is open may take
    recoveryDuration: '500ms',
    responseCode: 418,
  })
  for (let i = 0; i < 10; i++) expect((await ask(gateway)).status).toBe(200)
  health = 'failing'
  await untilOpen(gateway)
  const before = asked
  for (let i = 0; i < 20; i++) {
    const answer = await ask(gateway)
    expect(answer.status).toBe(418)
    expect(answer.headers.get('retry-after')).toMatch(/^[1-6]$/)
  }
  expect(asked).toBe(before)
  const page = (await gateway.admin('/metrics')).body
  expect(
    metricSum(page, 'sluice_breaker_state', 'router="all@file"', 'middleware="fuse@file"'),
  ).toBe(1)
  expect(metricSum(page, 'sluice_breaker_transitions_total', 'to="open"')).toBe(1)
  const api = await gateway.admin('/api/http/middlewares/fuse@file')
  expect(JSON.parse(api.body)).toMatchObject({
    breakers: [{ router: 'all@file', state: 'open', opened: 1 }],
  })
  health = 'well'
  await eventually('the breaker to close', async () => {
    await ask(gateway)
    return metricSum((await gateway.admin('/metrics')).body, 'sluice_breaker_state') === 0
  })
  for (let i = 0; i < 10; i++) expect((await ask(gateway)).status).toBe(200)
})

test('a server that hangs opens it, and from then on answers take no time and nothing queues', async () => {
  const gateway = await gatewayWith({ expression: 'NetworkErrorRatio() > 0.5' }, '200ms')
  health = 'hanging'
  await Promise.all(Array.from({ length: 20 }, () => ask(gateway)))
  await untilOpen(gateway)
  const before = asked
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(gateway)))
  expect(answers.every(({ status }) => status === 503)).toBe(true)
  expect(asked).toBe(before) // so nobody has waited for the server
  await eventually('nothing but the page itself to be under way', async () => {
    return metricSum((await gateway.admin('/metrics')).body, 'sluice_in_flight') === 1
  })
})

test('that of a service leaves that of a router of the same name alone', async () => {
  const gateway = await gatewayWith({
    expression: 'ResponseCodeRatio(500, 600, 0, 600) > 0.5',
    fallbackDuration: '1h',
  })
  health = 'failing'
  await untilOpen(gateway, '/of-the-service')
  health = 'well'
  for (let i = 0; i < 10; i++) expect((await ask(gateway)).status).toBe(200)
  expect((await ask(gateway, '/of-the-service')).status).toBe(503)
  // They are one series, which says the worse of the two.
  const page = (await gateway.admin('/metrics')).body
  expect(page.match(/^sluice_breaker_state\{.*/gm)).toEqual([
    'sluice_breaker_state{middleware="fuse@file",router="all@file"} 1',
  ])
})

test('an expression that is none disables the router and says where', async () => {
  const gateway = await gatewayWith({ expression: 'NetworkErrors() > 0.5' })
  expect((await ask(gateway)).status).toBe(404)
  await gateway.untilStderr('there is no function NetworkErrors')
})
