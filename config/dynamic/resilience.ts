// config/dynamic/resilience.ts: options of retry, timeout and circuitBreaker. Hot: no.

import { z } from 'zod'
import { block, extension, flag, list, off, time } from '../static/blocks.ts'

const KEPT_BYTES_MAX = 256 * 1024 * 1024 // of one request body; it lies in memory until the response begins

const retry = off({
  attempts: z.int().min(1).max(100),
  timeout: time(0),
  initialInterval: time(0),
  maxRequestBodyBytes: z.int().min(0).max(KEPT_BYTES_MAX).default(2_097_152),
  status: list(),
  disableRetryOnNetworkError: flag(false),
  retryNonIdempotentMethod: flag(false),
  budget: extension(
    block({
      percent: extension(
        z.number().min(0).max(100).default(20),
        'retries in a hundred requests of the last 10 s',
      ),
      minPerSecond: extension(
        z.number().min(0).max(1000).default(10),
        'so many retries are allowed whatever the traffic is',
      ),
    }),
    'no more retries than this, so that they never become the load that keeps a server down',
  ),
})

const timeout = extension(
  off({
    total: extension(time(0), 'the whole exchange, from its head to its last byte'),
    perTry: extension(time(0), 'from choosing a server to the head of its answer'),
    firstByte: extension(time(0), 'from the end of the request to the head of the answer'),
    idle: extension(time(0), 'without a byte of a body, once the head is out'),
  }),
  'ends what takes too long, with 504 or, once the head is out, by ending the connection',
)

const circuitBreaker = off({
  expression: z.string(),
  checkPeriod: time(100),
  fallbackDuration: time(10_000),
  recoveryDuration: time(10_000),
  responseCode: z.int().min(200).max(599).default(503),
})

export const resilienceMiddlewares = { retry, timeout, circuitBreaker }
