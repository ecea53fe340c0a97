// workers/overload/admission.ts: what a worker does when there is more than it can: who waits, and who is turned away.
//
// Owner:  the worker, one for its life. Hot: one field is compared per request; all else only under overload.
//
//   begin -> isActive? no: on it goes
//            yes: class shed by the stage -> 503 SHED_PRIORITY
//                 high, critical           -> on it goes, whatever waits
//                 room in this turn        -> on it goes
//                 else                     -> line of its class ... next turn, normal before low -> on it goes
//                                             waited for queueTimeout, or no room in line         -> 503 SHED_QUEUE
//
// core/overload decides: stages.ts by memory and by turns, pace.ts how many begin in a turn.

import { SHED_PRIORITY, SHED_QUEUE } from '../../core/errors.ts'
import { NEXT } from '../../core/middleware/contract.ts'
import type { Counter } from '../../core/middleware/worker.ts'
import { Line } from '../../core/overload/line.ts'
import { Pace } from '../../core/overload/pace.ts'
import {
  CALM,
  HIGH,
  LOW,
  NORMAL,
  REFUSE,
  type Stage,
  StageMeter,
  TRIM,
  classNames,
  sheds,
  stageNames,
} from '../../core/overload/stages.ts'
import { MEMORY_STAGE, OVERLOAD_STAGE } from '../../core/shared/control.ts'
import type { WorkerContext } from '../context.ts'
import type { LiveExchange } from '../live-exchange.ts'
import type { OverloadPlan } from '../messages.ts'
import * as pipeline from '../pipeline.ts'
import type { Swept } from '../sweeper.ts'
import { type LoopLook, LoopMeter } from './loop-meter.ts'

const SMOOTH = 0.5 // how much the newest turn counts against those before it

export class Admission implements Swept {
  sweepIndex = -1
  isActive = false // something is shed or paced: every request is looked at
  closesConnections = false // after their exchange
  refusesConnections = false
  stage: Stage = CALM
  begun = 0 // requests of clients since the last look
  private readonly context: WorkerContext
  private readonly plan: OverloadPlan
  private readonly meter: StageMeter
  private readonly loop: { take(): LoopLook }
  private readonly pace: Pace
  private readonly lines: readonly [Line<LiveExchange>, Line<LiveExchange>] // by class: low, normal
  private readonly counters = new Map<string, Counter>()
  private left = 0 // requests that may still begin in this turn
  private turnAt = -1 // by the sweeper's turnNow
  private inTurn = 0 // requests that have begun since
  private isBurst = false
  private turnPlanned = false
  private turnMs = 0
  private readonly nextTurn = (): void => this.beginTurn() // made once: setImmediate needs a function

  // `loop` is another one in tests.
  constructor(
    context: WorkerContext,
    plan: OverloadPlan,
    loop: { take(): LoopLook } = new LoopMeter(),
  ) {
    this.loop = loop
    this.context = context
    this.plan = plan
    this.meter = new StageMeter([
      Infinity, // closing connections makes a busy processor busier: see docs/overload.md
      plan.loopMs.shedLow,
      plan.loopMs.shedNormal,
      plan.loopMs.refuse,
    ])
    this.pace = new Pace(plan.turnTargetMs)
    this.lines = [new Line(), new Line()]
  }

  start(): void {
    if (this.plan.enabled) this.context.sweeper.add(this)
  }

  // Whether a request that begins in this turn has to ask `holds`.
  looksAt(turn: number): boolean {
    if (turn !== this.turnAt) {
      this.turnAt = turn
      this.inTurn = 0
    }
    if (++this.inTurn > this.pace.burst && this.plan.enabled) this.isBurst = this.isActive = true
    return this.isActive
  }

  // True: the exchange goes no further now.
  holds(exchange: LiveExchange, priority: number): boolean {
    if (sheds(this.stage, priority)) {
      this.shed(exchange, SHED_PRIORITY, priority, stageNames[this.stage])
      return true
    }
    if (!this.pace.isPaced && !this.isBurst) return false
    this.planTurn()
    if (priority >= HIGH) return false
    if (this.left > 0 && this.waiting === 0) {
      this.left--
      return false
    }
    this.enqueue(exchange, priority)
    return true
  }

  private get waiting(): number {
    return this.lines[LOW].length + this.lines[NORMAL].length
  }

  private lineOf(priority: number): Line<LiveExchange> {
    return this.lines[priority === LOW ? LOW : NORMAL]
  }

  // When there is no room, the oldest of class low makes some for one of class normal.
  private enqueue(exchange: LiveExchange, priority: number): void {
    if (this.waiting >= this.plan.queueMax) {
      const given = priority === LOW ? null : this.takeWanted(LOW)
      if (given === null) return this.shed(exchange, SHED_QUEUE, priority, 'full')
      this.shed(given, SHED_QUEUE, LOW, 'full')
    }
    this.countWaiting(priority)
    this.lineOf(priority).add(exchange, exchange.serial, this.context.sweeper.now)
    pipeline.hold(exchange)
  }

  private takeWanted(priority: number): LiveExchange | null {
    for (;;) {
      const taken = this.lineOf(priority).takeOldest()
      if (taken === null || isWanted(taken.item, taken.serial)) return taken?.item ?? null
    }
  }

  private shed(exchange: LiveExchange, code: number, priority: number, stage: string): void {
    this.countShed(priority, stage)
    exchange.waiting = false
    pipeline.refuse(exchange, code)
  }

  private countShed(priority: number, stage: string): void {
    const labels = { class: classNames[priority]!, stage }
    this.counterOf(`${priority} ${stage}`, 'sluice_shed_requests_total', labels).add(1)
  }

  private countWaiting(priority: number): void {
    const labels = { class: classNames[priority]! }
    this.counterOf(`${priority}`, 'sluice_paced_requests_total', labels).add(1)
  }

  private counterOf(key: string, family: string, labels: Record<string, string>): Counter {
    let counter = this.counters.get(key)
    if (counter === undefined) {
      counter = this.context.services.counter(family, labels)
      this.counters.set(key, counter)
    }
    return counter
  }

  // ---- turns

  private planTurn(): void {
    if (this.turnPlanned) return
    this.turnPlanned = true
    setImmediate(this.nextTurn)
  }

  // A new turn: those who wait come first, in the order of their classes.
  private beginTurn(): void {
    this.turnPlanned = false
    this.left = Math.min(this.pace.perTurn, this.pace.burst)
    const { now } = this.context.sweeper
    this.serve(this.lines[NORMAL], now)
    this.serve(this.lines[LOW], now)
    if (this.waiting > 0) return this.planTurn()
    this.isBurst = false
    this.isActive = this.needsLook
  }

  private get needsLook(): boolean {
    return this.pace.isPaced || this.stage > TRIM || this.waiting > 0
  }

  private serve(line: Line<LiveExchange>, now: number): void {
    while (this.left > 0) {
      const next = line.takeNext(now, this.plan.queueTimeoutMs / 2)
      if (next === null) return
      if (!isWanted(next.item, next.serial)) continue
      this.left--
      pipeline.wake(next.item, next.serial, NEXT)
    }
  }

  // ---- looks, ten times a second

  onTick(now: number): void {
    const { turns, activeMs, busy } = this.loop.take()
    const mean = turns > 0 ? activeMs / turns : activeMs
    this.turnMs += SMOOTH * (mean - this.turnMs)
    this.pace.learn(activeMs, this.begun)
    this.pace.look(mean, busy, turns > 0 ? this.begun / turns : this.begun, this.waiting)
    this.begun = 0
    this.expire(this.lines[LOW], LOW, now)
    this.expire(this.lines[NORMAL], NORMAL, now)
    const ofMemory = this.context.sharedCell(MEMORY_STAGE) as Stage
    const ofLoop = this.meter.look(this.turnMs)
    this.enter(ofLoop > ofMemory ? ofLoop : ofMemory)
    if (this.waiting === 0) this.isBurst = false
    this.isActive = this.needsLook
    if (this.waiting > 0) this.planTurn()
  }

  private expire(line: Line<LiveExchange>, priority: number, now: number): void {
    for (let oldest = line.oldest(); oldest !== null; oldest = line.oldest()) {
      if (now - oldest.since <= this.plan.queueTimeoutMs) return
      line.takeOldest()
      if (isWanted(oldest.item, oldest.serial))
        this.shed(oldest.item, SHED_QUEUE, priority, 'timeout')
    }
  }

  private enter(stage: Stage): void {
    if (stage === this.stage) return
    const ms = Math.round(this.turnMs)
    const message = `overload: stage ${stageNames[stage]} after ${stageNames[this.stage]}, a turn takes ${ms} ms`
    this.context.say({ type: 'warning', message: `worker ${this.context.plan.index}: ${message}` })
    this.stage = stage
    this.closesConnections = stage >= TRIM && this.context.sharedCell(MEMORY_STAGE) >= TRIM
    this.refusesConnections = stage >= REFUSE
    this.context.setInRow(OVERLOAD_STAGE, stage)
  }

  abandon(): void {
    this.context.sweeper.remove(this)
    this.isActive = this.waiting > 0
  }
}

function isWanted(exchange: LiveExchange, serial: number): boolean {
  return exchange.serial === serial && exchange.downstream !== null && exchange.waiting
}
