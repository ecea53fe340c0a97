// workers/entry-point.ts: an entry point as a worker knows it: its settings, compiled, and its counts.
//
// Owner:  the worker; lives as long as it does (entry points are static configuration).
// Hot:    its fields are read per request.

import { AddressSet } from '../core/address.ts'
import type { ForwardedPolicy } from '../core/forwarded.ts'
import { SLOW_READER_BYTES } from '../core/limits.ts'
import type { EntryPointPolicy } from '../core/normalise.ts'
import { CONNECTIONS } from '../core/shared/control.ts'
import { REQUESTS, type RequestSeries } from '../core/shared/series.ts'
import type { WorkerContext } from './context.ts'
import type { EntryPointBounds, EntryPointTimes } from './downstream/contract.ts'
import type { EntryPointPlan } from './messages.ts'
import type { Swept } from './sweeper.ts'

export class EntryPoint {
  readonly name: string
  readonly index: number
  readonly plan: EntryPointPlan
  readonly times: EntryPointTimes
  readonly bounds: EntryPointBounds
  readonly slowReaderBytes: number
  readonly policy: EntryPointPolicy
  readonly forwarding: ForwardedPolicy
  readonly context: WorkerContext
  readonly series: RequestSeries | null
  readonly logged: boolean
  readonly timesUpstream: boolean
  readonly isSide: boolean // of requests of our own (services.ts)
  connections = 0
  draining = false // accepts no more: connections end after their exchange
  private readonly trusted: AddressSet | null
  private readonly proxies: AddressSet | null
  private readonly openBlock: number
  private restedBlock = 0

  constructor(plan: EntryPointPlan, index: number, context: WorkerContext) {
    this.plan = plan
    this.name = plan.name
    this.index = index
    this.times = plan.times
    this.bounds = plan.bounds
    this.slowReaderBytes = Math.min(SLOW_READER_BYTES, plan.bounds.bufferedBytesMax)
    this.context = context
    this.policy = {
      sanitizePath: plan.sanitizePath,
      encodeQuerySemicolons: plan.encodeQuerySemicolons,
      allowEncoded: plan.allowEncoded,
      underscoreHeaders: plan.underscoreHeaders,
      connectionHeaders: plan.connectionHeaders.length > 0 ? new Set(plan.connectionHeaders) : null,
    }
    this.trusted = plan.trustedIPs.length > 0 ? new AddressSet(plan.trustedIPs) : null
    const proxies = plan.proxyProtocol?.trustedIPs ?? []
    this.proxies = proxies.length > 0 ? new AddressSet(proxies) : null
    this.forwarding = {
      insecure: plan.trustAll,
      trusted: this.trusted,
      notAppendXForwardedFor: plan.notAppendXForwardedFor,
      addScheme: plan.addXForwardedScheme,
      serverName: context.plan.hostname,
      port: '', // that of the authority, else of the scheme, as in Traefik
    }
    const { metrics } = context.plan
    const counted = metrics !== null && metrics.entryPoints && plan.metrics
    const labels = { entrypoint: plan.name }
    this.series = counted ? context.requestSeries('entrypoint', labels) : null
    this.isSide = index < 0
    const openLabels = { ...labels, protocol: 'TCP' }
    this.openBlock = this.isSide
      ? 0
      : context.series.give({ family: 'open_connections', labels: openLabels })
    this.logged = context.log !== null && plan.accessLogs
    this.timesUpstream = this.logged
  }

  // A client sends slowly while many do: it is read in rounds from here on (rounds.ts).
  countRested(): void {
    const { series } = this.context
    const family = 'sluice_rested_connections_total'
    if (this.restedBlock === 0)
      this.restedBlock = series.give({ family, labels: { entrypoint: this.name } })
    series.add(this.restedBlock, REQUESTS, 1)
  }

  trusts(address: string): boolean {
    return this.plan.trustAll || (this.trusted !== null && this.trusted.contains(address))
  }

  // Whether connections from there may begin with a PROXY header.
  trustsProxy(address: string): boolean {
    const { proxyProtocol } = this.plan
    if (proxyProtocol === null) return false
    return proxyProtocol.insecure || (this.proxies !== null && this.proxies.contains(address))
  }

  // False: there is no room; the caller refuses the connection.
  connectionOpened(connection: Swept): boolean {
    if (this.connections >= this.bounds.connectionsMax) return false
    this.context.sweeper.add(connection)
    this.connectionCame()
    return true
  }

  connectionClosed(connection: Swept): void {
    if (connection.sweepIndex < 0) return
    this.context.sweeper.remove(connection)
    this.connectionLeft()
  }

  // The same connection in another shape: the count stays.
  connectionChanged(from: Swept, to: Swept): void {
    this.context.sweeper.remove(from)
    this.context.sweeper.add(to)
  }

  // The grace is over: closes what is open. Returns on how many connections something was under way. Unless it is the
  // last call, WebSockets are told and get a moment to end.
  cut(isLast: boolean): number {
    let busy = 0
    for (const member of this.context.sweeper.membersOf(this)) {
      if (member.cut === undefined) {
        member.abandon()
        busy++
      } else busy += member.cut(isLast)
    }
    return busy
  }

  // For an engine that only knows that there is one more, or one less.
  connectionCame(): void {
    this.connections++
    this.context.series.add(this.openBlock, REQUESTS, 1)
    this.context.addToRow(CONNECTIONS, 1)
  }

  connectionLeft(): void {
    this.connections--
    this.context.series.add(this.openBlock, REQUESTS, -1)
    this.context.addToRow(CONNECTIONS, -1)
    this.context.connectionEnded()
  }
}
