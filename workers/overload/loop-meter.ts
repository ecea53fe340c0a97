// workers/overload/loop-meter.ts: what the event loop of this thread did since the last look, by libuv's own counts.
//
// Costs nothing between two looks. Hot: no.

import { performance } from 'node:perf_hooks'

export interface LoopLook {
  readonly turns: number
  readonly activeMs: number // not waiting for events
  readonly busy: number // activeMs divided by the time that passed: 0 to 1
}

export class LoopMeter {
  private utilization = performance.eventLoopUtilization()
  private turns = turnsSoFar()

  take(): LoopLook {
    const utilization = performance.eventLoopUtilization()
    const turns = turnsSoFar()
    const activeMs = utilization.active - this.utilization.active
    const passedMs = activeMs + utilization.idle - this.utilization.idle
    const look = {
      turns: turns - this.turns,
      activeMs,
      busy: passedMs > 0 ? activeMs / passedMs : 0,
    }
    this.utilization = utilization
    this.turns = turns
    return look
  }
}

function turnsSoFar(): number {
  return performance.nodeTiming.uvMetricsInfo.loopCount
}
