// core/resilience/deadlines.ts: which of an exchange's times is over; the timeout middleware says how long they are.
//
// Owner:  workers/watch.ts has one of these per exchange that is watched. Hot: over() runs ten times a second for each.
//
//   request is here      given to a server        head of the response            last byte
//      |------------------------|---------------------------|-------------------------|
//      |<------------------------------- total -------------------------------------->|
//                               |<-------- perTry --------->|<-idle->|<-idle->| ...
//                                   |<----- firstByte ----->|
//                            the request is whole there

import { NONE, TIMEOUT_FIRST_BYTE, TIMEOUT_IDLE, TIMEOUT_TOTAL, TIMEOUT_TRY } from '../errors.ts'

// Milliseconds; 0: none.
export interface ExchangeTimes {
  readonly total: number
  readonly perTry: number
  readonly firstByte: number
  readonly idle: number
}

// What of an exchange is looked at.
export interface Progress {
  readonly sentAt: number // when a server was chosen for it last
  readonly isAsked: boolean // a server has it, or is being dialled for it
  readonly requestComplete: boolean
  readonly wroteHead: boolean
  readonly bytes: number // of both bodies, so far
}

export class Deadlines {
  private readonly times: ExchangeTimes
  private readonly from: number
  private wholeAt = -1 // when the request was first seen to be whole
  private looks = 0
  private bytes = -1
  private movedAt: number

  constructor(times: ExchangeTimes, now: number) {
    this.times = times
    this.from = now
    this.movedAt = now
  }

  // A code of core/errors.ts, or NONE.
  over(progress: Progress, now: number): number {
    const { total } = this.times
    if (total > 0 && now - this.from > total) return TIMEOUT_TOTAL
    return progress.wroteHead ? this.overInBody(progress, now) : this.overInTry(progress, now)
  }

  private overInTry(progress: Progress, now: number): number {
    const { perTry, firstByte } = this.times
    if (!progress.requestComplete) this.wholeAt = -1
    else if (this.wholeAt < 0) this.wholeAt = this.looks === 0 ? this.from : now
    this.looks++
    if (!progress.isAsked) return NONE
    if (perTry > 0 && now - progress.sentAt > perTry) return TIMEOUT_TRY
    const askedAt = Math.max(progress.sentAt, this.wholeAt)
    const waits = firstByte > 0 && this.wholeAt >= 0
    return waits && now - askedAt > firstByte ? TIMEOUT_FIRST_BYTE : NONE
  }

  private overInBody(progress: Progress, now: number): number {
    const { idle } = this.times
    if (progress.bytes !== this.bytes) {
      this.bytes = progress.bytes
      this.movedAt = now
    }
    return idle > 0 && now - this.movedAt > idle ? TIMEOUT_IDLE : NONE
  }
}
