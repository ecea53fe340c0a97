// core/balance/target.ts: a server as one service sees it, for services that know more of their servers than that they
// are there: checked ones, ejected ones, ones that are about to end.
//
// Owner:  a LiveService; the flag and the cells outlive it. Services that know nothing of it use the worker's Server
//         as it is, whose `up` is a constant.
// Hot:    `up`: one comparison for a server that is checked, and a few more for one that can be ejected.

import type { Choosable, Loaded } from './contract.ts'
import type { AnswerTimes, Timed } from './least-time.ts'
import type { Standing } from './standing.ts'

// What the checks of the supervisor say; all services with the same check of the same server share it.
export interface HealthFlag {
  down: boolean
  upSince: number // of the shared clock; 0: it was never down
}

export const neverChecked: HealthFlag = { down: false, upSince: 0 }

// How far a service goes when nothing better is left. One object per service: all its targets read it.
export interface Resort {
  level: 0 | 1 | 2
}
export const ONLY_GOOD = 0
export const ALSO_TERMINATING = 1 // nothing else is up
export const ALSO_EJECTED = 2 // nothing at all is up: what passive means say is not believed

interface Known extends Loaded {
  readonly times: AnswerTimes
  readonly upSince: number // since when this worker knows it
}

export class Target implements Timed, Choosable {
  readonly terminating: boolean
  readonly standing: Standing | null // null: nothing is noted of its answers
  private readonly flag: HealthFlag
  private readonly plain: boolean
  private readonly server: Known
  private readonly resort: Resort

  constructor(
    server: Known,
    flag: HealthFlag,
    standing: Standing | null,
    terminating: boolean,
    resort: Resort,
  ) {
    this.server = server
    this.flag = flag
    this.standing = standing
    this.terminating = terminating
    this.plain = standing === null && !terminating
    this.resort = resort
  }

  get up(): boolean {
    return !this.flag.down && (this.plain || this.isGoodEnough())
  }

  // The service could use it, at its worst.
  get mayServe(): boolean {
    return !this.flag.down
  }

  get inFlight(): number {
    return this.server.inFlight
  }

  get times(): AnswerTimes {
    return this.server.times
  }

  // Since when it has been up without a break.
  get upSince(): number {
    const { standing } = this
    const returned = standing === null ? 0 : standing.until
    return Math.max(this.server.upSince, this.flag.upSince, returned)
  }

  private isGoodEnough(): boolean {
    const { level } = this.resort
    if (this.terminating && level < ALSO_TERMINATING) return false
    return this.standing === null || level === ALSO_EJECTED || this.standing.isGood
  }
}
