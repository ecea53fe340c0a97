// core/rollout/progress.ts: how far a rollout has come, and what comes next. Pure: the caller has the clock and the counts.
//
//                    a step is over, its guard was kept            the last one is over
//   PROGRESSING (step i) -----------------> PROGRESSING (step i + 1) ----------------> PROMOTED
//      |        ^  pause, resume
//      |        '------------------ PAUSED (keeps its share)
//      '---- the guard was broken, or rollback ----> ROLLED_BACK (share 0) ---- restart ----> PROGRESSING (step 0)
//
// `promote` leads to PROMOTED from anywhere. Hot: no.

import { type SideCounts, quantileMs, since } from './counts.ts'
import type { RolloutPlan } from './plan.ts'

export const PROGRESSING = 'progressing'
export const PAUSED = 'paused'
export const PROMOTED = 'promoted'
export const ROLLED_BACK = 'rolledBack'
export type RolloutState = typeof PROGRESSING | typeof PAUSED | typeof PROMOTED | typeof ROLLED_BACK

export const rolloutActions = ['pause', 'resume', 'promote', 'rollback', 'restart'] as const
export type RolloutAction = (typeof rolloutActions)[number]

export class RolloutProgress {
  readonly plan: RolloutPlan
  state: RolloutState
  step: number // -1: has not begun
  reason = '' // of the last change
  private stepAt: number // milliseconds
  private before: SideCounts // when the step began

  constructor(plan: RolloutPlan, now: number, counts: SideCounts) {
    this.plan = plan
    this.state = plan.startsPaused ? PAUSED : PROGRESSING
    this.step = plan.startsPaused ? -1 : 0
    this.stepAt = now
    this.before = counts
  }

  // Percent that the new service gets.
  get share(): number {
    if (this.state === PROMOTED) return 100
    if (this.state === ROLLED_BACK || this.step < 0) return 0
    return this.plan.steps[this.step]!
  }

  // Called every second or so. True: something has changed.
  tick(now: number, counts: SideCounts): boolean {
    if (this.state !== PROGRESSING) return false
    const seen = since(counts, this.before)
    if (seen.requests < this.plan.minRequests) return false
    const fault = this.faultOf(seen)
    if (fault !== '') return this.change(ROLLED_BACK, this.step, fault, now, counts)
    if (now - this.stepAt < this.plan.intervalMs) return false
    const isLast = this.step + 1 >= this.plan.steps.length
    const what = `${this.share} % was good for ${seen.requests} requests`
    return isLast
      ? this.change(PROMOTED, this.step, what, now, counts)
      : this.change(PROGRESSING, this.step + 1, what, now, counts)
  }

  // '' when it was done, else why not.
  act(action: RolloutAction, now: number, counts: SideCounts): string {
    const { state } = this
    if (action === 'promote') this.change(PROMOTED, this.step, 'promoted by hand', now, counts)
    else if (action === 'rollback') this.change(ROLLED_BACK, this.step, 'by hand', now, counts)
    else if (action === 'restart') this.change(PROGRESSING, 0, 'restarted by hand', now, counts)
    else if (action === 'pause' && state === PROGRESSING)
      this.change(PAUSED, this.step, 'paused by hand', now, counts)
    else if (action === 'resume' && state === PAUSED)
      this.change(PROGRESSING, Math.max(0, this.step), 'resumed by hand', now, counts)
    else return `it is ${state}`
    return ''
  }

  private change(
    state: RolloutState,
    step: number,
    reason: string,
    now: number,
    counts: SideCounts,
  ): true {
    this.state = state
    this.step = step
    this.reason = reason
    this.stepAt = now
    this.before = counts
    return true
  }

  private faultOf(seen: SideCounts): string {
    const { maxErrorRatio, maxP99Ms } = this.plan
    const ratio = seen.errors / seen.requests
    if (ratio > maxErrorRatio)
      return `${(ratio * 100).toFixed(1)} % of ${seen.requests} answers were errors`
    const p99 = quantileMs(seen, 0.99)
    if (maxP99Ms > 0 && p99 > maxP99Ms) return `p99 was ${p99.toFixed(0)} ms`
    return ''
  }
}
