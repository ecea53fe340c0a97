// workers/overload/memory.ts: the memory of the process, looked at by the supervisor for all workers.
//
// Hot: no; four times a second, one read of /proc.

import { totalmem } from 'node:os'
import { type Stage, StageMeter, stageNames } from '../../core/overload/stages.ts'
import { MEMORY_STAGE } from '../../core/shared/control.ts'
import type { OverloadPlan } from '../messages.ts'
import type { OperationsLog } from '../supervisor.ts'
import { ResidentMemory } from './resident-memory.ts'

export class MemoryWatch {
  private readonly control: Int32Array
  private readonly log: OperationsLog
  private readonly limit: number // bytes
  private readonly meter: StageMeter
  private readonly resident = new ResidentMemory()
  private stage: Stage = 0

  constructor(control: Int32Array, plan: OverloadPlan, log: OperationsLog) {
    const { closeConnections, shedLow, shedNormal, refuse } = plan.memoryPercent
    this.control = control
    this.log = log
    this.limit = plan.memoryLimit > 0 ? plan.memoryLimit : memoryOfMachine()
    this.meter = new StageMeter([closeConnections, shedLow, shedNormal, refuse])
  }

  look(): void {
    const percent = (100 * this.resident.read()) / this.limit
    const stage = this.meter.look(percent)
    if (stage === this.stage) return
    this.log.warn(
      `overload: memory stage ${stageNames[stage]} after ${stageNames[this.stage]}, ${percent.toFixed(0)} % of ${this.limit} bytes are used`,
    )
    this.stage = stage
    Atomics.store(this.control, MEMORY_STAGE, stage)
  }
}

// What the control group allows, or what there is.
function memoryOfMachine(): number {
  const allowed = process.constrainedMemory()
  const all = totalmem()
  return allowed > 0 && allowed < all ? allowed : all
}
