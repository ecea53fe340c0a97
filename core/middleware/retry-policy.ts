// core/middleware/retry-policy.ts: what the retry middleware tells the pipeline about the exchange that it has seen.
//
// Hot: no; asked when a request has failed. The exchange holds the policy of the innermost retry middleware.

import type { Exchange } from '../exchange.ts'

export interface RetryPolicy {
  // Whether the request may be sent once more after it failed with `code`. `mayHaveRun`: some server may have acted on
  // it. Yes counts: what was allowed is done.
  allows(exchange: Exchange, code: number, mayHaveRun: boolean): boolean
  // How long to wait before that; 0 is at once.
  delayMs(exchange: Exchange): number
}
