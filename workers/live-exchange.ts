// workers/live-exchange.ts: the exchange with the two connections that it lives between, and its pool.
//
// Owner:  the worker. core/exchange.ts says when an exchange is free again; this file makes it so.
// Hot:    yes. One object per request under way, reused; measured against a fresh object per request, the
//         pool is worth it because of the two Heads with their offset arrays (1.3 KiB).

import { BOTH_DONE, DOWNSTREAM_DONE, Exchange, type TlsFacts } from '../core/exchange.ts'
import type { BodyKeeper } from '../core/middleware/body-keeper.ts'
import type { RequestSeries } from '../core/shared/series.ts'
import type { Downstream } from './downstream/contract.ts'
import type { EntryPoint } from './entry-point.ts'
import type { Fallback } from './failover.ts'
import type { LiveRouter } from './live-generation.ts'
import type { LiveService } from './live-service.ts'
import type { ResponseFile } from './response-file.ts'
import type { SpoolFile } from './spool/file.ts'
import type { Passed, Stage } from './stages.ts'
import type { TunnelFrames } from './tunnel.ts'
import type { UpstreamConnection } from './upstream/contract.ts'
import type { Server } from './upstream/server.ts'

export const NOT_BEGUN = -1

export class LiveExchange extends Exchange {
  downstream: Downstream | null = null // null once the client has its last byte or has gone
  upstream: UpstreamConnection | null = null // null before one is leased and after it was given back
  point: EntryPoint | null = null
  router: LiveRouter | null = null // the same object as `route`, with what only workers know
  service: LiveService | null = null
  server: Server | null = null
  requestComplete = false // the whole request has arrived
  requestStarted = false // some of its body was passed upstream: it can't be sent again
  bodyAtHand = 0 // bytes of the body that came with the head, as far as the engine knows
  lacksBody = false // its beginning is waited for, before a server is asked
  requestHeld = false // the engine was asked to pause the body until an upstream connection is there
  waiting = false // a middleware said WAIT or AGAIN
  again = false // and wants to be called once more
  sendingKept = false // the server gets what was kept of the body; the client's next bytes come after that
  keptSent = 0 // pieces of the keeper that this server has got
  bodyFile: SpoolFile | null = null // what the keeper would keep of a body that is too long for memory
  responseFile: ResponseFile | null = null // of a response that is too long for memory and wanted whole
  collector: BodyKeeper | null = null // of the response, while it is collected
  wantsUpgrade = false
  tunnel = false
  phasesFailed = false // a response phase threw
  sentAt = 0 // when a server was chosen for it last, by the sweeper's turnNow
  send = 0 // changes whenever a server is chosen for it, or none any more: a connection that comes late sees it
  attempts = 0 // failures: the next connection is a new one
  triedServer = -1 // the last one
  tried: number[] | null = null // those before it
  countedBy: RequestSeries | null = null
  plainPath = '' // the path before a server's own was put in front of it; '' when none was
  askedMethodId = 0 // the client's, while another method asks for a replacement
  askedMethod = ''
  replacementStatus = 0 // what the client sees of a replaced response
  replacementHeaders: readonly string[] | null = null // of the request for it; null = all
  fallbacks: Fallback | null = null // services to ask instead, by the statuses that lead to them
  tunnelEnds = 0 // halves of a tunnel that have ended
  frames: TunnelFrames | null = null // of a tunnel that is a WebSocket whose bytes pass unread
  stage: Stage | null = null // the list of middlewares that `step` counts in
  outer: Passed | null = null // stages before it, innermost first
  begunWith = NOT_BEGUN // number of the generation that it began with (generation-use.ts)

  // It came in at this entry point; `tls`: null for clear text.
  arriveAt(point: EntryPoint, tls: TlsFacts | null): void {
    this.point = point
    this.entryPoint = point.name
    this.tls = tls
    this.secure = tls !== null
    this.errorPages = point.plan.errorPages
  }

  // What was tried, and how the exchange was addressed, says nothing about another service.
  forgetServer(): void {
    this.attempts = 0
    this.triedServer = -1
    this.tried = null
    if (this.plainPath !== '') this.path = this.plainPath
    this.plainPath = ''
    this.stuck = null
    if (this.service !== null && !this.service.passHostHeader) this.forwardHost = ''
  }
}

const POOL_MAX = 4096 // beyond this, a burst's exchanges are left to the garbage collector
const pool: LiveExchange[] = []

export function leaseExchange(): LiveExchange {
  const exchange = pool.pop() ?? new LiveExchange()
  exchange.reset()
  exchange.downstream = null
  exchange.upstream = null
  exchange.point = null
  exchange.router = null
  exchange.service = null
  exchange.server = null
  exchange.requestComplete = false
  exchange.requestStarted = false
  exchange.bodyAtHand = 0
  exchange.lacksBody = false
  exchange.requestHeld = false
  exchange.waiting = false
  exchange.again = false
  exchange.sendingKept = false
  exchange.keptSent = 0
  exchange.bodyFile = null
  exchange.responseFile = null
  exchange.collector = null
  exchange.wantsUpgrade = false
  exchange.tunnel = false
  exchange.phasesFailed = false
  exchange.sentAt = 0
  exchange.send = 0
  exchange.attempts = 0
  exchange.triedServer = -1
  exchange.tried = null
  exchange.countedBy = null
  exchange.plainPath = ''
  exchange.askedMethodId = 0
  exchange.askedMethod = ''
  exchange.replacementStatus = 0
  exchange.replacementHeaders = null
  exchange.fallbacks = null
  exchange.tunnelEnds = 0
  exchange.frames = null
  exchange.stage = null
  exchange.outer = null
  exchange.begunWith = NOT_BEGUN
  return exchange
}

// Marks one half as done and releases the exchange if it was the second. Returns true when it was.
export function finishHalf(exchange: LiveExchange, half: number): boolean {
  if (exchange.done === BOTH_DONE) return false
  exchange.done |= half
  if (exchange.done !== BOTH_DONE) return false
  exchange.serial++
  return true
}

export function releaseExchange(exchange: LiveExchange): void {
  if (pool.length < POOL_MAX) pool.push(exchange)
}

// Stands in for an exchange that has left its upstream connection before the end of its response: takes
// the rest, which nobody will see. It has no downstream half.
export function leaseGhost(of: LiveExchange): LiveExchange {
  const ghost = leaseExchange()
  ghost.done = DOWNSTREAM_DONE
  ghost.methodId = of.methodId
  ghost.method = of.method
  ghost.requestComplete = true
  return ghost
}
