// workers/cache/refresh.ts: asks a server for a response that is stale, while clients still get the stored one.
//
// Owner:  the worker. The request is the client's, copied: it goes through what is behind the cache middleware, as the
//         client's would have, and its response through the cache's response phase, which stores it. Its client is a
//         sink. It is not counted or logged as a request: nobody has made it. Hot: no.

import { DOWNSTREAM_DONE, type Exchange, METHOD_GET, UPSTREAM_DONE } from '../../core/exchange.ts'
import { ForwardedCache } from '../../core/forwarded.ts'
import type { Downstream } from '../downstream/contract.ts'
import { whenDue } from '../due.ts'
import { finish, leaveUpstream } from '../endings.ts'
import { type LiveExchange, leaseExchange } from '../live-exchange.ts'
import * as pipeline from '../pipeline.ts'
import type { Passed, Stage } from '../stages.ts'

const REFRESHES_MAX = 256 // per worker; more stale responses wait for their next request
const REFRESH_TIMEOUT_MS = 60_000

let underway = 0

// `arrange` sees the copy before it goes on. False: too many are under way.
export function beginRefresh(of: LiveExchange, arrange: (own: Exchange) => void): boolean {
  if (underway >= REFRESHES_MAX) return false
  const own = leaseExchange()
  copyRequest(of, own)
  of.point!.context.generationUse.copied(of, own)
  own.stage = fromHere(of.stage!, of.step)
  own.step = 1 // of its stage: the cache itself has run
  own.outer = passed({ stage: of.stage!, step: of.step, outer: of.outer })
  const sink = new Sink(own, of.downstream?.forwarded ?? new ForwardedCache())
  own.downstream = sink
  underway++
  arrange(own)
  process.nextTick(begin, own) // not within the client's own turn in the pipeline
  return true
}

function begin(own: LiveExchange): void {
  pipeline.resume(own)
}

// The middlewares that are behind the cache, and the cache, whose response phase they lead to.
function fromHere(stage: Stage, step: number): Stage {
  const middlewares = stage.middlewares!.slice(step - 1)
  return {
    middlewares,
    hasResponse: true,
    hasFinish: true,
    children: stage.children,
    service: () => stage.service(),
  }
}

// The stages before it are passed, so that a service's is not entered once more, but none of their phases is run.
function passed(of: Passed | null): Passed | null {
  return of === null ? null : { stage: of.stage, step: 0, outer: passed(of.outer) }
}

function copyRequest(of: LiveExchange, own: LiveExchange): void {
  own.request.copyFrom(of.request)
  own.methodId = METHOD_GET
  own.method = 'GET'
  own.versionMinor = of.versionMinor
  own.http2 = of.http2
  own.form = of.form
  own.targetStart = of.targetStart
  own.targetEnd = of.targetEnd
  own.facts = of.facts
  own.host = of.host
  own.authority = of.authority
  own.path = of.path
  own.routingPath = of.routingPath
  own.query = of.query
  own.hasQuery = of.hasQuery
  own.secure = of.secure
  own.tls = of.tls
  own.clientAddress = of.clientAddress
  own.clientPort = of.clientPort
  own.entryPoint = of.entryPoint
  own.forwardHost = of.forwardHost
  own.pathChanged = of.pathChanged || of.methodId !== METHOD_GET
  own.point = of.point
  own.route = of.route
  own.router = of.router
  own.startedAt = of.startedAt
  own.requestComplete = true
}

class Sink implements Downstream {
  readonly forwarded: ForwardedCache
  private exchange: LiveExchange | null
  private readonly timer: NodeJS.Timeout

  constructor(exchange: LiveExchange, forwarded: ForwardedCache) {
    this.exchange = exchange
    this.forwarded = forwarded
    this.timer = whenDue(REFRESH_TIMEOUT_MS, () => this.giveUp())
    this.timer.unref()
  }

  sendHead(): void {}

  sendBody(): boolean {
    return true
  }

  sendEnd(exchange: LiveExchange): void {
    this.leave(exchange)
    pipeline.downstreamDone(exchange)
  }

  abort(exchange: LiveExchange): void {
    this.leave(exchange) // whoever aborts ends it
  }

  private giveUp(): void {
    const { exchange } = this
    if (exchange === null) return
    this.leave(exchange)
    leaveUpstream(exchange)
    finish(exchange, DOWNSTREAM_DONE | UPSTREAM_DONE)
  }

  // Without its entry point it is accounted for nowhere.
  private leave(exchange: LiveExchange): void {
    if (this.exchange === null) return
    this.exchange = null
    underway--
    clearTimeout(this.timer)
    exchange.downstream = null
    exchange.point = null
  }

  sendContinue(): void {}
  sendInformational(): void {}
  flush(): void {}
  pauseBody(): void {}
  resumeBody(): void {}
  beginTunnel(exchange: LiveExchange): void {
    this.abort(exchange) // never asked for: requests with Upgrade are not the cache's
  }
  tunnelSend(): boolean {
    return true
  }
  tunnelEnd(): void {}
  tunnelClosed(): void {}
}
