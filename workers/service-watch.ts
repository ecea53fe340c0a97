// workers/service-watch.ts: what a service learns from the answers of its servers: how long they take, whether they fail.
//
// Owner:  a LiveService; null for services that need to know nothing. Hot: yes, once per exchange of the others.

import type { LoadBalancerPlan } from '../config/generation.ts'
import type { IntervalCounts } from '../core/balance/interval-counts.ts'
import {
  EJECTED_5XX,
  FELL,
  type Happened,
  NOTHING,
  NOT_SENT,
  type Standing,
} from '../core/balance/standing.ts'
import type { Outlier } from '../core/balance/success-rate.ts'
import type { WorkerContext } from './context.ts'
import type { LiveExchange } from './live-exchange.ts'
import { RETRY_ALWAYS, RETRY_NEVER, type RetryAnswer } from './retrying.ts'
import type { Server } from './upstream/server.ts'

export class ServiceWatch {
  private readonly plan: LoadBalancerPlan
  private readonly context: WorkerContext
  private readonly servers: readonly Server[]
  private readonly standings: readonly (Standing | null)[] | null // null: failures are not noted
  private readonly counts: IntervalCounts | null // null: rates are not looked at
  private readonly timesAnswers: boolean

  constructor(
    plan: LoadBalancerPlan,
    context: WorkerContext,
    servers: readonly Server[],
    standings: readonly (Standing | null)[] | null,
    counts: IntervalCounts | null,
  ) {
    this.plan = plan
    this.context = context
    this.servers = servers
    this.standings = standings
    this.counts = counts
    this.timesAnswers = plan.strategy === 'leasttime'
  }

  // The head of a response is there.
  answered(exchange: LiveExchange): void {
    const { triedServer } = exchange
    if (this.timesAnswers) {
      const ms = this.context.sweeper.turnNow() - exchange.upstreamStartedAt
      this.servers[triedServer]!.times.add(ms)
    }
    if (this.standings !== null) this.note(triedServer, exchange.status, this.standings)
  }

  // No response came. A kept connection that was closed in the moment of its use says nothing of the server, nor does
  // a server that has refused a request before it looked at it, nor a limit of ours (RETRY_ELSEWHERE): busy servers would be
  // taken out, and the others get all the more. One whose head has gone out was well enough.
  failed(exchange: LiveExchange, retry: RetryAnswer): void {
    if (exchange.wroteHead || (retry !== RETRY_ALWAYS && retry !== RETRY_NEVER)) return
    const { triedServer } = exchange
    if (this.timesAnswers)
      this.servers[triedServer]!.times.addFailure(this.context.sweeper.turnNow())
    if (this.standings !== null) this.note(triedServer, NOT_SENT, this.standings)
  }

  private note(index: number, status: number, standings: readonly (Standing | null)[]): void {
    const standing = standings[index]
    if (standing === null || standing === undefined) return
    const happened = standing.answered(status, standings)
    if (happened !== NOTHING) this.tell(index, happened)
    if (this.counts === null) return
    for (const outlier of this.counts.note(index, status)) this.tellOutlier(outlier)
  }

  // Once per time that a server goes down, in whichever worker saw it.
  private tell(index: number, happened: Happened): void {
    if (happened !== FELL) {
      const reason = happened === EJECTED_5XX ? '5xx' : 'gateway_errors'
      return this.tellEjected(index, reason, `${reason} in a row`)
    }
    const { url } = this.plan.servers[index]!
    const service = this.plan.name
    const labels = { service, url }
    this.context.services.counter('sluice_service_passive_downs_total', labels).add(1)
    const message = `server ${url} of ${service} is down: its answers failed`
    this.context.say({ type: 'warning', message })
  }

  private tellOutlier({ index, reason, percent, limit }: Outlier): void {
    const [what, expected] = outlierWords[reason]
    const why = `${what} ${percent.toFixed(1)}%, expected ${expected} ${limit.toFixed(1)}%`
    this.tellEjected(index, reason, why)
  }

  private tellEjected(index: number, reason: string, why: string): void {
    const { url } = this.plan.servers[index]!
    const service = this.plan.name
    const labels = { service, url, reason }
    this.context.services.counter('sluice_service_ejections_total', labels).add(1)
    const message = `server ${url} of ${service} is ejected: ${why}`
    this.context.say({ type: 'warning', message })
  }
}

const outlierWords: Readonly<Record<Outlier['reason'], readonly [string, string]>> = {
  success_rate: ['success rate', 'at least'],
  failure_percentage: ['failure percentage', 'below'],
}

// Of the services that the exchange has come through. They stay noted: another answer may take the place of this one.
export function addStickyCookies(exchange: LiveExchange): void {
  for (let at = exchange.stuck; at !== null; at = at.outer)
    exchange.response.add('Set-Cookie', at.sticky.lineOf(at.index))
}
