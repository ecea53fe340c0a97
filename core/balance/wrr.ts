// core/balance/wrr.ts: weighted round robin by earliest deadline first, as Traefik's `wrr`.
//
// Each server has a deadline; the earliest is picked and put back by 1/weight. Deadlines are kept as the
// fractions turns/weight and compared by cross-multiplying whole numbers: with sums of 1/weight in
// floating point, rounding decides ties (3 x 1/3 against 1) and drifts for as long as the worker lives.
//
//   weights 3,1:   A 1/3   A 2/3   A 3/3   B 1/1   | A 4/3 ...        ties go to the lower index
//
// A server found down leaves the heap and is parked; each pick looks whether a parked one is back. It
// returns with its first deadline after the present one, exactly as if its turns had been popped and
// skipped, so that it gets no burst; and a pick never loops over the turns of a heavy server that is down.
// Hot: yes. O(log servers + parked).

import type { Exchange } from '../exchange.ts'
import type { Balancer, Usable } from './contract.ts'

// Turns are brought back near zero when deadlines pass this, so cross products stay exact: with weights
// up to WEIGHT_MAX turns stay below 2^31 and products below 2^51.
const DEADLINE_MAX = 1024
export const WEIGHT_MAX = 1 << 20 // larger weights are scaled down together; see core/balance/build.ts

export class WrrBalancer implements Balancer {
  readonly kind = 'wrr'
  private readonly indexes: readonly number[] // of the servers with a weight
  private readonly states: readonly Usable[] // by the same position as indexes
  private readonly weights: readonly number[] // whole numbers, 1..WEIGHT_MAX
  private readonly turns: Float64Array // deadline = turns / weight
  private readonly heap: Int32Array // positions; the earliest deadline first
  private heapCount = 0
  private readonly parked: Int32Array // positions that were down when their turn came
  private parkedCount = 0
  private nowTurns = 0 // the present deadline: that of the last pick, as a fraction
  private nowWeight = 1
  private nowPosition: number // who was picked then: those after it still have a turn at that deadline

  constructor(indexes: readonly number[], states: readonly Usable[], weights: readonly number[]) {
    this.indexes = indexes
    this.states = states
    this.weights = weights
    this.turns = new Float64Array(indexes.length).fill(1)
    this.heap = new Int32Array(indexes.length)
    this.parked = new Int32Array(indexes.length)
    this.nowPosition = indexes.length
    for (let position = 0; position < indexes.length; position++) this.push(position)
  }

  pick(_exchange: Exchange, tried: number): number {
    if (this.parkedCount > 0) this.returnParked()
    while (this.heapCount > 0) {
      const slot = this.slotToTake(tried)
      if (slot < 0) return -1
      const position = this.heap[slot]!
      if (!this.states[position]!.up) {
        this.park(slot)
        continue
      }
      this.take(slot, position)
      return this.indexes[position]!
    }
    return -1
  }

  // The top of the heap; or, when that was tried already, the earlier of the two below it.
  private slotToTake(tried: number): number {
    const { heap, heapCount } = this
    if (tried < 0 || this.indexes[heap[0]!] !== tried) return 0
    if (heapCount === 1) return -1
    return heapCount > 2 && this.isBefore(heap[2]!, heap[1]!) ? 2 : 1
  }

  private take(slot: number, position: number): void {
    // Taking past the top (a retry) does not move the present: the one on top still has its turn.
    if (slot === 0) {
      this.nowTurns = this.turns[position]!
      this.nowWeight = this.weights[position]!
      this.nowPosition = position
    }
    this.turns[position] = this.turns[position]! + 1
    this.siftDown(slot)
    if (this.nowTurns > DEADLINE_MAX * this.nowWeight) this.bringBack()
  }

  private isBefore(a: number, b: number): boolean {
    const left = this.turns[a]! * this.weights[b]!
    const right = this.turns[b]! * this.weights[a]!
    return left !== right ? left < right : a < b
  }

  private park(slot: number): void {
    this.parked[this.parkedCount++] = this.heap[slot]!
    this.heapCount--
    if (slot === this.heapCount) return
    this.heap[slot] = this.heap[this.heapCount]!
    this.siftDown(slot)
    this.siftUp(slot)
  }

  private returnParked(): void {
    for (let i = this.parkedCount - 1; i >= 0; i--) {
      const position = this.parked[i]!
      if (!this.states[position]!.up) continue
      this.parked[i] = this.parked[--this.parkedCount]!
      this.turns[position] = Math.max(this.turns[position]!, this.firstTurnAfterNow(position))
      this.push(position)
    }
  }

  private firstTurnAfterNow(position: number): number {
    const product = this.nowTurns * this.weights[position]!
    const turn = Math.floor(product / this.nowWeight)
    const isNow = turn * this.nowWeight === product && position > this.nowPosition
    return isNow ? turn : turn + 1
  }

  // Takes the same whole number off every deadline, which changes no comparison.
  private bringBack(): void {
    const whole = Math.floor(this.nowTurns / this.nowWeight)
    this.nowTurns -= whole * this.nowWeight
    for (let position = 0; position < this.turns.length; position++) {
      this.turns[position] = this.turns[position]! - whole * this.weights[position]!
    }
  }

  private push(position: number): void {
    this.heap[this.heapCount] = position
    this.siftUp(this.heapCount++)
  }

  private siftUp(slot: number): void {
    const { heap } = this
    const position = heap[slot]!
    while (slot > 0) {
      const parent = (slot - 1) >> 1
      if (!this.isBefore(position, heap[parent]!)) break
      heap[slot] = heap[parent]!
      slot = parent
    }
    heap[slot] = position
  }

  private siftDown(slot: number): void {
    const { heap, heapCount } = this
    const position = heap[slot]!
    for (;;) {
      let child = slot * 2 + 1
      if (child >= heapCount) break
      if (child + 1 < heapCount && this.isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!this.isBefore(heap[child]!, position)) break
      heap[slot] = heap[child]!
      slot = child
    }
    heap[slot] = position
  }
}
