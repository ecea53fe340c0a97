// core/overload/stages.ts: how far a worker sheds, by how much memory the process has and how long its turns are.
//
// Owner:  one meter per signal: the supervisor has that of memory, each worker that of its event loop; the higher of the
//         two counts. Hot: no; looked at ten times a second at the most.
//
//   CALM ----> TRIM ----> SHED_LOW ----> SHED_NORMAL ----> REFUSE         up: at once, over several if need be
//   CALM <---- TRIM <---- SHED_LOW <---- SHED_NORMAL <---- REFUSE         down: one at a time, and only when the value was
//                                                                         a tenth below the bound for CALM_LOOKS looks
//
//   TRIM         connections end after their exchange (Connection: close, GOAWAY)
//   SHED_LOW     and routes of class low are answered 503
//   SHED_NORMAL  and those of class normal
//   REFUSE       and new connections are closed, but on entry points of ping and API

export const CALM = 0
export const TRIM = 1
export const SHED_LOW = 2
export const SHED_NORMAL = 3
export const REFUSE = 4
export type Stage = typeof CALM | typeof TRIM | typeof SHED_LOW | typeof SHED_NORMAL | typeof REFUSE
export const stageNames = ['calm', 'trim', 'shed-low', 'shed-normal', 'refuse'] as const

// Classes of routers.
export const LOW = 0
export const NORMAL = 1
export const HIGH = 2
export const CRITICAL = 3
export const classNames = ['low', 'normal', 'high', 'critical'] as const
export type PriorityClass = (typeof classNames)[number]

const BELOW = 0.9 // of a bound, to leave the stage that it leads to
const CALM_LOOKS = 5

// The values at which the stages begin, TRIM first; Infinity: never.
export type StageBounds = readonly [number, number, number, number]

export class StageMeter {
  stage: Stage = CALM
  private readonly bounds: StageBounds
  private calmLooks = 0

  constructor(bounds: StageBounds) {
    this.bounds = bounds
  }

  look(value: number): Stage {
    const wanted = this.stageOf(value)
    if (wanted >= this.stage) {
      this.calmLooks = 0
      this.stage = wanted
    } else if (value >= this.boundOf(this.stage) * BELOW) {
      this.calmLooks = 0
    } else if (++this.calmLooks >= CALM_LOOKS) {
      this.calmLooks = 0
      this.stage = this.nextBelow()
    }
    return this.stage
  }

  private stageOf(value: number): Stage {
    for (let at = REFUSE; at >= TRIM; at--)
      if (value >= this.boundOf(at as Stage)) return at as Stage
    return CALM
  }

  private boundOf(stage: Stage): number {
    return stage === CALM ? 0 : this.bounds[stage - 1]!
  }

  // A stage that this signal never leads to is none to rest in.
  private nextBelow(): Stage {
    let stage = this.stage - 1
    while (stage > CALM && this.boundOf(stage as Stage) === Infinity) stage--
    return stage as Stage
  }
}

// Whether a route of this class is answered 503.
export function sheds(stage: Stage, priority: number): boolean {
  return (stage >= SHED_LOW && priority === LOW) || (stage >= SHED_NORMAL && priority === NORMAL)
}
