// test/conformance/traefik/cases/limits.ts: rateLimit, circuitBreaker, and inFlightReq that lets nobody or everybody through.

import { responseText } from '../../../support/scene.ts'
import { type Ask, type Case, ask, get, trustedGet } from '../pair.ts'

function times(count: number, one: Ask): Ask[] {
  return Array.from({ length: count }, () => one)
}

const failing = ask('GET', '/', [], {
  reply: () => responseText('no', '', '500 Internal Server Error'),
})
const badGateway = ask('GET', '/', [], { reply: () => responseText('no', '', '502 Bad Gateway') })

// Both look at the expression once per checkPeriod, when a response comes: with a pause each response is looked at.
const checked = (one: Ask): Ask => ({ ...one, pauseMs: 50 })

// Limits of an hour, so that nothing comes back while the case runs.
export const limitCases: readonly Case[] = [
  {
    name: 'rate',
    middlewares: { rate: { rateLimit: { average: 10, period: '1h', burst: 3 } } },
    asks: [...times(5, get('/')), ask('GET', '/', [], { from: '127.0.0.9' }), ask('HEAD', '/')],
  },
  {
    name: 'rate-default',
    middlewares: { 'rate-default': { rateLimit: { average: 1, period: '1h' } } },
    asks: times(3, get('/')),
  },
  {
    name: 'rate-none',
    middlewares: { 'rate-none': { rateLimit: { burst: 2 } } },
    asks: times(5, get('/')),
  },
  {
    name: 'rate-header',
    middlewares: {
      'rate-header': {
        rateLimit: {
          average: 1,
          period: '1h',
          burst: 1,
          sourceCriterion: { requestHeaderName: 'X-Key' },
        },
      },
    },
    asks: [
      get('/', 'X-Key: a'),
      get('/', 'X-Key: a'),
      get('/', 'X-Key: b'),
      get('/', 'X-Key: A'),
      get('/'),
      get('/'),
    ],
  },
  {
    name: 'rate-host',
    rule: 'HostRegexp(`rate-host\\.test$`)',
    middlewares: {
      'rate-host': {
        rateLimit: { average: 1, period: '1h', burst: 1, sourceCriterion: { requestHost: true } },
      },
    },
    asks: [
      get('/'),
      get('/'),
      get('/', 'Host: b.rate-host.test'),
      get('/', 'Host: RATE-host.test'),
    ],
  },
  {
    name: 'rate-depth',
    middlewares: {
      'rate-depth': {
        rateLimit: {
          average: 1,
          period: '1h',
          burst: 1,
          sourceCriterion: { ipStrategy: { depth: 1 } },
        },
      },
    },
    asks: [
      trustedGet('/', 'X-Forwarded-For: 192.0.2.1'),
      trustedGet('/', 'X-Forwarded-For: 192.0.2.1'),
      trustedGet('/', 'X-Forwarded-For: 192.0.2.2'),
      trustedGet('/', 'X-Forwarded-For: 192.0.2.2, 192.0.2.1'),
    ],
  },
  {
    name: 'breaker',
    middlewares: {
      breaker: {
        circuitBreaker: {
          expression: 'ResponseCodeRatio(500, 600, 0, 600) > 0.5',
          checkPeriod: '10ms',
        },
      },
    },
    asks: [get('/'), failing, failing, failing, get('/'), get('/'), ask('HEAD', '/')].map(checked),
  },
  {
    name: 'breaker-network',
    middlewares: {
      'breaker-network': {
        circuitBreaker: {
          expression: 'NetworkErrorRatio() > 0.30',
          checkPeriod: '10ms',
          responseCode: 599,
        },
      },
    },
    asks: [get('/'), get('/'), badGateway, get('/'), get('/')].map(checked),
  },
  {
    name: 'in-flight',
    middlewares: { 'in-flight': { inFlightReq: { amount: 1 } } },
    asks: times(3, get('/')),
  },
  {
    name: 'in-flight-many', // asked all at once by beside.test.ts too
    middlewares: { 'in-flight-many': { inFlightReq: { amount: 2 } } },
    asks: [get('/')],
  },
]
