// The retry middleware: what is sent again, where to, and what never is. Servers keep a ledger of what reached them.

import { afterEach, expect, test } from 'vitest'
import { type Gateway, type Keys, freePorts, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { type OriginConnection, startScriptedOrigin } from '../../support/origin.ts'
import { type Response, connectRaw } from '../../support/raw-client.ts'
import { requestText, responseText } from '../../support/scene.ts'

// What a server does with the next request that reaches it.
type Behaviour = 'answer' | 'reset' | 'half' | 'silent' | '503' | '503 with a body' | 'cut the body'

const stops: (() => unknown)[] = []
let ledger: string[] = [] // 'server method path body'
let onAnswer: (() => void) | null = null // called once, when something of an answer has been sent

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

// A server that behaves so in turn, and answers once that is used up.
async function serverOf(name: string, behaviours: Behaviour[]): Promise<string> {
  const origin = await startScriptedOrigin(async (connection) => {
    for (;;) {
      const { head, body } = await connection.readRequest(60_000)
      ledger.push(`${name} ${head.slice(0, head.indexOf(' HTTP'))} ${body}`.trim())
      const goesOn = await behave(connection, behaviours.shift() ?? 'answer', name)
      onAnswer?.()
      onAnswer = null
      if (!goesOn) return
    }
  })
  stops.push(() => origin.stop())
  return origin.url
}

async function behave(connection: OriginConnection, what: Behaviour, name: string) {
  if (what === 'reset') connection.reset()
  if (what === 'half' || what === 'cut the body') {
    connection.send(
      what === 'half' ? 'HTTP/1.1 200 OK\r\nContent-' : responseText('x'.repeat(9)).slice(0, -4),
    )
    await new Promise((resolve) => setImmediate(resolve))
    connection.end()
  }
  if (what === '503') connection.send(responseText('', '', '503 Service Unavailable'))
  if (what === '503 with a body')
    connection.send(responseText('busy', '', '503 Service Unavailable'))
  if (what === 'answer') connection.send(responseText(`from ${name}`))
  return what === 'answer' || what.startsWith('503') || what === 'silent'
}

// A silent server is waited for as long as a machine may stand still; others are not to be taken for silent.
const timeFor = (behaviour: Behaviour): string => (behaviour === 'silent' ? '2s' : '20s')

async function gatewayTo(
  urls: readonly string[],
  retry: Keys,
  responseHeaderTimeout = '20s',
): Promise<Gateway> {
  ledger = []
  const gateway = await startGateway({
    routes: {
      http: {
        routers: {
          all: {
            rule: 'PathPrefix(`/`)',
            entryPoints: ['web'],
            service: 'origin',
            middlewares: ['again'],
          },
        },
        middlewares: { again: { retry } },
        services: {
          origin: {
            loadBalancer: { serversTransport: 'quick', servers: urls.map((url) => ({ url })) },
          },
        },
        serversTransports: {
          quick: { forwardingTimeouts: { dialTimeout: '2s', responseHeaderTimeout } },
        },
      },
    },
  })
  stops.push(() => gateway.stop())
  return gateway
}

async function ask(gateway: Gateway, method: string, body = ''): Promise<Response> {
  const client = await connectRaw(gateway.port)
  stops.push(() => client.destroy())
  client.send(requestText(method, '/a', '', body))
  return client.readResponse(method === 'HEAD')
}

async function closedUrl(): Promise<string> {
  const [port = 0] = await freePorts(1)
  return `http://127.0.0.1:${port}`
}

test.each<Behaviour>(['reset', 'half', 'silent'])(
  'a GET whose server says "%s" is sent to another one',
  async (behaviour) => {
    const urls = [await serverOf('one', [behaviour]), await serverOf('two', [])]
    const gateway = await gatewayTo(urls, { attempts: 2 }, timeFor(behaviour))
    expect((await ask(gateway, 'GET')).body).toBe('from two')
    expect(ledger).toEqual(['one GET /a', 'two GET /a'])
    const { body } = await gateway.admin('/metrics')
    const reason = behaviour === 'silent' ? 'reason="timeout"' : 'reason="network"'
    expect(metricSum(body, 'sluice_retries_total', reason, 'router="all@file"')).toBe(1)
  },
)

test.each<Behaviour>(['reset', 'half', 'silent', '503'])(
  'a POST whose server says "%s" is not sent again',
  async (behaviour) => {
    const urls = [await serverOf('one', [behaviour]), await serverOf('two', [])]
    const retry = { attempts: 3, status: ['503'] }
    const gateway = await gatewayTo(urls, retry, timeFor(behaviour))
    expect((await ask(gateway, 'POST', 'order')).status).toBeGreaterThanOrEqual(502)
    expect(ledger).toEqual(['one POST /a order'])
  },
)

test.each<Behaviour>(['reset', 'silent', '503', '503 with a body'])(
  'with retryNonIdempotentMethod a POST whose server says "%s" is sent again with its body',
  async (behaviour) => {
    const urls = [await serverOf('one', [behaviour]), await serverOf('two', [])]
    const retry = { attempts: 2, status: ['503'], retryNonIdempotentMethod: true }
    const gateway = await gatewayTo(urls, retry, timeFor(behaviour))
    expect((await ask(gateway, 'POST', 'order')).body).toBe('from two')
    expect(ledger).toEqual(['one POST /a order', 'two POST /a order'])
  },
)

test('a POST that no server has got is sent with its body until one takes it', async () => {
  const urls = [await closedUrl(), await closedUrl(), await serverOf('three', [])]
  const gateway = await gatewayTo(urls, { attempts: 3 })
  for (let i = 0; i < 3; i++) expect((await ask(gateway, 'POST', 'order')).body).toBe('from three')
  expect(ledger).toEqual(Array.from({ length: 3 }, () => 'three POST /a order'))
})

test('no server is asked again while one is up that was not, and then the first may be', async () => {
  const urls = [
    await serverOf('one', ['503']),
    await serverOf('two', ['503']),
    await serverOf('three', ['503']),
  ]
  const gateway = await gatewayTo(urls, { attempts: 4, status: ['500-599'] })
  expect((await ask(gateway, 'GET')).status).toBe(200)
  expect(
    ledger
      .slice(0, 3)
      .map((line) => line.split(' ')[0])
      .toSorted(),
  ).toEqual(['one', 'three', 'two'])
  expect(ledger.length).toBe(4)
})

test('the last attempt is what the client gets, whatever its status', async () => {
  const gateway = await gatewayTo([await serverOf('one', ['503', '503', '503 with a body'])], {
    attempts: 3,
    status: ['503'],
    initialInterval: '10ms',
  })
  const answer = await ask(gateway, 'GET')
  expect([answer.status, answer.body]).toEqual([503, 'busy'])
  expect(ledger.length).toBe(3)
})

test('after the pause of initialInterval the only server is asked again', async () => {
  const gateway = await gatewayTo([await serverOf('one', ['reset', '503'])], {
    attempts: 3,
    status: ['503'],
    initialInterval: '100ms',
  })
  const from = performance.now()
  expect((await ask(gateway, 'PUT', 'x'.repeat(5000))).body).toBe('from one')
  expect(performance.now() - from).toBeGreaterThan(100) // half of 100 ms and half of 150 ms at the least
  expect(ledger).toEqual(Array.from({ length: 3 }, () => `one PUT /a ${'x'.repeat(5000)}`))
})

test('no attempt begins after timeout', async () => {
  const silent = await serverOf('one', ['silent', 'silent', 'silent'])
  const gateway = await gatewayTo([silent], { attempts: 10, timeout: '200ms' }, '300ms')
  expect((await ask(gateway, 'GET')).status).toBe(504)
  expect(ledger).toEqual(['one GET /a'])
})

test('a body longer than maxRequestBodyBytes passes, and is sent once', async () => {
  const urls = [await serverOf('one', ['503']), await serverOf('two', [])]
  const gateway = await gatewayTo(urls, { attempts: 3, status: ['503'], maxRequestBodyBytes: 10 })
  expect((await ask(gateway, 'PUT', 'x'.repeat(11))).status).toBe(503)
  expect(ledger.length).toBe(1)
})

test('with disableRetryOnNetworkError only a status is a reason', async () => {
  const urls = [await serverOf('one', ['half', '503']), await serverOf('two', [])]
  const gateway = await gatewayTo(urls, {
    attempts: 3,
    status: ['503'],
    disableRetryOnNetworkError: true,
  })
  expect((await ask(gateway, 'GET')).status).toBe(502)
  expect((await ask(gateway, 'GET')).body).toBe('from two')
})

test('a response that breaks off after its head is not retried: the client sees that it broke off', async () => {
  const urls = [await serverOf('one', ['cut the body']), await serverOf('two', [])]
  const gateway = await gatewayTo(urls, { attempts: 3 })
  await expect(ask(gateway, 'GET')).rejects.toThrow()
  expect(ledger).toEqual(['one GET /a'])
})

test('once the budget is used up, failures are told as they are', async () => {
  const failing = Array.from({ length: 100 }, (): Behaviour => '503')
  const gateway = await gatewayTo([await serverOf('one', failing)], {
    attempts: 2,
    status: ['503'],
    budget: { percent: 20, minPerSecond: 0 },
  })
  for (let i = 0; i < 20; i++) expect((await ask(gateway, 'GET')).status).toBe(503)
  expect(ledger.length).toBe(24) // 20 and a fifth of them
  const { body } = await gateway.admin('/metrics')
  expect(metricSum(body, 'sluice_retry_budget_exhausted_total', 'middleware="again@file"')).toBe(16)
})

test('a client that leaves during the pause is the end of its request', async () => {
  const turns: Behaviour[] = [
    '503',
    '503',
    'answer',
    '503',
    'answer',
    '503',
    'answer',
    '503',
    'answer',
  ]
  const gateway = await gatewayTo([await serverOf('one', turns)], {
    attempts: 2,
    status: ['503'],
    initialInterval: '300ms',
  })
  const client = await connectRaw(gateway.port)
  onAnswer = () => client.reset() // a client that only ends its side still wants the answer
  client.send(requestText('GET', '/left'))
  await client.until('it to be gone', () => client.closed)
  // Four pauses of 150 ms at the least are longer than one of 450 ms at the most.
  for (let i = 0; i < 4; i++) expect((await ask(gateway, 'GET')).status).toBe(200)
  expect(ledger.filter((line) => line.includes('/left')).length).toBe(1)
  expect(ledger.length).toBe(9)
})
