// workers/watch.ts: exchanges whose times are looked at (timeout middleware), all by one member of the sweeper.
//
// Owner:  the worker's Services. Hot: add() for routes with a timeout middleware; others never come here. An exchange that
//         has ended stays in the list until the next tick, so a request that ends costs nothing here.

import { NONE, TIMEOUT_FIRST_BYTE, TIMEOUT_TRY } from '../core/errors.ts'
import { Deadlines, type ExchangeTimes, type Progress } from '../core/resilience/deadlines.ts'
import { breakOff, leaveUpstream } from './endings.ts'
import type { LiveExchange } from './live-exchange.ts'
import * as pipeline from './pipeline.ts'
import type { Swept, Sweeper } from './sweeper.ts'

interface Watched {
  readonly exchange: LiveExchange
  readonly serial: number
  readonly deadlines: Deadlines
  readonly onOver: (code: number) => void
}

// Filled anew for each look.
class View implements Progress {
  sentAt = 0
  isAsked = false
  requestComplete = false
  wroteHead = false
  bytes = 0

  take(exchange: LiveExchange): this {
    this.sentAt = exchange.sentAt
    this.isAsked = exchange.server !== null
    this.requestComplete = exchange.requestComplete
    this.wroteHead = exchange.wroteHead
    this.bytes = exchange.requestBytes + exchange.responseBytes
    return this
  }
}

export class Watch implements Swept {
  sweepIndex = -1
  private readonly sweeper: Sweeper
  private readonly list: Watched[] = []
  private readonly view = new View()

  constructor(sweeper: Sweeper) {
    this.sweeper = sweeper
  }

  add(exchange: LiveExchange, times: ExchangeTimes, onOver: (code: number) => void): void {
    const deadlines = new Deadlines(times, this.sweeper.turnNow())
    this.list.push({ exchange, serial: exchange.serial, deadlines, onOver })
    if (this.sweepIndex < 0) this.sweeper.add(this)
  }

  onTick(now: number): void {
    for (let i = this.list.length - 1; i >= 0; i--) {
      const watched = this.list[i]!
      if (!this.isOver(watched, now)) continue
      const last = this.list.pop()!
      if (last !== watched) this.list[i] = last
    }
    if (this.list.length === 0) this.sweeper.remove(this)
  }

  // Whether there is nothing more to watch. A new exchange may be added within.
  private isOver(watched: Watched, now: number): boolean {
    const { exchange, serial, deadlines, onOver } = watched
    if (exchange.serial !== serial || exchange.downstream === null || exchange.tunnel) return true
    const code = deadlines.over(this.view.take(exchange), now)
    if (code === NONE) return false
    onOver(code)
    if (code !== TIMEOUT_TRY && code !== TIMEOUT_FIRST_BYTE) {
      endExchange(exchange, code)
      return true
    }
    endTry(exchange, code)
    return false
  }

  abandon(): void {
    this.list.length = 0
    this.sweeper.remove(this)
  }
}

// The exchange has had its time, whatever it is doing.
function endExchange(exchange: LiveExchange, code: number): void {
  const { downstream } = exchange
  if (downstream === null) return
  leaveUpstream(exchange)
  exchange.waiting = false
  exchange.collector = null
  if (exchange.wroteHead) return breakOff(exchange, downstream, code)
  exchange.fallbacks = null
  pipeline.refuse(exchange, code)
}

// A server has had its time to begin; another one may be asked.
function endTry(exchange: LiveExchange, code: number): void {
  const answer = answerTo(exchange)
  exchange.upstream?.cancel(exchange)
  exchange.send++
  pipeline.upstreamFailed(exchange, code, answer)
}

// A server that is being dialled has got nothing; of one that had no room nothing was asked.
function answerTo(exchange: LiveExchange): pipeline.RetryAnswer {
  if (exchange.upstream !== null) return pipeline.RETRY_NEVER
  return exchange.server!.keepsWaiting(exchange) ? pipeline.RETRY_ELSEWHERE : pipeline.RETRY_ALWAYS
}
