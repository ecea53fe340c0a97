// workers/rollouts.ts: progressive rollouts, once per process: watches what workers count and sets what they follow.
//
// Owner:  the gateway, in the supervisor's thread. A rollout lives as long as generations have it as it is; changed in any
//         way it begins anew, and so it does when the process starts. Hot: no, once a second.

import type { Generation, WeightedPlan } from '../config/generation.ts'
import { NEW, OLD, RolloutCounts, quantileMs } from '../core/rollout/counts.ts'
import { type RolloutStatus, rolloutSlotName } from '../core/rollout/plan.ts'
import { type RolloutAction, RolloutProgress } from '../core/rollout/progress.ts'
import type { SlotTable } from '../core/shared/slot-table.ts'
import type { OperationsLog } from './supervisor.ts'

const TICK_MS = 1000

interface Rollout {
  readonly service: string
  readonly from: string
  readonly to: string
  readonly slot: number // of the table; -1: it had no room
  readonly counts: RolloutCounts
  readonly progress: RolloutProgress
}

export class Rollouts {
  private readonly table: SlotTable
  private readonly log: OperationsLog
  private readonly now: () => number
  private readonly rollouts = new Map<string, Rollout>() // by the name of their slot
  private timer: NodeJS.Timeout | null = null

  constructor(table: SlotTable, log: OperationsLog, now: () => number = () => performance.now()) {
    this.table = table
    this.log = log
    this.now = now
  }

  // Before its workers are told: they find the share that the rollout begins with.
  use(generation: Generation): void {
    const wanted = new Map<string, WeightedPlan>()
    for (const plan of generation.services.values()) {
      if (plan.kind === 'weighted' && plan.rollout !== null) wanted.set(rolloutSlotName(plan), plan)
    }
    for (const key of this.rollouts.keys()) if (!wanted.has(key)) this.rollouts.delete(key)
    // Also of one that goes on, whose slot belongs to this generation as well. Another slot: there was no room before.
    this.table.generation = generation.number
    for (const [key, plan] of wanted) {
      const slot = this.table.claim(key)
      if (this.rollouts.get(key)?.slot !== slot) this.begin(key, plan, slot)
    }
    if (this.rollouts.size > 0) this.timer ??= setInterval(() => this.tick(), TICK_MS).unref()
    else this.stop()
  }

  private begin(key: string, plan: WeightedPlan, slot: number): void {
    const counts = new RolloutCounts(this.table, slot)
    const progress = new RolloutProgress(plan.rollout!, this.now(), counts.read(NEW))
    const [from, to] = plan.services
    const rollout = { service: plan.name, from: from!.name, to: to!.name, slot, counts, progress }
    this.rollouts.set(key, rollout)
    this.tell(rollout, progress.step < 0 ? 'waits to be resumed' : 'begins')
  }

  tick(): void {
    for (const rollout of this.rollouts.values()) {
      const { progress, counts } = rollout
      if (progress.tick(this.now(), counts.read(NEW))) this.tell(rollout, progress.reason)
    }
  }

  // null: there is none of this name. '' when it was done, else why not.
  act(service: string, action: RolloutAction): string | null {
    const rollout = [...this.rollouts.values()].find((one) => one.service === service)
    if (rollout === undefined) return null
    const refusal = rollout.progress.act(action, this.now(), rollout.counts.read(NEW))
    if (refusal === '') this.tell(rollout, rollout.progress.reason)
    return refusal
  }

  private tell({ service, to, counts, progress }: Rollout, why: string): void {
    counts.share = Math.round(progress.share * 10)
    const text = `rollout ${service}: ${progress.state}, ${progress.share} % for ${to}: ${why}`
    if (progress.state === 'rolledBack') this.log.error(text)
    else this.log.info(text)
  }

  get statuses(): RolloutStatus[] {
    return [...this.rollouts.values()].map(statusOf)
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
  }
}

function statusOf({ service, from, to, counts, progress }: Rollout): RolloutStatus {
  const sides = [
    { service: from, ...counts.read(OLD) },
    { service: to, ...counts.read(NEW) },
  ]
  return {
    name: service,
    from,
    to,
    state: progress.state,
    percent: progress.share,
    step: progress.step + 1,
    steps: progress.plan.steps,
    reason: progress.reason,
    sides: sides.map((side) => ({
      service: side.service,
      requests: side.requests,
      errors: side.errors,
      p99Ms: Math.round(quantileMs(side, 0.99)),
    })),
  }
}
