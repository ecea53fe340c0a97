// bench/load/autocannon-process.ts: the same plan, sent by autocannon: a client that we did not write ourselves,
// so that a mistake in our own reading of answers can't hide in every figure.

import { createRequire } from 'node:module'
import type { LoadPlan, LoadResult } from './contract.ts'

interface AutocannonResult {
  readonly duration: number
  readonly errors: number // connection errors and timeouts together
  readonly timeouts: number
  readonly '2xx': number
  readonly '3xx': number
  readonly non2xx: number
  readonly latency: { readonly p50: number; readonly p99: number; readonly max: number }
}

type Autocannon = (options: object) => Promise<AutocannonResult>

// The package has no types; what is used of it is written down above.
const autocannon = createRequire(import.meta.url)('autocannon') as Autocannon
const plan = JSON.parse(process.argv[2] ?? '{}') as LoadPlan

const found = await autocannon({
  url: `http://127.0.0.1:${plan.port}`,
  connections: plan.connections,
  duration: plan.seconds,
  ...(plan.ratePerSecond > 0 ? { overallRate: plan.ratePerSecond } : {}),
  requests: plan.requests.map((shape) => ({
    method: shape.method,
    path: shape.path,
    headers: { host: shape.host, ...(plan.isClosing ? { connection: 'close' } : {}) },
    ...(shape.bodyBytes > 0 ? { body: 'x'.repeat(shape.bodyBytes) } : {}),
  })),
})

const result: LoadResult = {
  requests: found['2xx'] + found['3xx'],
  seconds: found.duration,
  failedStatus: found.non2xx - found['3xx'],
  failedConnections: found.errors - found.timeouts,
  timeouts: found.timeouts,
  p50Us: found.latency.p50 * 1000,
  p99Us: found.latency.p99 * 1000,
  maxUs: found.latency.max * 1000,
}
process.stdout.write(JSON.stringify(result))
